// Package fileedit changes a small file that a running server reads: the file is
// replaced as a whole or not at all, whatever happens, and two programs that change it
// at the same time lose nothing of each other.
package fileedit

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// Options say how to edit a file. The zero Options are good for a file that exists.
type Options struct {
	// How long to wait for another writer. Default: ten seconds.
	Wait time.Duration

	// Waiting, if set, is called once if another writer has the file, with who that is.
	Waiting func(holder string)

	// Whether to create the file if there is none. change then gets nil.
	Create bool

	// The permissions of a new file. Default: only its owner may read and write it.
	Mode fs.FileMode

	// The group of a new file, if ChangeGroup is set. Default: as the system has it.
	Group       int
	ChangeGroup bool
}

// Edit replaces the content of a file with what change makes of it, see
// [Options.Edit].
func Edit(path string, change func(old []byte) ([]byte, error)) error {
	return Options{}.Edit(path, change)
}

// Edit replaces the content of a file with what change makes of it. After an error the
// file is as it was. A symbolic link stays, and the file that it leads to is replaced.
//
// The new file is written next to the old one, with its mode, owner, group and extended
// attributes, and renamed over it once it is on disk. Writers wait for each other by a
// lock on the file itself; a program that does not know the lock, such as an editor, is
// noticed if it writes before the new file takes its place. change is then called again,
// so it must not change anything else. If it returns what it got, nothing is written.
func (o Options) Edit(path string, change func(old []byte) ([]byte, error)) error {
	if o.Wait == 0 {
		o.Wait = 10 * time.Second
	}
	if o.Mode == 0 {
		o.Mode = 0o600
	}
	queue := queue{until: time.Now().Add(o.Wait), wait: o.Wait, waiting: o.Waiting}
	for {
		target, err := resolve(path)
		if errors.Is(err, fs.ErrNotExist) && o.Create {
			err = o.create(path, change)
		} else if err == nil {
			err = o.editOnce(target, change, &queue)
		}
		if !errors.Is(err, errMoved) {
			return named(path, err)
		}
		if time.Now().After(queue.until) {
			return named(path, errRestless)
		}
	}
}

// errMoved says that the file is another one now, or was written by another program.
var errMoved = errors.New("the file has changed")

var errRestless = errors.New("another program keeps on writing it; try again")

// editOnce is one attempt at a file that exists.
func (o Options) editOnce(target string, change func([]byte) ([]byte, error), queue *queue) error {
	unlock, err := queue.lock(target)
	if err != nil {
		return err
	}
	defer unlock()
	step("locked")

	before, err := os.Stat(target)
	if err != nil {
		return moved(err)
	}
	old, err := os.ReadFile(target)
	if err != nil {
		return moved(err)
	}
	step("read")
	content, err := change(old)
	if err != nil || bytes.Equal(content, old) {
		return err
	}
	tidy(target)
	return replace(target, before, content)
}

// resolve follows symbolic links to a regular file.
func resolve(path string) (string, error) {
	target, err := filepath.EvalSymlinks(path)
	if errors.Is(err, fs.ErrNotExist) {
		if _, linked := os.Lstat(path); linked == nil {
			return "", errors.New("it is a link to a file that does not exist")
		}
	}
	if err != nil {
		return "", err
	}
	info, err := os.Stat(target)
	switch {
	case err != nil:
		return "", err
	case info.IsDir():
		return "", errors.New("it is a directory; give the path of a file")
	case !info.Mode().IsRegular():
		return "", errors.New("it is not a regular file")
	}
	return target, nil
}

// moved is for a file that was there a moment ago.
func moved(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return errMoved
	}
	return err
}

// named puts the path before an error, without the paths that are in it already.
func named(path string, err error) error {
	if err == nil {
		return nil
	}
	var of *fs.PathError
	var link *os.LinkError
	switch {
	case errors.As(err, &of) && of == err:
		err = of.Err
	case errors.As(err, &link) && link == err:
		err = link.Err
	}
	return fmt.Errorf("%s: %w", path, err)
}

// step is called between the steps of a write, for tests.
var step = func(string) {}
