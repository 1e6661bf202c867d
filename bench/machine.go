package main

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// machine is what a run was measured on.
type machine struct {
	CPU   string    `json:"cpu"`
	Cores int       `json:"cores"`
	OS    string    `json:"os"`
	Go    string    `json:"go"`
	Date  time.Time `json:"date"`
}

func thisMachine() machine {
	return machine{
		CPU:   cpuModel(),
		Cores: runtime.NumCPU(),
		OS:    runtime.GOOS + "/" + runtime.GOARCH,
		Go:    runtime.Version(),
		Date:  time.Now().UTC().Truncate(time.Second),
	}
}

func cpuModel() string {
	if model, err := procField("/proc/cpuinfo", "model name"); err == nil {
		return model
	}
	return "unknown CPU"
}

// memory is what a process has resident, and the most that it had.
type memory struct{ now, peak float64 } // MiB

func (s *server) memory() (memory, error) {
	var m memory
	for field, into := range map[string]*float64{"VmRSS": &m.now, "VmHWM": &m.peak} {
		value, err := procField(fmt.Sprintf("/proc/%d/status", s.cmd.Process.Pid), field)
		if err != nil {
			return memory{}, fmt.Errorf("resident memory is read from /proc, as Linux has it: %w", err)
		}
		kib, err := strconv.ParseFloat(strings.TrimSuffix(value, " kB"), 64)
		if err != nil {
			return memory{}, fmt.Errorf("%s %q: %w", field, value, err)
		}
		*into = kib / 1024
	}
	return m, nil
}

// procField reads a line "name: value".
func procField(path, name string) (string, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(content)) {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value), nil
		}
	}
	return "", fmt.Errorf("%s has no %s", path, name)
}
