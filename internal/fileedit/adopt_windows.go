package fileedit

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"unsafe"

	"golang.org/x/sys/windows"
)

// adopt has nothing to do: ReplaceFile keeps what belongs to the old file.
func (t temporary) adopt(string, fs.FileInfo) error { return nil }

var replaceFile = windows.NewLazySystemDLL("kernel32.dll").NewProc("ReplaceFileW")

// rename puts a file in the place of another, whose access control list, attributes and
// streams stay.
func rename(from, to string) error {
	if _, err := os.Stat(to); errors.Is(err, fs.ErrNotExist) {
		return os.Rename(from, to)
	}
	replaced, err := windows.UTF16PtrFromString(to)
	if err != nil {
		return err
	}
	replacement, err := windows.UTF16PtrFromString(from)
	if err != nil {
		return err
	}
	if ok, _, err := replaceFile.Call(uintptr(unsafe.Pointer(replaced)), uintptr(unsafe.Pointer(replacement)), 0, 0, 0, 0); ok == 0 {
		return err
	}
	return nil
}

// unreplaceable explains why a file cannot be renamed over another.
func unreplaceable(err error) error {
	return fmt.Errorf("no new version can take its place; a program may have it open: %w", reason(err))
}

// syncDirectory has nothing to do: NTFS keeps a journal of names.
func syncDirectory(string) error { return nil }
