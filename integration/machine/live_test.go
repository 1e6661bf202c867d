package machine

import (
	"strings"
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
)

// What is changed in a file ends tokens that are out, at the edge and for introspection,
// without a reload.

// clientFile is a file of clients.
func clientFile(lines ...string) string {
	return `{"clients":[` + strings.Join(lines, ",") + `]}`
}

// filed is one of them. The same secret has the same hash.
func filed(t *testing.T, id, secret, more string) string {
	t.Helper()
	if hashes[secret] == "" {
		hashes[secret] = harness.CheapHash(t, secret)
	}
	return `{"id":"` + id + `","secret_hash":"` + hashes[secret] + `"` + more + `}`
}

var hashes = make(map[string]string)

const listed = `,"scopes":["read","write"],"grants":["client_credentials"]`

func TestWhatEndsTheTokenOfAClientAtOnce(t *testing.T) {
	s := harness.NewSite(t)
	keeper := filed(t, "keeper", "keeper-secret", listed)
	good := filed(t, "filed", "filed-secret", listed)
	s.Write("clients.json", clientFile(keeper, good))
	s.Reload("", harness.WithCheapHashes(t, with("clients json %DIR%/clients.json")))
	for _, test := range []struct {
		name, changed, reason string
	}{
		{"another secret", filed(t, "filed", "filed-secret-2", listed), "its client has another secret now"},
		{"the client is gone", filed(t, "another", "x", ""), "its client is gone"},
		{"the client no longer lists the grant", filed(t, "filed", "filed-secret", `,"grants":["password"]`), "its client may no longer act for itself"},
		{"the client has no list", filed(t, "filed", "filed-secret", ""), "its client may no longer act for itself"},
		{"the client is public now", `{"id":"filed","public":true,"grants":["password"]}`, "its client may no longer act for itself"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := s.For(t)
			client, other := s.As("filed"), s.As("keeper")
			raw, kept := token(t, client), token(t, other)
			wantPasses(t, s, raw) // it is remembered
			s.Write("clients.json", clientFile(keeper, test.changed))
			eventuallyReason(t, s, raw, test.reason)
			if a := s.As("monitor").Introspect(raw); a.Status != 200 || a.JSON["active"] != false {
				t.Errorf("introspection says %s", a.Body)
			}
			wantPasses(t, s, kept)

			s.Write("clients.json", clientFile(keeper, good))
			harness.Eventually(t, "the client is as it was", func() bool { return s.Edge(raw) == 200 })
		})
	}
}

func TestScopesThatAreTakenFromAClientLeaveItsToken(t *testing.T) {
	s := harness.NewSite(t)
	s.Write("clients.json", clientFile(filed(t, "filed", "filed-secret", listed)))
	s.Reload("", harness.WithCheapHashes(t, with("clients json %DIR%/clients.json")))
	client := s.As("filed")
	raw := token(t, client, "scope", "read write")
	if scope := client.Introspect(raw).JSON["scope"]; scope != "read write" {
		t.Fatalf("the scope is %v", scope)
	}
	s.Write("clients.json", clientFile(filed(t, "filed", "filed-secret", strings.Replace(listed, `,"write"`, "", 1))))
	harness.Eventually(t, "the scope is gone", func() bool { return client.Introspect(raw).JSON["scope"] == "read" })
}

// A client that comes into a file is enough for the server to offer the grant, and when
// the last one goes, it is not offered.
func TestAClientInAFileBringsTheGrant(t *testing.T) {
	s := harness.NewSite(t)
	none := clientFile(filed(t, "filed", "filed-secret", ""))
	s.Write("clients.json", none)
	s.Reload("", harness.WithCheapHashes(t, harness.WebSite("user alice "+harness.HashBcrypt+"\nclients json %DIR%/clients.json")))
	itself(s.As("filed")).Want(t, 400, "unsupported_grant_type")
	s.Write("clients.json", clientFile(filed(t, "filed", "filed-secret", listed)))
	harness.Eventually(t, "the grant is offered", func() bool { return itself(s.As("filed")).Status == 200 })
	s.Write("clients.json", none)
	harness.Eventually(t, "it is not", func() bool { return itself(s.As("filed")).JSON["error"] == "unsupported_grant_type" })
}

// A reload whose grants lack it takes the grant away, also from tokens that are out and
// remembered.
func TestAServerThatNoLongerOffersTheGrantTakesNoSuchToken(t *testing.T) {
	s := start(t, "")
	raw := token(t, s.As("backup"))
	wantPasses(t, s, raw)
	s.Reload("", harness.WithCheapHashes(t, with("grants password refresh_token")))
	wantReason(t, s, raw, "its client may no longer act for itself")
	if isActive(t, s.As("backup"), raw) {
		t.Error("introspection says that it is active")
	}
}
