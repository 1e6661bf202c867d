package main

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// machine is what a run was measured on.
type machine struct {
	CPU    string    `json:"cpu"`
	Cores  int       `json:"cores"`
	Pinned string    `json:"pinned"` // which of them has what, in the workloads that are about speed
	OS     string    `json:"os"`
	Kernel string    `json:"kernel"`
	Go     string    `json:"go"`
	Node   string    `json:"node"`
	Caddy  string    `json:"caddy"`
	Date   time.Time `json:"date"`
}

func (b *bench) machine(ctx context.Context) machine {
	return machine{
		CPU:    cpuModel(),
		Cores:  runtime.NumCPU(),
		Pinned: b.cores.note,
		OS:     runtime.GOOS + "/" + runtime.GOARCH,
		Kernel: kernel(),
		Go:     runtime.Version(),
		Node:   firstWord(ctx, "node", "--version"),
		Caddy:  firstWord(ctx, b.path("plain"), "version"),
		Date:   time.Now().UTC().Truncate(time.Second),
	}
}

func (m machine) String() string {
	return fmt.Sprintf("%s, %d cores (%s), %s, kernel %s, %s, Node %s, Caddy %s, %s",
		m.CPU, m.Cores, m.Pinned, m.OS, m.Kernel, m.Go, m.Node, m.Caddy, m.Date.Format("2006-01-02 15:04 UTC"))
}

// firstWord is that of what a program says, as programs do that are asked for their version.
func firstWord(ctx context.Context, program string, args ...string) string {
	output, _ := exec.CommandContext(ctx, program, args...).Output()
	return strings.Fields(string(output) + " unknown")[0]
}

func kernel() string {
	release, _ := os.ReadFile("/proc/sys/kernel/osrelease")
	return cmp.Or(strings.TrimSpace(string(release)), "unknown")
}

func cpuModel() string {
	model, _ := procField("/proc/cpuinfo", "model name")
	return cmp.Or(model, "unknown CPU")
}

// memory is what a process has resident, the most that it had, and what of it is not a part of its binary, of which the
// system maps more or less as it likes.
type memory struct{ now, peak, own float64 } // MiB

func (p *process) memory() (memory, error) {
	var m memory
	for field, into := range map[string]*float64{"VmRSS": &m.now, "VmHWM": &m.peak, "RssAnon": &m.own} {
		value, err := procField(fmt.Sprintf("/proc/%d/status", p.pid()), field)
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
