package admin

import (
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
)

// An operator who revokes the sessions of a user, or of a client, ends those of the
// other kind only if they are its own: a name says nothing of the kind.
func TestRevokingAUserOrAClientDoesNotEndTheOtherOfThatName(t *testing.T) {
	t.Parallel()
	a, b := startNodes(t, `
		client backup {
			secret backup-secret
			grants client_credentials
		}
		client alice {
			secret alice-secret
		}`)
	backup := a.As("backup")
	own := func() string {
		answer := a.Post("/token", backup.Form("grant_type", "client_credentials"))
		answer.Want(t, 200, "")
		return answer.Text(t, "access_token")
	}
	active := func(n *node, raw string) bool {
		answer := n.As("backup").Introspect(raw)
		answer.Want(t, 200, "")
		return answer.JSON["active"] == true
	}
	raw, alice := own(), a.login("alice", "web")

	a.grant(0, "revoke", "--subject", "backup") // of a user who was there once
	for _, n := range []*node{a, b} {
		if !active(n, raw) {
			t.Fatal("a notice about the subject ends the token of the client")
		}
	}
	a.grant(0, "revoke", "--client", "alice")
	a.wantGoing(alice)
	b.wantGoing(alice)

	a.grant(0, "revoke", "--client", "backup")
	if active(a, raw) {
		t.Fatal("the token of the client goes on")
	}
	harness.Eventually(t, "it is over at the other node", func() bool { return !active(b, raw) })
	next := own()
	if !active(a, next) {
		t.Fatal("a token from after the notice is not active")
	}
	a.grant(0, "revoke", "--session", harness.TextClaim(t, next, "sid"))
	if active(a, next) {
		t.Error("its session goes on")
	}
	last := own()
	a.grant(0, "revoke", "--all", "--yes")
	if active(a, last) {
		t.Error("it outlives all sessions of the server")
	}
}
