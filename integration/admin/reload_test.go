package admin

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
	"github.com/caddygrant/caddy-grant/internal/adminapi"
)

// The command answers when the file was read, so the next login needs no wait.
func TestAUsersFileIsReloadedNow(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "users")
	write := func(content string) {
		t.Helper()
		if err := os.WriteFile(path+".new", []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(path+".new", path); err != nil {
			t.Fatal(err)
		}
	}
	carol, dave := "carol:"+harness.HashCheap+"\n", "dave:"+harness.HashCheapAnother+"\n"
	write(carol)
	a := startNode(t, t.TempDir(), "users htpasswd "+path, "")
	a.Login("carol", "correct horse").Want(t, 200, "")
	a.Login("dave", "correct horse").Want(t, 400, "invalid_grant")

	write(carol + dave)
	files := grantJSON[[]adminapi.File](a, "reload")
	if len(files) != 1 || files[0].Path != path || files[0].Reads != "users" || files[0].Entries != 2 || files[0].Error != "" {
		t.Errorf("after a user was added: %+v", files)
	}
	a.Login("dave", "correct horse").Want(t, 200, "")

	write(carol + "dave without a hash\n")
	out, errs := a.grant(1, "reload")
	if !strings.Contains(out, path+" was changed and is not active: ") || !strings.Contains(errs, "their previous versions stay active") {
		t.Errorf("it prints\n%s%s", out, errs)
	}
	a.Login("dave", "correct horse").Want(t, 200, "")
	if got := grantJSON[adminapi.Status](a, "status", "--server", "default").Files; len(got) != 1 || got[0].Entries != 2 || !strings.Contains(got[0].Error, "2") {
		t.Errorf("the status has %+v", got)
	}

	write(carol)
	a.grant(0, "reload")
	a.Login("dave", "correct horse").Want(t, 400, "invalid_grant")
	lines := a.audited("files reloaded by operator")
	if len(lines) != 3 {
		t.Fatalf("audit lines: %v", lines)
	}
	if failed, _ := lines[1]["failed"].([]any); len(failed) != 1 || failed[0] != path {
		t.Errorf("the audit line of the broken file is %v", lines[1])
	}
}
