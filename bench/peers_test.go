package main

import (
	"encoding/base64"
	"encoding/json"
	"net/url"
	"os"
	"strings"
	"testing"
)

// TestPeers asks each peer what bench asks, so that what is compared does the same.
func TestPeers(t *testing.T) {
	if os.Getenv("CADDY_GRANT_PEERS") == "" {
		t.Skip("it downloads and builds other libraries; set CADDY_GRANT_PEERS=1 to do so")
	}
	b := &bench{dir: t.TempDir(), cores: cores{server: anyCore}}
	peers, err := b.peers(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range peers {
		t.Run(p.name, func(t *testing.T) {
			running, err := p.start(t.Context(), b)
			if err != nil {
				t.Fatal(err)
			}
			defer running.stop()
			c := newClient()
			ask := func(form url.Values) answer {
				a, err := c.post(t.Context(), running.url("/token"), form, nil)
				if err != nil {
					t.Fatal(err)
				}
				return a
			}
			for range 2 {
				tokens := testTokens(t, ask(login("user0", thePassword)), p.alg)
				testTokens(t, ask(refreshing(tokens.Refresh)), p.alg)
				if p.fixed {
					continue
				}
				for what, form := range map[string]url.Values{
					"a token that was used": refreshing(tokens.Refresh),
					"a wrong password":      login("user0", "wrong"),
					"an unknown user":       login("nobody", thePassword),
				} {
					if a := ask(form); a.status < 400 || a.status > 499 {
						t.Errorf("%s: status %d: %s", what, a.status, a.body)
					}
				}
			}
		})
	}
}

// testTokens takes the tokens of an answer, the access token of which is a JWT if there is an algorithm.
func testTokens(t *testing.T, a answer, alg string) tokens {
	t.Helper()
	got, err := a.tokens()
	if err != nil {
		t.Fatal(err)
	}
	if got.Access == "" || got.Refresh == "" {
		t.Fatalf("a token is missing: %s", a.body)
	}
	if alg == "" {
		return got
	}
	var header struct{ Alg string }
	first, _, _ := strings.Cut(got.Access, ".")
	content, err := base64.RawURLEncoding.DecodeString(first)
	if err == nil {
		err = json.Unmarshal(content, &header)
	}
	if err != nil || header.Alg != alg {
		t.Fatalf("expected a JWT signed with %s, got %s (%v)", alg, got.Access, err)
	}
	return got
}
