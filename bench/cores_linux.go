package main

import (
	"fmt"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// allowedCores are those that this process may use.
func allowedCores() ([]int, error) {
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &set); err != nil {
		return nil, fmt.Errorf("asking for the cores: %w", err)
	}
	var may []int
	for core := range len(set) * 64 {
		if set.IsSet(core) {
			may = append(may, core)
		}
	}
	return may, nil
}

// onCore calls do on a thread that is pinned to one core. A process that do starts
// inherits that.
func onCore(core int, do func() error) error {
	if core == anyCore {
		return do()
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var before, only unix.CPUSet
	if err := unix.SchedGetaffinity(0, &before); err != nil {
		return fmt.Errorf("asking for the cores: %w", err)
	}
	only.Set(core)
	if err := unix.SchedSetaffinity(0, &only); err != nil {
		return fmt.Errorf("pinning to core %d: %w", core, err)
	}
	err := do()
	if failed := unix.SchedSetaffinity(0, &before); err == nil && failed != nil {
		err = fmt.Errorf("undoing the pinning to core %d: %w", core, failed)
	}
	return err
}

// cpuTime is what a process has used, with all its threads: this clock has nanoseconds
// where /proc has ticks of 10 ms.
func cpuTime(pid int) (time.Duration, error) {
	const ofProcess = 2 // CPUCLOCK_SCHED in the kernel's posix-timers.h
	var t unix.Timespec
	if err := unix.ClockGettime(int32(^pid<<3|ofProcess), &t); err != nil {
		return 0, fmt.Errorf("the CPU clock of process %d: %w", pid, err)
	}
	return time.Duration(t.Nano()), nil
}
