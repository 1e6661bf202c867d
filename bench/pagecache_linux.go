package main

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// uncache makes the system read a file from the disk the next time. How much of a
// binary it maps into a process that asks for a piece depends on how the file came into
// memory: from a linker, piece by piece, or by one read.
func uncache(path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	if err := file.Sync(); err != nil { // what is not on the disk yet stays in memory
		return err
	}
	if err := unix.Fadvise(int(file.Fd()), 0, 0, unix.FADV_DONTNEED); err != nil {
		return fmt.Errorf("taking %s out of memory: %w", path, err)
	}
	return nil
}
