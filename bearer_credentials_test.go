package caddygrant

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/golang-jwt/jwt/v5"

	"github.com/caddygrant/caddy-grant/directory"
	"github.com/caddygrant/caddy-grant/internal/apikey"
	"github.com/caddygrant/caddy-grant/internal/bearer"
)

// An app that shares an HMAC secret with a server without an issuer can sign any iss. By
// which issuer the token is judged does not depend on what was checked before.
func TestATokenOfTheServerThatNamesAnOutsideIssuerIsJudgedByThatIssuer(t *testing.T) {
	const secret = "an HMAC secret that is shared with apps"
	site := newSpeedSiteOf(t, Config{
		Scopes:      []string{"contacts.read"},
		SigningKeys: []SigningKey{{Algorithm: "HS256", Secret: secret}},
		UsersRaw:    []json.RawMessage{module(InlineUsers{Users: []directory.User{{Username: "alice", PasswordHash: speedHash}}}, "inline")},
		ClientsRaw:  []json.RawMessage{module(InlineClients{Clients: []directory.Client{{ID: "web", Secret: "s3cret"}}}, "inline")},
	})
	outside := newSpeedIssuer(t)
	claims := make(jwt.MapClaims)
	made, _, err := jwt.NewParser().ParseUnverified(site.login(t).AccessToken, claims)
	if err != nil {
		t.Fatal(err)
	}
	claims["iss"] = outside.url
	raw, err := made.SignedString([]byte(secret))
	if err != nil {
		t.Fatal(err)
	}
	both := &speedCredential{"of the server, names the issuer", site.check(t, BearerAuth{Issuers: []OutsideIssuer{outside.settings()}}), []string{"Bearer " + raw}}
	genuine := &speedCredential{"of the issuer", both.check, []string{"Bearer " + outside.token(t, "", nil)}}
	genuine.await(t)
	for range 2 {
		if err := both.show(); err == nil || !strings.Contains(err.Error(), "algorithm") {
			t.Errorf("the issuer does not judge it: %v", err)
		}
		if err := (&speedCredential{"", site.bearer, both.authorization}).show(); err != nil { // which remembers it
			t.Fatal(err)
		}
	}
}

func TestWhatAKeyMayDoFollowsItsOwnerAndItsFile(t *testing.T) {
	key, dir := apikey.Make(), t.TempDir()
	users, keys := filepath.Join(dir, "users"), filepath.Join(dir, "keys")
	write := func(path, content string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	writeUser := func(more string) {
		write(users, `{"users":[{"username":"alice","password_hash":"`+speedHash+`"`+more+`}]}`)
	}
	writeKey := func(more string) {
		write(keys, "deploy "+apikey.DigestOf(key).Hash()+" user=alice "+more+"\n")
	}
	writeUser("")
	writeKey("scopes=contacts.read")
	site := newSpeedSiteOf(t, Config{
		Scopes:      []string{"contacts.read"},
		Audience:    []string{"contacts"},
		SigningKeys: []SigningKey{{Algorithm: "HS256"}},
		APIKeys:     []APIKeyFile{{Source: "lines", Path: keys}},
		UsersRaw:    []json.RawMessage{module(JSONUsers{Path: users}, "json")},
		ClientsRaw:  []json.RawMessage{module(InlineClients{Clients: []directory.Client{{ID: "web", Secret: "s3cret"}}}, "inline")},
	})
	shown := &speedCredential{"deploy", site.check(t, BearerAuth{
		Keys: new(AcceptedKeys), Scopes: []string{"contacts.read"}, Require: []RequiredClaim{{Claim: "group", Values: []string{"staff"}}},
	}), []string{"Bearer " + key}}
	after := func(change string, passes bool) {
		t.Helper()
		if _, err := site.endpoint.server.Reload(t.Context()); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if err := shown.show(); (err == nil) != passes {
				t.Errorf("%s: %v", change, err)
			}
		}
	}
	for _, test := range []struct {
		user   string
		passes bool
	}{
		{`,"claims":{"group":"staff"}`, true},
		{`,"claims":{"group":"guests"}`, false},
		{`,"claims":{"group":"staff"},"scopes":["contacts.read"]`, true},
		{`,"claims":{"group":"staff"},"scopes":["contacts.write"]`, false},
		{`,"claims":{"group":"staff"},"disabled":true`, false},
		{`,"claims":{"group":"staff"}`, true},
	} {
		writeUser(test.user)
		after("alice is "+test.user, test.passes)
	}
	for _, test := range []struct {
		key    string
		passes bool
	}{
		{"scopes=contacts.write", false},
		{"scopes=contacts.read", true},
		{"scopes=contacts.read audience=elsewhere", false},
		{"scopes=contacts.read", true},
		{"scopes=contacts.read expires=2020-01-01", false},
	} {
		writeKey(test.key)
		after("the key has "+test.key, test.passes)
	}
}

// A key that is verified for its own header says nothing of the same one in another.
func TestAKeyPassesInTheHeaderOfItsCheckOnly(t *testing.T) {
	good, keys := apikey.Make(), filepath.Join(t.TempDir(), "keys")
	if err := os.WriteFile(keys, []byte("deploy "+apikey.DigestOf(good).Hash()+" user=alice\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	site := newSpeedSiteOf(t, Config{
		SigningKeys: []SigningKey{{Algorithm: "HS256"}},
		APIKeys:     []APIKeyFile{{Source: "lines", Path: keys}},
		UsersRaw:    []json.RawMessage{module(InlineUsers{Users: []directory.User{{Username: "alice", PasswordHash: speedHash}}}, "inline")},
		ClientsRaw:  []json.RawMessage{module(InlineClients{Clients: []directory.Client{{ID: "web", Secret: "s3cret"}}}, "inline")},
	})
	outer := site.check(t, BearerAuth{Keys: &AcceptedKeys{Header: "X-Outer-Key"}})
	inner := site.check(t, BearerAuth{Keys: &AcceptedKeys{Header: "X-Inner-Key"}})
	for _, header := range []string{"X-Outer-Key", "X-Inner-Key"} {
		w := httptest.NewRecorder()
		r := httptest.NewRequest(http.MethodGet, "http://localhost/app", nil)
		r.Header.Set(header, good)
		reached := false
		err := outer.ServeHTTP(w, prepared(r, w), caddyhttp.HandlerFunc(func(w http.ResponseWriter, r *http.Request) error {
			reached = true
			return inner.ServeHTTP(w, r, noNext)
		}))
		if reached != (header == "X-Outer-Key") || err == nil {
			t.Errorf("%s: it reaches the inner check: %v, which says %v", header, reached, err)
		}
	}
}

// Caddy may serve a request before the config has started, which tells whose names belong
// to others and which issuers are taken.
func TestARequestWaitsForTheStartOfItsConfig(t *testing.T) {
	for name, b := range map[string]*BearerAuth{
		"with an issuer":              {Issuers: []OutsideIssuer{{Issuer: "https://id.example.com"}}},
		"with a prefix of clients":    {Clients: &AcceptedClients{UsernamePrefix: "svc:"}},
		"with both and keys, as well": {Issuers: []OutsideIssuer{{Issuer: "https://id.example.com"}}, Clients: &AcceptedClients{UsernamePrefix: "svc:"}, Keys: &AcceptedKeys{}},
	} {
		t.Run(name, func(t *testing.T) {
			a := b.newAccepted()
			gone, cancel := context.WithCancel(t.Context())
			cancel()
			if refusal := a.await(gone); refusal == nil || refusal.Kind != bearer.Unchecked {
				t.Errorf("before the start: %v", refusal)
			}
			go a.start(nil)
			if refusal := a.await(t.Context()); refusal != nil {
				t.Errorf("it did not wait: %v", refusal)
			}
		})
	}
	a := (&BearerAuth{Keys: &AcceptedKeys{}}).newAccepted()
	if refusal := a.await(t.Context()); refusal != nil {
		t.Errorf("nothing to wait for: %v", refusal)
	}
}
