package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Some seconds after the start the log says that files do what sessions need, once in a process and whatever is reloaded,
// and nothing is left of the try.
func TestTheStorageIsCheckedOnceAndNothingIsLeftOfIt(t *testing.T) {
	s := start(t, webSite("user alice "+cheapHash(t, "password")))
	told := func() []map[string]any {
		return s.logged(func(line map[string]any) bool { return strings.HasPrefix(fmt.Sprint(line["msg"]), "the storage does") })
	}
	s.reload("", webSite("user alice "+cheapHash(t, "password")+"\n\t\trefresh_grace 10s"))
	eventually(t, "the log says what the storage does", func() bool { return len(told()) > 0 })
	s.reload("", webSite("user alice "+cheapHash(t, "password")))
	lines := told()
	if len(lines) != 1 || lines[0]["level"] != "info" || lines[0]["storage"] != "*certmagic.FileStorage" {
		t.Errorf("the log has %v", lines)
	}
	left, err := filepath.Glob(filepath.Join(s.dir, "storage", "grant-check*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	if _, err := os.Stat(filepath.Join(s.dir, "storage", "grant")); err != nil {
		t.Error(err)
	}
}

// A config that ends before or during the check leaves nothing behind either.
func TestAConfigThatEndsSoonLeavesNothingOfTheCheck(t *testing.T) {
	s := start(t, webSite("user alice "+cheapHash(t, "password")))
	s.login("alice", "password").want(t, 200, "")
	s.reload("", "http://127.0.0.1:%PORT% {\n\trespond ok\n}\n")
	if left, _ := filepath.Glob(filepath.Join(s.dir, "storage", "grant-check*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}
