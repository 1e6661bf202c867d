package caddygrant

import (
	"crypto/ed25519"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/golang-jwt/jwt/v5"

	"github.com/caddygrant/caddy-grant/directory"
	"github.com/caddygrant/caddy-grant/internal/apikey"
)

// speedCredential is a credential of one kind and a bearer_auth that lets it pass. It
// was shown once.
type speedCredential struct {
	name          string
	check         *BearerAuth
	authorization []string
}

const (
	ownToken       = "own token"
	outsideToken   = "outside token"
	ownBesideThree = "own token beside 3 issuers"
	outsideOfThree = "outside token of the last of 3 issuers"
	anAPIKey       = "API key"
	clientToken    = "token of a client"
	ownInGroup     = "own token, group required"
	outsideInGroup = "outside token, group required"
	keyInGroup     = "API key, group required"
)

// newSpeedCredentials are one of each kind, and first an own token where there are only
// such. All are for the same scopes, have the same claims and are signed with EdDSA.
// copied are the identity headers of each bearer_auth.
func newSpeedCredentials(b testing.TB, copied ...CopyClaim) []*speedCredential {
	b.Helper()
	groups := []string{"contacts", "operators", "staff"}
	encoded, _ := json.Marshal(groups)
	key := apikey.Make()
	keys := filepath.Join(b.TempDir(), "keys")
	line := "deploy " + apikey.DigestOf(key).Hash() + " user=alice scopes=contacts.read,contacts.write\n"
	if err := os.WriteFile(keys, []byte(line), 0o600); err != nil {
		b.Fatal(err)
	}
	site := newSpeedSiteOf(b, Config{
		Scopes:      []string{"contacts.read", "contacts.write"},
		SigningKeys: []SigningKey{{Algorithm: "EdDSA"}},
		APIKeys:     []APIKeyFile{{Source: "lines", Path: keys}},
		UsersRaw: []json.RawMessage{module(InlineUsers{Users: []directory.User{{
			Username: "alice", PasswordHash: speedHash, Claims: map[string]json.RawMessage{"groups": encoded},
		}}}, "inline")},
		ClientsRaw: []json.RawMessage{module(InlineClients{Clients: []directory.Client{
			{ID: "web", Secret: "s3cret"},
			{ID: "batch", Secret: "s3cret", Grants: []string{"client_credentials"}},
		}}, "inline")},
	})
	var issuers []*speedIssuer
	var settings []OutsideIssuer
	for range 3 {
		i := newSpeedIssuer(b)
		issuers, settings = append(issuers, i), append(settings, i.settings())
	}
	const byClient = "grant_type=client_credentials&client_id=batch&client_secret=s3cret"
	own := site.login(b).AccessToken
	acting := site.tokens(b, site.post(b, byClient)).AccessToken
	outside := func(i *speedIssuer) string { return i.token(b, own, groups) }
	inGroup := []RequiredClaim{{Claim: "groups", Values: []string{"staff"}}}

	var all []*speedCredential
	for _, kind := range []struct {
		name, token string
		check       BearerAuth
	}{
		{ownToken, own, BearerAuth{}},
		{outsideToken, outside(issuers[0]), BearerAuth{Issuers: settings[:1]}},
		{ownBesideThree, own, BearerAuth{Issuers: settings}},
		{outsideOfThree, outside(issuers[2]), BearerAuth{Issuers: settings}},
		{anAPIKey, key, BearerAuth{Keys: new(AcceptedKeys)}},
		{clientToken, acting, BearerAuth{Clients: new(AcceptedClients)}},
		{ownInGroup, own, BearerAuth{Require: inGroup}},
		{outsideInGroup, outside(issuers[0]), BearerAuth{Issuers: settings[:1], Require: inGroup}},
		{keyInGroup, key, BearerAuth{Keys: new(AcceptedKeys), Require: inGroup}},
	} {
		kind.check.Scopes, kind.check.CopyClaims = []string{"contacts.read"}, copied
		c := &speedCredential{kind.name, site.check(b, kind.check), []string{"Bearer " + kind.token}}
		c.await(b)
		all = append(all, c)
	}
	return all
}

// check is another bearer_auth of the config, which was started.
func (s *speedSite) check(b testing.TB, settings BearerAuth) *BearerAuth {
	b.Helper()
	check := s.load("http.handlers.bearer_auth", settings).(*BearerAuth)
	if _, err := check.resolve(check.app.servers); err != nil {
		b.Fatal(err)
	}
	check.start()
	return check
}

// show sends a request with the credential.
func (c *speedCredential) show() error {
	w := httptest.NewRecorder()
	r := httptest.NewRequest(http.MethodGet, "http://localhost/app", nil)
	r.Header["Authorization"] = c.authorization
	return c.check.ServeHTTP(w, prepared(r, w), noNext)
}

// await shows the credential until the keys of its issuer are there.
func (c *speedCredential) await(b testing.TB) {
	b.Helper()
	var err error
	for range 1000 {
		if err = c.show(); err == nil {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	b.Fatalf("%s: %v", c.name, err)
}

// speedIssuer is an outside issuer with one key, on loopback.
type speedIssuer struct {
	url string
	key ed25519.PrivateKey
}

func newSpeedIssuer(b testing.TB) *speedIssuer {
	b.Helper()
	public, key, _ := ed25519.GenerateKey(nil)
	set := jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: public, KeyID: "1", Algorithm: "EdDSA", Use: "sig"}}}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/jwk-set+json")
		_ = json.NewEncoder(w).Encode(set)
	}))
	b.Cleanup(server.Close)
	return &speedIssuer{server.URL, key}
}

func (i *speedIssuer) settings() OutsideIssuer {
	return OutsideIssuer{Issuer: i.url, JWKSURL: i.url + "/jwks", Audience: []string{"contacts"}}
}

// token is about as long as a token of ours, which is the most that counts once it is
// remembered.
func (i *speedIssuer) token(b testing.TB, ours string, groups []string) string {
	b.Helper()
	now := time.Now()
	claims := jwt.MapClaims{
		"iss": i.url, "sub": "alice", "aud": "contacts", "client_id": "web", "jti": "1",
		"iat": now.Unix(), "exp": now.Add(time.Hour).Unix(), "scope": "contacts.read contacts.write", "groups": groups,
	}
	sign := func() string {
		t := jwt.NewWithClaims(jwt.SigningMethodEdDSA, claims)
		t.Header["kid"], t.Header["typ"] = "1", "at+jwt"
		signed, err := t.SignedString(i.key)
		if err != nil {
			b.Fatal(err)
		}
		return signed
	}
	missing := len(ours) - len(sign())
	claims["session"] = strings.Repeat("x", max(0, missing*3/4-len(`"session":"",`))) // in base64
	return sign()
}
