package fileedit

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"syscall"
)

// holder names the process that has the lock of a file, as far as the kernel tells.
func holder(target string) string {
	const unknown = "another process"
	info, err := os.Stat(target)
	if err != nil {
		return unknown
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return unknown
	}
	locks, err := os.ReadFile("/proc/locks")
	if err != nil {
		return unknown
	}
	// "1: FLOCK  ADVISORY  WRITE 708 00:13:11783 0 EOF"; a waiting one has an arrow
	for line := range strings.Lines(string(locks)) {
		fields := strings.Fields(line)
		if len(fields) < 6 || fields[1] != "FLOCK" || !strings.HasSuffix(fields[5], fmt.Sprintf(":%d", stat.Ino)) {
			continue
		}
		name, err := os.ReadFile("/proc/" + fields[4] + "/comm")
		if err != nil {
			return "process " + fields[4]
		}
		return fmt.Sprintf("%s (process %s)", bytes.TrimSpace(name), fields[4])
	}
	return unknown
}
