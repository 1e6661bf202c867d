package issuers

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
	"github.com/caddygrant/caddy-grant/integration/internal/outside"
)

// spoofed are claims of an issuer's own that have the names of what this server says of a
// user.
var spoofed = map[string]any{
	"id": "root", "kind": "client", "issuer": "https://evil.example.com", "username": "root", "key_name": "root", "token_id": "root",
	"session_id": "root", "cid": "root", "cver": "root", "srv": "root", "user_id": "root",
}

func withSpoofed(token *outside.Token) {
	for name, value := range spoofed {
		token.Claims[name] = value
	}
}

// An issuer's own claims do not take the place of what this server says of a user.
func TestAnIssuersClaimsDoNotReplaceTheIdentity(t *testing.T) {
	issuer := outside.New(t, outside.Options{})
	const placeholders = "id username client_id issuer kind key_name"
	var template []string
	for name := range strings.FieldsSeq(placeholders) {
		template = append(template, "{http.auth.user."+name+"}")
	}
	e := startSite(t, bearer("", trusting(issuer), copied+" key_name>X-Key"), `respond /placeholders "`+strings.Join(template, "|")+`"`)
	e.knows(issuer)
	token := issuer.Token(withSpoofed)
	prefix := issuer.URL + "#"
	want := strings.Join([]string{prefix + "alice", prefix + "alice", prefix + "phone", issuer.URL, "user", ""}, "|")
	if a := e.get("/placeholders", token); string(a.Body) != want {
		t.Errorf("the placeholders are %s, want %s", a.Body, want)
	}
	e.app.Take()
	e.get("/contacts", token).Want(t, 200, "")
	received := e.app.One(t)
	for header, want := range map[string]string{"X-User": prefix + "alice", "X-Name": prefix + "alice", "X-Client": prefix + "phone", "X-Issuer": issuer.URL, "X-Key": ""} {
		received.WantIdentity(t, header, want)
	}
}

// An outside token goes before the session of a browser, also where it is refused, and
// the cookie does not reach the app.
func TestAnOutsideTokenBesideASessionOfTheLoginPage(t *testing.T) {
	issuer := outside.New(t, outside.Options{})
	server := strings.Replace(ownServer, "token_endpoint {", "token_endpoint {\n\t\tlogin_page", 1)
	e := startSite(t, server, bearer("", trusting(issuer), copied))
	e.knows(issuer)
	stay := *e.Client
	stay.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	e.Client = &stay
	form := url.Values{"username": {"bob"}, "password": {"correct horse"}}.Encode()
	login := e.Post("/token/login", form, "Origin: "+strings.TrimSuffix(e.URL("/"), "/"))
	login.Want(t, http.StatusSeeOther, "")
	cookie, _, _ := strings.Cut(login.Header.Get("Set-Cookie"), ";")
	user := func(headers ...string) (status int, name string) {
		t.Helper()
		e.app.Take()
		a := e.Do(e.Request("GET", "/contacts", "", append(headers, "Cookie: "+cookie)...))
		if a.Status == 200 {
			received := e.app.One(t)
			received.WantIdentity(t, "Cookie", "")
			name = received.Header.Get("X-User")
		}
		return a.Status, name
	}
	if status, name := user(); status != 200 || name != "u-2" {
		t.Errorf("the session alone: %d %q", status, name)
	}
	if status, name := user(harness.Bearer(issuer.Token())); status != 200 || name != issuer.URL+"#alice" {
		t.Errorf("with an outside token: %d %q", status, name)
	}
	if status, name := user(harness.Bearer(issuer.Token(outside.Claim("aud", "x")))); status != 401 {
		t.Errorf("with an outside token that is refused: %d %q", status, name)
	}
}

// Two checks of one request ask for two issuers: none passes.
func TestTwoChecksThatTakeDifferentIssuersLetNoTokenPass(t *testing.T) {
	staff, partners := outside.New(t, outside.Options{}), outside.New(t, outside.Options{})
	e := startSite(t, bearer("", trusting(staff)), "route /both/* {\n"+bearer("", trusting(partners))+"\nrespond \"in\"\n}")
	e.knows(staff)
	harness.Eventually(t, "the keys of both are there", func() bool { return partners.Fetches(outside.KeySet) > 0 })
	for _, token := range []string{staff.Token(), partners.Token()} {
		if a := e.get("/both/x", token); a.Status != 401 {
			t.Errorf("got %d %s", a.Status, a.Body)
		}
	}
}
