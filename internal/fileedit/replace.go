package fileedit

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// infix is in the names of temporary files, of which a killed process may leave one.
const infix = ".caddy-grant-"

// replace puts a file with new content in the place of one that was seen before.
func replace(target string, before fs.FileInfo, content []byte) error {
	temporary, err := write(target, content)
	if err != nil {
		return err
	}
	defer temporary.remove()
	if err := temporary.adopt(target, before); err != nil {
		return err
	}
	if err := temporary.finish(); err != nil {
		return err
	}

	now, err := os.Stat(target)
	if err != nil {
		return moved(err)
	}
	if !os.SameFile(before, now) || before.Size() != now.Size() || !before.ModTime().Equal(now.ModTime()) {
		return errMoved
	}
	step("checked")
	if err := rename(temporary.Name(), target); err != nil {
		return unreplaceable(err)
	}
	step("renamed")
	return syncDirectory(target)
}

// create makes the file of a path where there is none.
func (o Options) create(path string, change func([]byte) ([]byte, error)) error {
	content, err := change(nil)
	if err != nil {
		return err
	}
	temporary, err := write(path, content)
	if err != nil {
		return err
	}
	defer temporary.remove()
	if o.ChangeGroup {
		if err := temporary.Chown(-1, o.Group); err != nil {
			return err
		}
	}
	if err := temporary.Chmod(o.Mode); err != nil {
		return err
	}
	if err := temporary.finish(); err != nil {
		return err
	}
	// Unlike a rename, a link never takes the place of a file that another program made
	// in the meantime.
	err = os.Link(temporary.Name(), path)
	if errors.Is(err, fs.ErrExist) || errors.Is(err, fs.ErrNotExist) {
		return errMoved
	}
	if err != nil { // a file system without hard links
		if _, there := os.Lstat(path); !errors.Is(there, fs.ErrNotExist) {
			return errMoved
		}
		if err := rename(temporary.Name(), path); err != nil {
			return err
		}
	}
	step("linked")
	return syncDirectory(path)
}

// temporary is the file that is to take the place of another.
type temporary struct{ *os.File }

// write puts content into a new file next to another.
func write(target string, content []byte) (temporary, error) {
	file, err := os.CreateTemp(filepath.Dir(target), "."+filepath.Base(target)+infix+"*")
	if err != nil {
		return temporary{}, cannotCreate(filepath.Dir(target), err)
	}
	t := temporary{file}
	step("created")
	half := len(content) / 2
	for _, part := range [][]byte{content[:half], content[half:]} {
		if _, err := file.Write(part); err != nil {
			t.remove()
			return temporary{}, fmt.Errorf("writing a new version of it: %w", reason(err))
		}
		step("written")
	}
	return t, nil
}

// finish has all of it on disk.
func (t temporary) finish() error {
	step("adopted")
	if err := t.Sync(); err != nil {
		return fmt.Errorf("writing a new version of it: %w", reason(err))
	}
	step("synced")
	if err := t.Close(); err != nil {
		return fmt.Errorf("writing a new version of it: %w", reason(err))
	}
	return nil
}

// remove leaves nothing behind. After a rename there is nothing to remove.
func (t temporary) remove() {
	_ = t.Close()
	_ = os.Remove(t.Name())
}

// tidy removes what killed writers left. The caller has the lock, so it is the only
// writer.
func tidy(target string) {
	entries, err := os.ReadDir(filepath.Dir(target))
	if err != nil {
		return
	}
	left := "." + filepath.Base(target) + infix
	for _, entry := range entries {
		if name := entry.Name(); len(name) > len(left) && name[:len(left)] == left {
			_ = os.Remove(filepath.Join(filepath.Dir(target), name))
		}
	}
}

// reason is an error without the path of a temporary file, which says nothing to anyone.
func reason(err error) error {
	var of *fs.PathError
	if errors.As(err, &of) {
		return of.Err
	}
	return err
}

func cannotCreate(directory string, err error) error {
	err = reason(err)
	if errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("no new version of it can be written to the directory %s: %w: run the command as the user that may, such as with sudo", directory, err)
	}
	return fmt.Errorf("no new version of it can be written to the directory %s: %w", directory, err)
}
