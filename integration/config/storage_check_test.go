package config

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
	"github.com/caddygrant/caddy-grant/internal/storagecheck"
)

// Soon after the start the log says that files do what sessions need, once in a process
// and whatever is reloaded, and nothing is left of the try.
func TestTheStorageIsCheckedOnceAndNothingIsLeftOfIt(t *testing.T) {
	before := storagecheck.StartDelay
	storagecheck.StartDelay = 100 * time.Millisecond
	t.Cleanup(func() { storagecheck.StartDelay = before })
	s := harness.Start(t, harness.WebSite("user alice "+harness.CheapHash(t, "password")))
	told := func() []map[string]any {
		return s.Logged(func(line map[string]any) bool { return strings.HasPrefix(fmt.Sprint(line["msg"]), "the storage does") })
	}
	s.Reload("", harness.WebSite("user alice "+harness.CheapHash(t, "password")+"\n\t\trefresh_grace 10s"))
	harness.Eventually(t, "the log says what the storage does", func() bool { return len(told()) > 0 })
	s.Reload("", harness.WebSite("user alice "+harness.CheapHash(t, "password")))
	lines := told()
	if len(lines) != 1 || lines[0]["level"] != "info" || lines[0]["storage"] != "*certmagic.FileStorage" {
		t.Errorf("the log has %v", lines)
	}
	left, err := filepath.Glob(filepath.Join(s.Dir, "storage", "grant-check*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	if _, err := os.Stat(filepath.Join(s.Dir, "storage", "grant")); err != nil {
		t.Error(err)
	}
}

// A config that ends before or during the check leaves nothing behind either.
func TestAConfigThatEndsSoonLeavesNothingOfTheCheck(t *testing.T) {
	s := harness.Start(t, harness.WebSite("user alice "+harness.CheapHash(t, "password")))
	s.Login("alice", "password").Want(t, 200, "")
	s.Reload("", "http://127.0.0.1:%PORT% {\n\trespond ok\n}\n")
	if left, _ := filepath.Glob(filepath.Join(s.Dir, "storage", "grant-check*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}
