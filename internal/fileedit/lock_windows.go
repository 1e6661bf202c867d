package fileedit

import (
	"errors"
	"path/filepath"

	"golang.org/x/sys/windows"
)

// tryLock opens a file next to the target that no other process can open meanwhile. It
// goes away when it is closed, also if the process is killed. The target itself cannot
// be locked: Windows does not replace a file that is open.
func tryLock(target string) (unlock func(), err error) {
	name, err := windows.UTF16PtrFromString(filepath.Join(filepath.Dir(target), "."+filepath.Base(target)+".lock"))
	if err != nil {
		return nil, err
	}
	handle, err := windows.CreateFile(name, windows.GENERIC_WRITE, 0, nil, windows.OPEN_ALWAYS,
		windows.FILE_ATTRIBUTE_HIDDEN|windows.FILE_FLAG_DELETE_ON_CLOSE, 0)
	switch {
	case errors.Is(err, windows.ERROR_SHARING_VIOLATION), errors.Is(err, windows.ERROR_DELETE_PENDING):
		return nil, errTaken
	case err != nil:
		return nil, cannotCreate(filepath.Dir(target), err)
	}
	return func() { _ = windows.CloseHandle(handle) }, nil
}
