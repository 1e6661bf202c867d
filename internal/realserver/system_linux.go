package realserver

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// signalWhenOrphaned has the system send a signal to a program when this one ends.
func signalWhenOrphaned(attr *syscall.SysProcAttr, signal syscall.Signal) { attr.Pdeathsig = signal }

// children are the processes that a process has started.
func children(pid int) (pids []int) {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	for child := range strings.FieldsSeq(string(text)) {
		if n, err := strconv.Atoi(child); err == nil {
			pids = append(pids, n)
		}
	}
	return pids
}

// hasEnded says whether a process has, also if its parent has not noticed.
func hasEnded(pid int) bool {
	state := stateOf(pid)
	return state == 0 || state == 'Z' || state == 'X'
}

// standsStill says whether a process does nothing, for now or for ever.
func standsStill(pid int) bool { return stateOf(pid) == 'T' || hasEnded(pid) }

// stateOf is the letter that proc(5) has for the state of a process, 0 if there is none.
func stateOf(pid int) byte {
	stat, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	// it stands after the name, which may have spaces and brackets
	if i := strings.LastIndex(string(stat), ") "); i >= 0 && i+2 < len(stat) {
		return stat[i+2]
	}
	return 0
}
