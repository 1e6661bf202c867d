//go:build !linux

package main

import (
	"errors"
	"runtime"
	"time"
)

func allowedCores() ([]int, error) {
	return nil, errors.New("that is done on Linux only, and not on " + runtime.GOOS)
}

func onCore(_ int, do func() error) error { return do() }

func cpuTime(int) (time.Duration, error) {
	return 0, errors.New("the CPU time of a process is read on Linux only, and not on " + runtime.GOOS)
}
