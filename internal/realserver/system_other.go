//go:build unix && !linux

package realserver

import "syscall"

func signalWhenOrphaned(*syscall.SysProcAttr, syscall.Signal) {}

// children are not known here. Those of PostgreSQL end when their parent does.
func children(int) []int { return nil }

func hasEnded(int) bool { return true }

func standsStill(int) bool { return true }
