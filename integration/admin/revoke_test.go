package admin

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
	"github.com/caddygrant/caddy-grant/internal/adminapi"
)

// An operator revokes at one node. That node refuses the sessions at once, the other one
// within its poll, and all others go on.
func TestSessionsThatAnOperatorRevokesAreOverOnBothNodes(t *testing.T) {
	t.Parallel()
	a, b := startNodes(t, "")
	for _, test := range []struct {
		name string
		args func(all map[string]*session) []string
		over []string
	}{
		{"one session", func(all map[string]*session) []string { return []string{"--session", all["alice with web"].id} }, []string{"alice with web"}},
		{"a user", func(map[string]*session) []string { return []string{"--user", "alice"} }, []string{"alice with web", "alice with mobile", "alice in a browser"}},
		{"a subject", func(map[string]*session) []string { return []string{"--subject", "u-2"} }, []string{"bob with web", "bob in a browser"}},
		{"a client", func(map[string]*session) []string { return []string{"--client", "web"} }, []string{"alice with web", "bob with web"}},
		{"the login page", func(map[string]*session) []string { return []string{"--client", "login_page"} }, []string{"alice in a browser", "bob in a browser"}},
		{"a server", func(map[string]*session) []string { return []string{"--all", "--yes"} }, []string{"alice with web", "alice with mobile", "alice in a browser", "bob with web", "bob in a browser"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			a, b := a.in(t), b.in(t)
			all := make(map[string]*session)
			for _, s := range []*session{a.login("alice", "web"), b.login("alice", "mobile"), b.login("bob", "web"), a.browser("alice"), b.browser("bob")} {
				all[s.name] = s
				a.wantGoing(s) // both nodes have seen it, so they remember what they found
				b.wantGoing(s)
			}

			out, _ := a.grant(0, append([]string{"revoke"}, test.args(all)...)...)
			if !regexp.MustCompile(`^Revoked .*\. Other nodes learn of it within \d+m?s\.( Logins there until then are revoked too: log in again after that\.)?\n$`).MatchString(out) {
				t.Errorf("it prints %q", out)
			}
			for _, name := range test.over {
				a.wantOver(all[name])
				// the edge learns by itself: it is not asked for anything else before
				harness.Eventually(t, name+" is over at the other node", func() bool { return !b.passes(all[name]) })
				b.wantOver(all[name])
			}
			for name, s := range all {
				if !slices.Contains(test.over, name) {
					b.wantGoing(s)
					a.wantGoing(s)
				}
			}

			again := []*session{a.login("alice", "web"), a.login("bob", "web"), a.browser("alice"), a.browser("bob")}
			for _, n := range []*node{a, b} {
				for _, s := range again {
					n.wantGoing(s)
				}
			}
		})
	}
}

// A refresh asks the storage, so it needs no poll.
func TestARefreshAtTheOtherNodeIsRefusedAtOnce(t *testing.T) {
	t.Parallel()
	a, b := startNodes(t, "revocation_poll 5m")
	for _, args := range [][]string{{"--user", "alice"}, {"--client", "web"}, {"--all", "--yes"}} {
		s := b.login("alice", "web")
		b.wantGoing(s)
		a.grant(0, append([]string{"revoke"}, args...)...)
		b.As("web").Refresh(s.refresh).Want(t, 400, "invalid_grant")
	}
}

// What was revoked stays so when all nodes start anew.
func TestARevocationOutlivesARestart(t *testing.T) {
	t.Parallel()
	a, b := startNodes(t, "")
	s, page := b.login("alice", "web"), b.browser("alice")
	a.wantGoing(s)
	a.grant(0, "revoke", "--user", "alice")
	a.process.Stop()
	b.process.Kill()
	b.process = harness.StartQuickProcess(t, b.Path("node.caddyfile"))
	b.Client.CloseIdleConnections()
	harness.Eventually(t, "the sessions are over", func() bool { return !b.passes(s) && !b.passes(page) })
	b.wantOver(s)
	if got := grantJSON[[]adminapi.Status](b, "status"); len(got) != 1 || len(got[0].Ended) != 1 || got[0].Ended[0].Scope != "user" {
		t.Errorf("the status has %+v", got)
	}
}

func TestWhatCannotBeRevoked(t *testing.T) {
	t.Parallel()
	a := startNode(t, t.TempDir(), "", "")
	for _, test := range []struct {
		args []string
		says string
	}{
		{[]string{"--user", "nobody"}, "(?i)user"},
		{[]string{"--client", "nothing"}, "(?i)client"},
		{[]string{"--session", "20270131-00ff"}, "(?i)session"},
		{[]string{"--user", "alice", "--server", "defualt"}, "did you mean default"},
		{[]string{"--all"}, "--yes"},
	} {
		if _, errs := a.grant(1, append([]string{"revoke"}, test.args...)...); !regexp.MustCompile("^Error: .*" + test.says).MatchString(errs) {
			t.Errorf("%v: %s", test.args, errs)
		}
	}
	if lines := a.audited("sessions revoked by operator"); len(lines) > 0 {
		t.Errorf("it was logged as done: %v", lines)
	}
}

func TestSessionsAreListedOnceTheyWereRefreshed(t *testing.T) {
	t.Parallel()
	a, b := startNodes(t, "")
	a.login("alice", "web") // which is never refreshed
	refreshed := a.login("alice", "mobile")
	b.wantGoing(refreshed)
	b.wantGoing(a.login("bob", "web"))
	harness.Eventually(t, "the session is listed", func() bool { // a refresh does not wait for that
		return len(grantJSON[adminapi.Sessions](b, "sessions", "alice").Sessions) > 0
	})
	for _, n := range []*node{a, b} {
		for _, args := range [][]string{{"sessions", "alice"}, {"sessions", "--subject", "alice"}} {
			got := grantJSON[adminapi.Sessions](n, args...)
			if len(got.Sessions) != 1 || got.Sessions[0].ID != refreshed.id || got.Sessions[0].Client != "mobile" || got.Sessions[0].Revoked || got.Note == "" {
				t.Errorf("%v: %+v", args, got)
			}
		}
	}
	again := a.login("alice", "mobile")
	b.wantGoing(again)
	a.grant(0, "revoke", "--user", "alice")
	got := grantJSON[adminapi.Sessions](b, "sessions", "alice") // which has not polled, perhaps
	if len(got.Sessions) != 2 || !got.Sessions[0].Ended || !got.Sessions[1].Ended || !got.Sessions[0].Revoked {
		t.Errorf("after all were revoked: %+v", got)
	}
	if text, _ := b.grant(0, "sessions", "alice"); strings.Count(text, "revoked with others") != 2 {
		t.Error(text)
	}
	never := a.login("alice", "web")
	a.grant(0, "revoke", "--session", refreshed.id)
	if got := grantJSON[adminapi.Sessions](b, "sessions", "alice"); len(got.Sessions) != 2 || !slices.ContainsFunc(got.Sessions, func(s adminapi.Session) bool {
		return s.ID == refreshed.id && s.Revoked && s.RefreshedAt.IsZero()
	}) {
		t.Errorf("after it was revoked: %+v", got)
	}
	a.wantGoing(never)
	if _, errs := a.grant(1, "sessions", "nobody"); !regexp.MustCompile("(?i)user").MatchString(errs) {
		t.Error(errs)
	}
}

// The list says of each session whether it goes on, however it was ended.
func TestTheListOfSessionsSaysWhichWereRevokedWithOthers(t *testing.T) {
	t.Parallel()
	a, b := startNodes(t, "")
	refreshed := func(n *node, username, client string) string {
		s := n.login(username, client)
		s.with(t, n.As(client).Refreshed(t, s.refresh))
		return s.id
	}
	wantRevoked := func(n *node, username string, want map[string]bool) {
		t.Helper()
		got := make(map[string]bool)
		for _, s := range grantJSON[adminapi.Sessions](n, "sessions", username).Sessions {
			got[s.ID] = s.Revoked
		}
		if !maps.Equal(got, want) {
			t.Errorf("%s: %v, want %v", username, got, want)
		}
	}
	alice := map[string]bool{refreshed(a, "alice", "web"): false, refreshed(b, "alice", "mobile"): false}
	bob, bobMobile := refreshed(b, "bob", "web"), refreshed(a, "bob", "mobile")
	wantRevoked(b, "alice", alice)
	a.grant(0, "revoke", "--user", "alice")
	for id := range alice {
		alice[id] = true
	}
	wantRevoked(b, "alice", alice)
	alice[refreshed(a, "alice", "web")] = false
	wantRevoked(a, "alice", alice)
	b.grant(0, "revoke", "--client", "web")
	wantRevoked(a, "bob", map[string]bool{bob: true, bobMobile: false})
	b.grant(0, "revoke", "--all", "--yes")
	wantRevoked(a, "bob", map[string]bool{bob: true, bobMobile: true})
}
