//go:build unix

package fileedit

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
)

// adopt takes on the owner, the group, the extended attributes and the mode of a file.
func (t temporary) adopt(target string, before fs.FileInfo) error {
	own, err := t.Stat()
	if err != nil {
		return err
	}
	old, ok := before.Sys().(*syscall.Stat_t)
	mine, too := own.Sys().(*syscall.Stat_t)
	if ok && too && (old.Uid != mine.Uid || old.Gid != mine.Gid) {
		if err := t.Chown(int(old.Uid), int(old.Gid)); err != nil {
			return fmt.Errorf("a new version of it would not belong to %s as it does now: %w: run the command as that user, or as root",
				ownerOf(old), reason(err))
		}
	}
	if err := copyAttributes(target, t.File); err != nil {
		return err
	}
	return t.Chmod(before.Mode().Perm() | before.Mode()&(fs.ModeSetuid|fs.ModeSetgid|fs.ModeSticky))
}

func ownerOf(stat *syscall.Stat_t) string {
	owner, group := strconv.Itoa(int(stat.Uid)), strconv.Itoa(int(stat.Gid))
	if u, err := user.LookupId(owner); err == nil {
		owner = u.Username
	}
	if g, err := user.LookupGroupId(group); err == nil {
		group = g.Name
	}
	return owner + ":" + group
}

func rename(from, to string) error { return os.Rename(from, to) }

// unreplaceable explains why a file cannot be renamed over another.
func unreplaceable(err error) error {
	var link *os.LinkError
	if errors.As(err, &link) {
		err = link.Err
	}
	if errors.Is(err, syscall.EBUSY) {
		return errors.New("it is mounted by itself, as containers do with a single file, so no new version can take its place: " +
			"mount the directory that holds it instead, or run the command where the file comes from")
	}
	return fmt.Errorf("no new version can take its place: %w", err)
}

// syncDirectory has the name of a file on disk.
func syncDirectory(target string) error {
	directory, err := os.Open(filepath.Dir(target))
	if err != nil {
		return nil // it may be writable without being readable
	}
	defer directory.Close()
	if err := directory.Sync(); err != nil && !errors.Is(err, syscall.EINVAL) && !errors.Is(err, errors.ErrUnsupported) {
		return fmt.Errorf("it is changed, but that may not survive a power cut: %w", reason(err))
	}
	step("directory synced")
	return nil
}
