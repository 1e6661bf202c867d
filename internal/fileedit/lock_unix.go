//go:build unix

package fileedit

import (
	"os"

	"github.com/gofrs/flock"
)

// tryLock locks the file itself, so that no lock file is left. Each writer puts another
// file in its place, and who gets the lock of the old one after that has nothing: it
// must be of the file that the path leads to.
func tryLock(target string) (unlock func(), err error) {
	lock := flock.New(target, flock.SetFlag(os.O_RDONLY))
	unlock = func() { _ = lock.Unlock() }
	got, err := lock.TryLock()
	if err != nil {
		return nil, moved(err)
	}
	if !got {
		unlock()
		return nil, errTaken
	}
	locked, err := lock.Stat()
	if err == nil {
		var now os.FileInfo
		if now, err = os.Stat(target); err == nil && !os.SameFile(locked, now) {
			err = errMoved
		}
	}
	if err != nil {
		unlock()
		return nil, moved(err)
	}
	return unlock, nil
}
