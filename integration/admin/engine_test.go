package admin

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddygrant/caddy-grant/internal/adminapi"
)

// An operator lists and revokes sessions that live in an engine as those in the storage,
// also while both have some.
func TestSessionsInAnEngineAreListedAndRevokedLikeOthers(t *testing.T) {
	t.Parallel()
	storage := filepath.Join(t.TempDir(), "storage")
	n := startNode(t, storage, "", "")
	stored := n.login("alice", "web")
	n.wantGoing(stored)
	n.process.Stop()
	n = startNode(t, storage, "sessions memory x {\nalso storage\n}", "")
	n.wantGoing(stored)
	one, two, unused := n.login("alice", "web"), n.login("alice", "mobile"), n.login("alice", "web")
	n.wantGoing(one)
	n.wantGoing(one)
	n.wantGoing(two)

	listed := func() map[string]adminapi.Session {
		t.Helper()
		all := make(map[string]adminapi.Session)
		for _, s := range grantJSON[adminapi.Sessions](n, "sessions", "alice").Sessions {
			all[s.ID] = s
		}
		return all
	}
	all := listed()
	for _, want := range []*session{stored, one, two} {
		if got, found := all[want.id]; !found || got.Client != want.client || got.Revoked {
			t.Errorf("%s is listed as %+v", want.name, got)
		}
	}
	if _, found := all[unused.id]; found || len(all) != 3 {
		t.Errorf("listed: %v", all)
	}
	if !strings.Contains(one.id, "-memory-") || strings.Contains(stored.id, "memory") {
		t.Errorf("sid %s and %s", one.id, stored.id)
	}

	n.grant(0, "revoke", "--session", one.id)
	n.wantOver(one)
	n.wantGoing(two)
	n.wantGoing(stored)
	if all = listed(); !all[one.id].Revoked || all[two.id].Revoked || all[stored.id].Revoked {
		t.Errorf("listed: %v", all)
	}
	n.grant(0, "revoke", "--session", unused.id) // before its first refresh
	n.wantOver(unused)

	other, browser := n.login("bob", "web"), n.browser("alice")
	n.grant(0, "revoke", "--user", "alice")
	for _, s := range []*session{two, stored, browser} {
		n.wantOver(s)
	}
	n.wantGoing(other)
	n.grant(0, "revoke", "--client", "web")
	n.wantOver(other)
	last := n.login("bob", "mobile")
	n.grant(0, "revoke", "--all", "--yes")
	n.wantOver(last)
	n.wantGoing(n.login("bob", "mobile"))
}
