//go:build linux

package fileedit

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// A checkout does not need root, so the variable says that it is there; then it must be.
func TestMounts(t *testing.T) {
	if os.Getenv("CADDY_GRANT_MOUNTS") == "" {
		t.Skip("set CADDY_GRANT_MOUNTS where root may mount file systems")
	}
	mount := func(t *testing.T, source, target, kind string, flags uintptr, data string) {
		t.Helper()
		if err := unix.Mount(source, target, kind, flags, data); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := unix.Unmount(target, 0); err != nil {
				t.Error(err)
			}
		})
	}

	t.Run("a file system without space leaves the file alone", func(t *testing.T) {
		dir := t.TempDir()
		mount(t, "none", dir, "tmpfs", 0, "size=16k")
		path := filepath.Join(dir, "users")
		old := strings.Repeat("alice\n", 1700) // three of four pages
		put(t, path, old)
		wantError(t, appendLine(path, "bob\n"), path+": writing a new version of it: no space left on device")
		want(t, path, old)
		wantAlone(t, dir, "users")
	})
	t.Run("a file system that is read-only leaves the file alone", func(t *testing.T) {
		dir := t.TempDir()
		mount(t, "none", dir, "tmpfs", 0, "size=16k")
		path := filepath.Join(dir, "users")
		put(t, path, "alice\n")
		if err := unix.Mount("none", dir, "tmpfs", unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
			t.Fatal(err)
		}
		wantError(t, appendLine(path, "bob\n"), path+": ", "the directory "+dir+": read-only file system")
		want(t, path, "alice\n")
		wantAlone(t, dir, "users")
	})
	t.Run("a file that is mounted by itself is left alone", func(t *testing.T) {
		dir := t.TempDir()
		source, path := filepath.Join(dir, "source"), filepath.Join(dir, "users")
		put(t, source, "alice\n")
		put(t, path, "")
		mount(t, source, path, "", unix.MS_BIND, "")
		wantError(t, appendLine(path, "bob\n"), path+": it is mounted by itself", "mount the directory")
		want(t, path, "alice\n")
		want(t, source, "alice\n")
		wantAlone(t, dir, "source", "users")
	})
}
