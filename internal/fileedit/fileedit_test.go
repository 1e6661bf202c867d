//go:build linux

package fileedit

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestAnEditReplacesTheFileAndKeepsItsMode(t *testing.T) {
	for _, mode := range []fs.FileMode{0o600, 0o640, 0o644, 0o660, 0o604, 0o400} {
		path := filepath.Join(t.TempDir(), "users")
		put(t, path, "alice\n")
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		before, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := appendLine(path, "bob\n"); err != nil {
			t.Fatal(err)
		}
		want(t, path, "alice\nbob\n")
		wantAlone(t, filepath.Dir(path), "users")
		after, err := os.Stat(path)
		if err != nil || after.Mode() != mode {
			t.Errorf("its mode was %v, and is %v (%v)", mode, after.Mode(), err)
		}
		if os.SameFile(before, after) {
			t.Error("the file was written in place")
		}
	}
}

func TestAnEditThatChangesNothingWritesNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "users")
	put(t, path, "alice\n")
	before, _ := os.Stat(path)
	if err := Edit(path, func(old []byte) ([]byte, error) { return bytes.Clone(old), nil }); err != nil {
		t.Fatal(err)
	}
	if after, err := os.Stat(path); err != nil || !os.SameFile(before, after) || !after.ModTime().Equal(before.ModTime()) {
		t.Errorf("it is another file (%v)", err)
	}
}

func TestAnErrorOfTheChangeLeavesTheFileAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "users")
	put(t, path, "alice\n")
	no := errors.New("no such user")
	err := Edit(path, func([]byte) ([]byte, error) { return []byte("x"), no })
	if !errors.Is(err, no) {
		t.Errorf("got %v", err)
	}
	wantError(t, err, path+": no such user")
	want(t, path, "alice\n")
	wantAlone(t, filepath.Dir(path), "users")
}

func TestLinksStayAndTheirTargetIsReplaced(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "data"), 0o700); err != nil {
		t.Fatal(err)
	}
	target := filepath.Join(dir, "data", "users")
	put(t, target, "alice\n")
	for link, to := range map[string]string{"link": "data/users", "again": "link"} {
		if err := os.Symlink(to, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	if err := appendLine(filepath.Join(dir, "again"), "bob\n"); err != nil {
		t.Fatal(err)
	}
	want(t, target, "alice\nbob\n")
	wantAlone(t, dir, "again", "data", "link")
	wantAlone(t, filepath.Dir(target), "users")
	for link, to := range map[string]string{"link": "data/users", "again": "link"} {
		if got, err := os.Readlink(filepath.Join(dir, link)); got != to {
			t.Errorf("%s leads to %q (%v)", link, got, err)
		}
	}
}

func TestWhatIsNotAFileIsRefused(t *testing.T) {
	dir := t.TempDir()
	pipe := filepath.Join(dir, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	dangling := filepath.Join(dir, "dangling")
	if err := os.Symlink("nowhere", dangling); err != nil {
		t.Fatal(err)
	}
	for path, text := range map[string]string{
		dir: "it is a directory", pipe: "not a regular file", dangling: "a link to a file that does not exist",
		filepath.Join(dir, "missing", "users"): "the directory " + filepath.Join(dir, "missing") + ": no such file",
	} {
		wantError(t, appendLine(path, "bob\n"), path+": ", text)
	}
	missing := filepath.Join(dir, "missing")
	err := Edit(missing, func([]byte) ([]byte, error) { t.Error("it is asked for a change"); return nil, nil })
	wantError(t, err, missing+": no such file")
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v is not fs.ErrNotExist", err)
	}
	wantAlone(t, dir, "dangling", "pipe")
}

func TestANewFileIsForItsOwner(t *testing.T) {
	for wants, options := range map[fs.FileMode]Options{0o600: {Create: true}, 0o640: {Create: true, Mode: 0o640, ChangeGroup: true, Group: os.Getgid()}} {
		path := filepath.Join(t.TempDir(), "users")
		if err := options.Edit(path, func(old []byte) ([]byte, error) {
			if old != nil {
				t.Errorf("there is %q already", old)
			}
			return []byte("alice\n"), nil
		}); err != nil {
			t.Fatal(err)
		}
		want(t, path, "alice\n")
		wantAlone(t, filepath.Dir(path), "users")
		if info, err := os.Stat(path); err != nil || info.Mode() != wants {
			t.Errorf("its mode is %v, want %v (%v)", info.Mode(), wants, err)
		}
	}
}

func TestAWriterThatKnowsNoLockLosesNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "users")
	put(t, path, "alice\n")
	var calls int
	err := Edit(path, func(old []byte) ([]byte, error) {
		if calls++; calls <= 3 { // an editor saves meanwhile
			put(t, path, string(old)+strings.Repeat("x", calls)+"\n")
		}
		return append(bytes.Clone(old), "bob\n"...), nil
	})
	if err != nil {
		t.Fatal(err)
	}
	want(t, path, "alice\nx\nxx\nxxx\nbob\n")
	wantAlone(t, filepath.Dir(path), "users")
}

func TestAFileThatIsWrittenAllTheTimeIsGivenUp(t *testing.T) {
	path := filepath.Join(t.TempDir(), "users")
	put(t, path, "alice\n")
	err := Options{Wait: 50 * time.Millisecond}.Edit(path, func(old []byte) ([]byte, error) {
		put(t, path, string(old)+"x\n")
		return append(bytes.Clone(old), "bob\n"...), nil
	})
	wantError(t, err, path+": another program keeps on writing it")
	wantAlone(t, filepath.Dir(path), "users")
}

func TestAWriterWaitsForAnotherAndSaysForWhom(t *testing.T) {
	path := filepath.Join(t.TempDir(), "users")
	put(t, path, "alice\n")
	other := writer(t, path, "bob\n", writerStop+"=1")
	stopped := start(t, other)
	if stopped != "at read" {
		t.Fatalf("the other writer says %q", stopped)
	}
	var holder string
	options := Options{Wait: 100 * time.Millisecond, Waiting: func(who string) { holder = who }}
	err := options.Edit(path, func([]byte) ([]byte, error) { t.Error("it does not wait"); return nil, nil })
	wantError(t, err, path+": ", holder+" has had it for 100ms")
	if runtime.GOOS == "linux" && !strings.Contains(holder, pid(other)) {
		t.Errorf("it waits for %q, and process %s has it", holder, pid(other))
	}
	want(t, path, "alice\n")

	// a killed writer leaves no lock
	kill(t, other)
	if err := appendLine(path, "carol\n"); err != nil {
		t.Fatal(err)
	}
	want(t, path, "alice\ncarol\n")
	wantAlone(t, filepath.Dir(path), "users")
}

// withoutPrivileges runs f in a thread that has no capabilities, so that the modes of
// files apply to root, too.
func withoutPrivileges(t *testing.T, f func()) {
	t.Helper()
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // the thread ends with the goroutine
		header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
		var none [2]unix.CapUserData
		err := unix.Capset(&header, &none[0])
		if err == nil {
			f()
		}
		done <- err
	}()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

func TestADirectoryThatCannotBeWrittenLeavesTheFileAlone(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "etc")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "users")
	put(t, path, "alice\n")
	if err := os.Chmod(dir, 0o500); err != nil {
		t.Fatal(err)
	}
	defer os.Chmod(dir, 0o700) //nolint:errcheck // for the removal
	withoutPrivileges(t, func() {
		wantError(t, appendLine(path, "bob\n"), path+": ", "the directory "+dir, "permission denied", "sudo")
		wantError(t, appendLine(filepath.Join(dir, "new"), "bob\n"), "the directory "+dir, "permission denied")
	})
	want(t, path, "alice\n")
	wantAlone(t, dir, "users")
}

func TestAFileThatCannotBeReadIsLeftAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "users")
	put(t, path, "alice\n")
	if err := os.Chmod(path, 0); err != nil {
		t.Fatal(err)
	}
	withoutPrivileges(t, func() {
		wantError(t, appendLine(path, "bob\n"), path+": permission denied")
	})
	want(t, path, "alice\n")
}

// What Edit may not do, such as to give a file to another user, leaves the file as it
// is. Without root a test cannot make such a file.
func TestTheOwnerAndTheGroupAreKeptOrTheFileIsLeftAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "users")
	put(t, path, "alice\n")
	uid, gid := os.Getuid(), os.Getgid()
	if uid == 0 {
		uid, gid = 65534, 65533
		if err := os.Chown(path, uid, gid); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, 0o644); err != nil {
			t.Fatal(err)
		}
		withoutPrivileges(t, func() {
			wantError(t, appendLine(path, "bob\n"), path+": ", "would not belong to ", "not permitted")
		})
		want(t, path, "alice\n")
		wantAlone(t, filepath.Dir(path), "users")
	}
	if err := appendLine(path, "bob\n"); err != nil {
		t.Fatal(err)
	}
	want(t, path, "alice\nbob\n")
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if stat := info.Sys().(*syscall.Stat_t); int(stat.Uid) != uid || int(stat.Gid) != gid {
		t.Errorf("it belongs to %d:%d, want %d:%d", stat.Uid, stat.Gid, uid, gid)
	}
}

func TestExtendedAttributesAreKept(t *testing.T) {
	path := filepath.Join(t.TempDir(), "users")
	put(t, path, "alice\n")
	if err := unix.Setxattr(path, "user.note", []byte("by ops"), 0); errors.Is(err, unix.ENOTSUP) {
		t.Log("this file system has no extended attributes of users")
		return
	} else if err != nil {
		t.Fatal(err)
	}
	if err := appendLine(path, "bob\n"); err != nil {
		t.Fatal(err)
	}
	if value, err := attribute(path, "user.note"); err != nil || string(value) != "by ops" {
		t.Errorf("the attribute is %q (%v)", value, err)
	}
}

// acl is a POSIX access control list as the kernel has it: the owner may read and
// write, user 65534 read, the group nothing, others nothing.
var acl = []byte{
	2, 0, 0, 0,
	1, 0, 6, 0, 255, 255, 255, 255,
	2, 0, 4, 0, 254, 255, 0, 0,
	4, 0, 0, 0, 255, 255, 255, 255,
	16, 0, 4, 0, 255, 255, 255, 255,
	32, 0, 0, 0, 255, 255, 255, 255,
}

func TestAccessControlListsAreKeptAndNotInherited(t *testing.T) {
	dir := t.TempDir()
	path, plain := filepath.Join(dir, "listed"), filepath.Join(dir, "plain")
	put(t, path, "alice\n")
	put(t, plain, "alice\n")
	if err := unix.Setxattr(path, accessList, acl, 0); errors.Is(err, unix.ENOTSUP) {
		t.Log("this file system has no access control lists")
		return
	} else if err != nil {
		t.Fatal(err)
	}
	if err := unix.Setxattr(dir, "system.posix_acl_default", acl, 0); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{path, plain} {
		before, _ := os.Stat(path)
		if err := appendLine(path, "bob\n"); err != nil {
			t.Fatal(err)
		}
		if after, err := os.Stat(path); err != nil || after.Mode() != before.Mode() {
			t.Errorf("the mode of %s is %v, was %v", path, after.Mode(), before.Mode())
		}
	}
	if value, err := attribute(path, accessList); err != nil || !bytes.Equal(value, acl) {
		t.Errorf("the list is %v (%v)", value, err)
	}
	if value, err := attribute(plain, accessList); !errors.Is(err, unix.ENODATA) {
		t.Errorf("a file without a list has %v (%v)", value, err)
	}
}

func TestAFileThatAppearsMeanwhileIsNotReplaced(t *testing.T) {
	path := filepath.Join(t.TempDir(), "users")
	err := Options{Create: true}.Edit(path, func(old []byte) ([]byte, error) {
		if old == nil {
			put(t, path, "alice\n")
		}
		return append(bytes.Clone(old), "bob\n"...), nil
	})
	if err != nil {
		t.Fatal(err)
	}
	want(t, path, "alice\nbob\n")
	wantAlone(t, filepath.Dir(path), "users")
}
