package admin

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
	"github.com/caddygrant/caddy-grant/internal/adminapi"
)

func init() { caddy.RegisterModule(harness.SpareSessions{}) }

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

// Sessions that can be read are listed, whatever engine is down or unknown to the node,
// and the operator learns of the others.
func TestSessionsAreListedWhileAnEngineIsDownOrUnknown(t *testing.T) {
	t.Parallel()
	storage, down := filepath.Join(t.TempDir(), "storage"), filepath.Join(t.TempDir(), "down")
	n := startNode(t, storage, "sessions memory x "+down+" {\nalso spare y\n}", "")
	kept := n.login("alice", "web")
	n.wantGoing(kept)
	n.process.Stop()
	n = startNode(t, storage, "sessions spare y {\nalso storage\nalso memory x "+down+"\n}", "")
	spare := n.login("alice", "mobile")
	n.wantGoing(spare)
	if err := os.WriteFile(down, nil, 0o600); err != nil {
		t.Fatal(err)
	}

	want := func(why string) {
		t.Helper()
		out, errs := n.grant(2, "sessions", "alice", "--json")
		var list adminapi.Sessions
		if err := json.Unmarshal([]byte(out), &list); err != nil {
			t.Fatalf("%v in %s", err, out)
		}
		if len(list.Sessions) != 1 || list.Sessions[0].ID != spare.id {
			t.Errorf("listed: %+v", list.Sessions)
		}
		if len(list.Unread) != 1 || list.Unread[0].ID != kept.id || list.Unread[0].Client != "web" || list.Unread[0].Engine != "memory" || !strings.Contains(list.Unread[0].Error, why) {
			t.Errorf("not read: %+v", list.Unread)
		}
		if !strings.Contains(errs, "1 of 2 sessions could not be read\nmemory: ") || !strings.Contains(errs, why) {
			t.Errorf("stderr: %s", errs)
		}
		if out, _ := n.grant(2, "sessions", "alice"); !strings.Contains(out, spare.id+" ") || !strings.Contains(out, kept.id+" ") || !strings.Contains(out, "unknown: in memory") {
			t.Errorf("printed: %s", out)
		}
	}
	want("in the engine memory")
	harness.Eventually(t, "the status says which engine is down", func() bool {
		out, _ := n.grant(0, "status")
		return strings.Contains(out, "engine           memory, fails since ") &&
			strings.Contains(out, "engine           spare, where sessions begin, answers\n") && strings.Contains(out, "engine           storage, answers\n")
	})
	for _, status := range grantJSON[[]adminapi.Status](n, "status") {
		if engines := status.Sessions.Engines; len(engines) != 3 || engines[0] != (adminapi.Engine{Name: "spare"}) || engines[1].Name != "memory" ||
			engines[1].Error == "" || engines[1].FailingSince == nil || status.Sessions.Error != engines[1].Error {
			t.Errorf("status: %+v", status.Sessions)
		}
	}
	if err := os.Remove(down); err != nil {
		t.Fatal(err)
	}
	harness.Eventually(t, "it answers again", func() bool {
		out, _ := n.grant(0, "status")
		return strings.Contains(out, "engine           memory, answers\n")
	})

	n.process.Stop()
	n = startNode(t, storage, "sessions storage {\nalso spare y\n}", "")
	spare = n.login("alice", "mobile") // in the storage: the engines in memory are empty now
	n.wantGoing(spare)
	want(`add "also memory"`)
	for _, token := range []string{kept.access, kept.refresh} {
		x, err := n.client(t).Server("default").Explain(t.Context(), adminapi.ExplainRequest{Token: token})
		if err != nil {
			t.Fatal(err)
		}
		if last := x.Checks[len(x.Checks)-1]; x.Active || last.Check != "session" || !strings.Contains(last.Remedy, "add that engine") {
			t.Errorf("it is explained: %+v", last)
		}
	}
}
