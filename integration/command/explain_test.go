package command

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
	"github.com/caddygrant/caddy-grant/internal/adminapi"
)

// explainSite shares an HMAC secret with an app, which can so sign anything. %OTHER% is
// a second server.
const explainSite = `http://127.0.0.1:%PORT% {
	log
	token_endpoint {
		issuer          http://127.0.0.1:%PORT%
		leeway          0s
		throttle        off
		revocation_poll 5m
		signing_key     HS256 ` + harness.SharedSecret + `
		allow_weak_hashes
		users           json %DIR%/users.json
		clients         json %DIR%/clients.json
		client web {
			secret web-secret
			scopes read write
		}
		client short {
			secret           short-secret
			scopes           read
			access_token_ttl 2s
			refresh_token_ttl 2s
		}
		client partner {
			secret   partner-secret
			scopes   read
			audience https://partner.example
		}
	}
	token_endpoint /staff {
		name   staff
		issuer http://127.0.0.1:%PORT%
		allow_weak_hashes
		users  json %DIR%/users.json
		client web {
			secret web-secret
			scopes read
		}
	}
	bearer_auth /app {
		forward_token
	}
	bearer_auth /writers {
		scopes write
	}
	bearer_auth /admins {
		scopes admin
	}
	bearer_auth /partners {
		audience https://partner.example
	}
	bearer_auth /staff-app staff
	respond /* "in" 200
}
`

type (
	explainUser struct {
		Username string   `json:"username"`
		Hash     string   `json:"password_hash"`
		Disabled bool     `json:"disabled,omitempty"`
		Scopes   []string `json:"scopes,omitempty"`
	}
	explainFixture struct {
		*harness.Site
		web, short, partner, staff, old harness.OAuthClient
	}
)

func writeJSON(t *testing.T, s *harness.Site, name string, value any) {
	t.Helper()
	content, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	s.Write(name, string(content))
}

func newExplainFixture(t *testing.T, users ...string) explainFixture {
	t.Helper()
	s := newSiteWith(t, explainSite, users)
	return explainFixture{s, s.As("web"), s.As("short"), s.As("partner"), s.As("web").At("/staff"), s.As("old")}
}

// newSiteWith serves a site whose users have the password of all tests.
func newSiteWith(t *testing.T, sites string, users []string) *harness.Site {
	t.Helper()
	return harness.ApartIn(t, sites, func(s *harness.Site) {
		list := []explainUser{}
		for _, name := range append([]string{"alice"}, users...) {
			list = append(list, explainUser{Username: name, Hash: harness.HashCheap})
		}
		writeJSON(t, s, "users.json", map[string]any{"users": list})
		writeJSON(t, s, "clients.json", map[string]any{"clients": []map[string]any{{"id": "old", "secret_hash": secretHash(t, "old-secret"), "scopes": []string{"read"}}}})
	})
}

// secretHash is a hash of a client's secret.
func secretHash(t *testing.T, secret string) string {
	t.Helper()
	return harness.HashWith(t, "bcrypt", secret)
}

// grant runs `caddy grant` to its end, with stdin.
func grant(t *testing.T, dir, stdin string, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	return run(t, harness.CaddyCommand(t.Context(), t, dir, append([]string{"grant"}, args...)...), stdin)
}

func run(t *testing.T, cmd *exec.Cmd, stdin string) (status int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &out, &errs
	if err := cmd.Run(); err != nil {
		failed, ok := errors.AsType[*exec.ExitError](err)
		if !ok {
			t.Fatal(err)
		}
		status = failed.ExitCode()
	}
	return status, out.String(), errs.String()
}

// explainedBy runs `caddy grant explain --json`.
func explainedBy(t *testing.T, s *harness.Site, token string, args ...string) (status int, x adminapi.Explanation) {
	t.Helper()
	status, stdout, stderr := grant(t, s.Dir, token+"\n", append([]string{"explain", "--json"}, args...)...)
	if err := json.Unmarshal([]byte(stdout), &x); err != nil {
		t.Fatalf("status %d: %v\n%s\n%s", status, err, stdout, stderr)
	}
	wantNoToken(t, token, stdout+stderr)
	return status, x
}

// wantNoToken fails the test if what was printed has the signature of a token, or the
// whole of what is not a token.
func wantNoToken(t *testing.T, token, printed string) {
	t.Helper()
	secret := token[strings.LastIndex(token, ".")+1:]
	if len(secret) > 5 && strings.Contains(printed, secret) {
		t.Errorf("it prints the token: %s", printed)
	}
}

// wantFailing fails the test unless the explanation ends with that check, which found
// what is said here.
func wantFailing(t *testing.T, x adminapi.Explanation, check string, says ...string) {
	t.Helper()
	last := x.Checks[len(x.Checks)-1]
	text := last.Found + ": " + last.Remedy
	if x.Active || last.Passed || last.Check != check || last.Remedy == "" {
		t.Fatalf("the last of %d checks is %+v, want that %s fails", len(x.Checks), last, check)
	}
	for _, passed := range x.Checks[:len(x.Checks)-1] {
		if !passed.Passed && !passed.Skipped || passed.Found == "" {
			t.Errorf("before the last check: %+v", passed)
		}
	}
	for _, want := range says {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in %s", want, text)
		}
	}
}

// refusedWith is why the app's edge refuses a token, by the log.
func (f explainFixture) refusedWith(t *testing.T, path, token string) string {
	t.Helper()
	a := f.Do(f.Request("GET", path, "", harness.Bearer(token)))
	if a.Status < 400 || a.Status > 403 {
		t.Fatalf("bearer_auth answers %d to a token that is bad", a.Status)
	}
	reason := ""
	harness.Eventually(t, "the log has the refusal", func() bool {
		lines := f.Logged(func(line map[string]any) bool { return line["msg"] == "request refused" && line["path"] == path })
		if len(lines) > 0 {
			reason, _ = lines[len(lines)-1]["reason"].(string)
		}
		return reason != ""
	})
	return reason
}

// explainCase is a token with a fault.
type explainCase struct {
	name, token string
	path        string   // of the bearer_auth; empty: /app
	flags       []string // what that asks for
	reason      string   // in its log
	check       string   // that fails
	says        []string
}

func (f explainFixture) wantExplained(t *testing.T, c explainCase) {
	t.Helper()
	path := c.path
	if path == "" {
		path = "/app"
	}
	if reason := f.refusedWith(t, path, c.token); reason != c.reason {
		t.Errorf("bearer_auth says %q, want %q", reason, c.reason)
	}
	status, x := explainedBy(t, f.Site, c.token, append([]string{"--address", f.Admin()}, c.flags...)...)
	if status != 1 {
		t.Errorf("the exit status is %d", status)
	}
	wantFailing(t, x, c.check, c.says...)
}

func TestExplainSaysWhyBearerAuthRefusesAToken(t *testing.T) {
	t.Parallel()
	f := newExplainFixture(t)
	alice := f.web.Login(t, "alice").Access
	forged := func(change func(*harness.Forgery)) string { return harness.Forge(t, alice, change) }
	header := func(name, value string) string {
		return forged(func(x *harness.Forgery) { x.Header[name] = json.RawMessage(value) })
	}
	staff := f.staff.Login(t, "alice").Access
	tampered := staff[:strings.LastIndex(staff, ".")-4] + "AAAA" + staff[strings.LastIndex(staff, "."):]
	foreign, _ := foreignToken(t, time.Now())
	unsigned := unsignedToken(foreign)
	expired := f.short.Login(t, "alice").Access
	harness.Eventually(t, "a token expires", func() bool { return f.Edge(expired) == 401 })

	for _, c := range []explainCase{
		{name: "a password that was pasted", token: "correct horse battery staple", reason: "the Authorization header is malformed", check: "format"},
		{name: "garbage", token: strings.Repeat("x", 300), reason: "not a signed token in compact form", check: "format", says: []string{"session cookie"}},
		{name: "a token that was cut", token: alice[:len(alice)/2], reason: "not a signed token in compact form", check: "format", says: []string{"whole"}},
		{name: "alg none", token: unsigned, reason: "not a signed token in compact form", check: "format", says: []string{"it is not signed", "find out who sends it"}},
		{name: "alg none with a signature", token: unsigned + "AAAA", reason: "this server has no key with the token's kid", check: "key", says: []string{"it is not signed", "find out who sends it"}},
		{name: "a critical header", token: header("crit", `["x"]`), reason: "the token has a critical header", check: "format", says: []string{"crit"}},
		{name: "a token of another issuer", token: foreign, reason: "this server has no key with the token's kid", check: "key", says: []string{"key that this server does not have", "https://other.example"}},
		{name: "a token of another server of the same Caddy", token: staff, flags: []string{"--server", "default"},
			reason: "this server has no key with the token's kid", check: "key", says: []string{`the server "staff" of the same config`}},
		{name: "another algorithm", token: header("alg", `"HS384"`), reason: "the token's algorithm is not that of its key", check: "key", says: []string{"HS384"}},
		{name: "a changed token", token: tampered, path: "/staff-app", flags: []string{"--server", "staff"},
			reason: "the signature does not verify", check: "signature", says: []string{"changed, cut or forged"}},
		{name: "another typ", token: header("typ", `"logout+jwt"`), reason: "typ is not that of an access token", check: "type", says: []string{"logout+jwt"}},
		{name: "a claim that is missing", token: forged(harness.WithoutClaims("sid")), reason: "sid is missing or malformed", check: "claims", says: []string{"sid is missing"}},
		{name: "a claim of the wrong type", token: forged(harness.SetClaim("scope", "7")), reason: "scope is malformed", check: "claims", says: []string{"scope is malformed"}},
		{name: "a claim that is there twice", token: forged(func(x *harness.Forgery) { x.More = `,"sub":"bob"` }),
			reason: "its claims are not a JSON object, or a claim is duplicated", check: "claims", says: []string{"twice"}},
		{name: "a server of that key with another storage", token: forged(harness.SetClaim("srv", `"AAAAAAAA"`)), reason: "it belongs to another server", check: "server", says: []string{"storage"}},
		{name: "another iss", token: forged(harness.SetClaim("iss", `"https://evil.example"`)), reason: "iss is not this server's issuer", check: "issuer", says: []string{"https://evil.example"}},
		{name: "an expired token", token: expired, reason: "expired", check: "expiry", says: []string{"it expired", "refresh it, or log in again"}},
		{name: "a token of tomorrow", token: forged(harness.SetClaim("nbf", harness.FromNow(24*time.Hour))), reason: "not yet valid", check: "not_before", says: []string{"from now", "clocks"}},
		{name: "another aud", token: f.partner.Login(t, "alice").Access, reason: "aud does not name this resource", check: "audience", says: []string{"https://partner.example"}},
		{name: "an aud that is asked for", token: alice, path: "/partners", flags: []string{"--audience", "https://partner.example"},
			reason: "aud does not name this resource", check: "audience", says: []string{"https://partner.example"}},
		{name: "a scope that is missing", token: alice, path: "/admins", flags: []string{"--scope", "admin"}, reason: "the token lacks a scope", check: "scope", says: []string{`it lacks "admin"`}},
		{name: "a refresh token of another server", token: f.staff.Login(t, "alice").Refresh, flags: []string{"--server", "default"},
			reason: "it is a refresh token; send the access token", check: "key", says: []string{"refresh token"}},
	} {
		t.Run(c.name, func(t *testing.T) { f.wantExplained(t, c) })
	}
}

func TestExplainSaysWhatChangedSinceATokenWasIssued(t *testing.T) {
	t.Parallel()
	f := newExplainFixture(t, "gone", "off", "changed", "revoked", "narrowed", "late")
	tokens := make(map[string]harness.TokenPair)
	for _, name := range []string{"gone", "off", "changed", "revoked", "narrowed"} {
		tokens[name] = f.web.Login(t, name)
	}
	tokens["late"] = f.old.Login(t, "late")
	f.web.Revoke(tokens["revoked"].Refresh).Want(t, 200, "")
	writeJSON(t, f.Site, "users.json", map[string]any{"users": []explainUser{
		{Username: "alice", Hash: harness.HashCheap},
		{Username: "off", Hash: harness.HashCheap, Disabled: true},
		{Username: "changed", Hash: harness.HashCheapAnother},
		{Username: "revoked", Hash: harness.HashCheap},
		{Username: "narrowed", Hash: harness.HashCheap, Scopes: []string{"read"}},
		{Username: "late", Hash: harness.HashCheap},
	}})
	writeJSON(t, f.Site, "clients.json", map[string]any{"clients": []map[string]any{{"id": "new", "secret_hash": secretHash(t, "new-secret")}}})
	for _, name := range []string{"gone", "off", "changed", "revoked", "late"} {
		harness.Eventually(t, "the token of "+name+" is refused", func() bool { return f.Edge(tokens[name].Access) == 401 })
	}
	for _, c := range []explainCase{
		{name: "a user who is gone", token: tokens["gone"].Access, reason: "its user is gone", check: "user", says: []string{`the user "gone" is no longer in`, "users.json"}},
		{name: "a user who is disabled", token: tokens["off"].Access, reason: "its user is disabled", check: "user", says: []string{`"off" is disabled`}},
		{name: "a password that was changed", token: tokens["changed"].Access, reason: "its user has another password now", check: "password", says: []string{"was changed", "log in again"}},
		{name: "a client that is gone", token: tokens["late"].Access, reason: "its client is gone", check: "client", says: []string{`"old" is no longer in`, "clients.json"}},
		{name: "a session that was revoked", token: tokens["revoked"].Access, reason: "its session was revoked", check: "session",
			says: []string{harness.TextClaim(t, tokens["revoked"].Access, "sid"), "log in again"}},
		{name: "a scope that was taken away", token: tokens["narrowed"].Access, path: "/writers", flags: []string{"--scope", "write"},
			reason: "the token lacks a scope", check: "scope", says: []string{`"write" was taken from`}},
	} {
		t.Run(c.name, func(t *testing.T) { f.wantExplained(t, c) })
	}

	// refresh tokens, which a refresh would refuse
	for name, check := range map[string]string{"gone": "user", "off": "user", "changed": "password", "revoked": "session"} {
		t.Run("the refresh token of "+name, func(t *testing.T) {
			f.web.Refresh(tokens[name].Refresh).Want(t, 400, "invalid_grant")
			status, x := explainedBy(t, f.Site, tokens[name].Refresh, "--address", f.Admin())
			if wantFailing(t, x, check); status != 1 || x.Kind != "refresh_token" {
				t.Errorf("%d %s", status, x.Kind)
			}
		})
	}
}

func TestExplainSaysThatAnOperatorRevokedAllSessions(t *testing.T) {
	t.Parallel()
	f := newExplainFixture(t, "ended")
	session := f.web.Login(t, "ended")
	if status, _, stderr := grant(t, f.Dir, "", "revoke", "--user", "ended", "--server", "default", "--address", f.Admin()); status != 0 {
		t.Fatal(stderr)
	}
	f.wantExplained(t, explainCase{token: session.Access, reason: "its session was revoked", check: "session", says: []string{"an operator revoked all sessions of its user, its client or the server: log in again"}})
	f.web.Refresh(session.Refresh).Want(t, 400, "invalid_grant")
	_, x := explainedBy(t, f.Site, session.Refresh, "--address", f.Admin())
	wantFailing(t, x, "session", "an operator revoked all sessions")
}

func TestExplainTellsAGoodTokenAndChangesNothing(t *testing.T) {
	t.Parallel()
	f := newExplainFixture(t)
	session := f.web.Login(t, "alice")
	status, x := explainedBy(t, f.Site, session.Access, "--address", f.Admin(), "--scope", "read write")
	if status != 0 || !x.Active || x.Kind != "access_token" || x.Claims["sub"] != "alice" || len(x.Checks) != 15 {
		t.Errorf("status %d: %+v", status, x)
	}
	config := f.Write("admin.caddyfile", "{\n\tadmin "+f.Admin()+"\n}\n")
	if status, stdout, stderr := grant(t, f.Dir, session.Access, "explain", "--config", config); status != 0 || stdout == "" || stderr != "" {
		t.Errorf("with a config: status %d: %s%s", status, stdout, stderr)
	}
	if status, stdout, stderr := grant(t, f.Dir, "", "status", "--config", config); status != 0 || stdout == "" || stderr != "" {
		t.Errorf("status with a config: status %d: %s%s", status, stdout, stderr)
	}
	for _, input := range []string{"Authorization: Bearer " + session.Access, "bearer " + session.Access, `"` + session.Access + `"`, `{"access_token":"` + session.Access + `","token_type":"Bearer"}`} {
		if status, stdout, stderr := grant(t, f.Dir, input, "explain", "--address", f.Admin()); status != 0 || !strings.HasPrefix(stdout, "Access token, good according to the server default.\n") {
			t.Errorf("status %d for %.20s: %s%s", status, input, stdout, stderr)
		}
	}
	if status, x := explainedBy(t, f.Site, f.staff.Login(t, "alice").Access, "--address", f.Admin()); status != 0 || !x.Active {
		t.Errorf("the second server is not asked: %d %+v", status, x)
	}

	status, x = explainedBy(t, f.Site, session.Refresh, "--address", f.Admin())
	if status != 0 || !x.Active || x.Kind != "refresh_token" {
		t.Errorf("status %d: %+v", status, x)
	}
	next := f.web.Refreshed(t, session.Refresh) // it was not used up
	last := f.web.Refreshed(t, next.Refresh)
	status, x = explainedBy(t, f.Site, session.Refresh, "--address", f.Admin())
	if wantFailing(t, x, "session", "exchanged"); status != 1 {
		t.Errorf("the exit status is %d", status)
	}
	f.web.WantGoing(t, last) // and the session did not end
}

func TestExplainPrintsNothingThatCouldControlATerminal(t *testing.T) {
	t.Parallel()
	f := newExplainFixture(t)
	evil := harness.Forge(t, f.web.Login(t, "alice").Access, func(x *harness.Forgery) {
		x.Header["kid"] = json.RawMessage(`"\u001b]0;owned\u0007\u009b31m"`)
		x.Claims["iss"] = json.RawMessage(`"https://\u001b[2Jevil\u202e"`)
		x.Claims["\x1b[31mred"] = json.RawMessage(`"\u0007"`)
	})
	for _, flags := range [][]string{{"--address", f.Admin()}, {"--jwks", f.URL("/staff/jwks")}} {
		status, stdout, stderr := grant(t, f.Dir, evil, append([]string{"explain"}, flags...)...)
		_, data, _ := grant(t, f.Dir, evil, append([]string{"explain", "--json"}, flags...)...)
		if !json.Valid([]byte(data)) || !strings.Contains(data, `\u009b31m`) {
			t.Errorf("%v: %q", flags, data)
		}
		if status != 1 || strings.ContainsAny(stdout+stderr+data, "\x1b\x07\u009b\u202e") || !strings.Contains(stdout, "which anyone can write") {
			t.Errorf("%v: status %d: %q %q", flags, status, stdout, stderr)
		}
	}
}

func TestExplainSaysWhatIsWrongWithTheCommand(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := func(name, content string) string {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	page := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/json" {
			_, _ = w.Write([]byte(`{"issuer":"x"}`))
			return
		}
		_, _ = w.Write([]byte("<!DOCTYPE html>"))
	}))
	t.Cleanup(page.Close)
	for name, c := range map[string]struct {
		stdin string
		args  []string
		says  string
	}{
		"no token":                 {"\n", nil, "there is no token"},
		"a token as an argument":   {"", []string{"a.b.c"}, ""},
		"no Caddy":                 {"a.b.c", []string{"--address", fmt.Sprintf("127.0.0.1:%d", harness.FreePort(t))}, "--address"},
		"a key set over http":      {"a.b.c", []string{"--jwks", "http://192.0.2.1/jwks"}, "the keys could be replaced on the way, and a forged token would be good. Add --insecure-http"},
		"JSON that is no key set":  {"a.b.c", []string{"--jwks", file("a.json", `{"kty":"EC"}`)}, "a.json is not a key set"},
		"an empty key set":         {"a.b.c", []string{"--jwks", file("b.json", `{"keys":[]}`)}, "b.json is empty"},
		"a key set of other kinds": {"a.b.c", []string{"--jwks", file("c.json", `{"keys":[{"kty":"x"}]}`)}, "no key of the key set c.json can be read"},
		"a key set with a fault":   {"a.b.c", []string{"--jwks", file("d.json", `{"keys":[{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}]}`)}, "no key of the key set d.json can be read"},
		"a page for a key set":     {"a.b.c", []string{"--jwks", page.URL}, "is not the JSON"},
		"JSON for a key set":       {"a.b.c", []string{"--jwks", page.URL + "/json"}, "is not a key set"},
		"a key set that is none":   {"a.b.c", []string{"--jwks", os.Args[0]}, "not a key set"},
		"a key set and a server":   {"a.b.c", []string{"--jwks", "x", "--server", "default"}, "--jwks and --server cannot be used together"},
		"no config to verify with": {"a.b.c", []string{"--offline"}, "there is no config"},
	} {
		t.Run(name, func(t *testing.T) {
			status, stdout, stderr := grant(t, dir, c.stdin, append([]string{"explain"}, c.args...)...)
			if status == 0 || strings.Contains(c.says, "key set") && status != 2 || stdout != "" || !strings.Contains(stderr, c.says) {
				t.Errorf("status %d: %s%s", status, stdout, stderr)
			}
		})
	}
}

// unsignedToken has the claims of a token.
func unsignedToken(token string) string {
	return base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`)) + token[strings.Index(token, "."):strings.LastIndex(token, ".")+1]
}

// foreignToken is what another issuer signs, with its key set.
func foreignToken(t *testing.T, now time.Time, claims ...string) (token string, set []byte) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: key, KeyID: "theirs"}}, (&jose.SignerOptions{}).WithType("JWT"))
	if err != nil {
		t.Fatal(err)
	}
	payload := fmt.Sprintf(`{"iss":"https://other.example","sub":"x","aud":"https://app.example","scope":"read","iat":%d,"exp":%d`, now.Unix(), now.Add(time.Hour).Unix())
	signed, err := signer.Sign([]byte(payload + strings.Join(claims, "") + "}"))
	if err != nil {
		t.Fatal(err)
	}
	if token, err = signed.CompactSerialize(); err != nil {
		t.Fatal(err)
	}
	set, err = json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: "theirs", Algorithm: "ES256", Use: "sig"}}})
	if err != nil {
		t.Fatal(err)
	}
	return token, set
}

func TestExplainVerifiesWithAKeySetAsAnAppDoes(t *testing.T) {
	t.Parallel()
	f := newExplainFixture(t)
	now := time.Now()
	good, set := foreignToken(t, now)
	keys := f.Write("jwks.json", string(set))
	status, x := explainedBy(t, f.Site, good, "--jwks", keys, "--issuer", "https://other.example", "--audience", "https://app.example", "--scope", "read")
	if status != 0 || !x.Active || x.Claims["sub"] != "x" {
		t.Errorf("status %d: %+v", status, x)
	}
	if status, x := explainedBy(t, f.Site, f.staff.Login(t, "alice").Access, "--jwks", f.URL("/staff/jwks"), "--issuer", f.URL("")); status != 0 || !x.Active {
		t.Errorf("status %d: %+v", status, x)
	}
	none := unsignedToken(good)
	expired, expiredSet := foreignToken(t, now.Add(-2*time.Hour))
	early, earlySet := foreignToken(t, now, fmt.Sprintf(`,"nbf":%d`, now.Add(time.Hour).Unix()))
	other, _ := foreignToken(t, now)
	set = bytes.Replace(set, []byte(`[`), []byte(`[{"kty":"of tomorrow"},`), 1)
	otherKid := bytes.ReplaceAll(set, []byte("theirs"), []byte("another"))
	refresh := f.web.Login(t, "alice").Refresh
	endless, endlessSet := foreignToken(t, now, `,"exp":null`)
	for _, c := range []struct {
		name, token, set, check, says string
		flags                         []string
	}{
		{"nonsense", "garbage", string(set), "format", "not a signed token", nil},
		{"alg none", none, string(set), "format", "it is not signed: alg is none", nil},
		{"a shared secret", f.web.Login(t, "alice").Access, string(set), "format", "shared secret", nil},
		{"a key that is not there", good, string(otherKid), "key", "1 keys, none with", nil},
		{"a refresh token", refresh, string(set), "format", "it is a refresh token", nil},
		{"no signature", good[:strings.LastIndex(good, ".")+1], string(set), "format", "its signature is missing", nil},
		{"another key of that kid", other, string(set), "signature", "not by that key", nil},
		{"expired", expired, string(expiredSet), "expiry", "it expired", nil},
		{"no end", endless, string(endlessSet), "expiry", "no exp", nil},
		{"not yet valid", early, string(earlySet), "not_before", "from now", nil},
		{"another issuer", good, string(set), "issuer", "https://me.example", []string{"--issuer", "https://me.example"}},
		{"another audience", good, string(set), "audience", "https://me.example", []string{"--audience", "https://me.example"}},
		{"a missing scope", good, string(set), "scope", `lacks "write"`, []string{"--scope", "write"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := f.For(t)
			path := s.Write("keys-"+strings.ReplaceAll(c.name, " ", "-")+".json", c.set)
			status, x := explainedBy(t, s, c.token, append([]string{"--jwks", path}, c.flags...)...)
			if wantFailing(t, x, c.check, c.says); status != 1 {
				t.Errorf("the exit status is %d", status)
			}
		})
	}
	for _, c := range []struct{ token, set, says string }{
		{expired, string(expiredSet), "it expired 1 hour ago"},
		{early, string(earlySet), "it becomes valid "},
	} {
		status, stdout, stderr := grant(t, f.Dir, c.token, "explain", "--jwks", f.Write("late.json", c.set), "--leeway", "2h")
		if status != 0 || !strings.Contains(stdout, c.says) || !strings.Contains(stdout, ", within the leeway of 2h0m0s") {
			t.Errorf("within the leeway: %d %s%s", status, stdout, stderr)
		}
	}
}

func TestExplainVerifiesWithAConfigAlone(t *testing.T) {
	t.Parallel()
	f := newExplainFixture(t, "gone")
	gone, alice := f.web.Login(t, "gone").Access, f.web.Login(t, "alice").Access
	config := f.Write("Caddyfile", f.Expand("{\n\tstorage file_system %DIR%/untouched\n}\n"+explainSite))
	offline := []string{"--offline", "--config", config, "--adapter", "caddyfile", "--server", "default"}
	status, x := explainedBy(t, f.Site, alice, offline...)
	skipped := 0
	for _, check := range x.Checks {
		if check.Skipped {
			skipped++
		}
	}
	if status != 0 || !x.Active || skipped != 3 {
		t.Errorf("status %d, %d skipped: %+v", status, skipped, x)
	}
	refresh := f.web.Login(t, "alice").Refresh
	for _, c := range []struct {
		token, says string
		status      int
	}{
		{alice, "Access token, good, as far as the config of the server default in ", 0},
		{refresh, "Token: the config of the server default in ", 2},
	} {
		status, stdout, stderr := grant(t, f.Dir, c.token, append([]string{"explain"}, offline...)...)
		if status != c.status || !strings.HasPrefix(stdout, c.says) || stderr != "" || strings.Contains(stdout, "FAILS") || !strings.Contains(stdout, "\n  ? ") {
			t.Errorf("status %d: %s%s", status, stdout, stderr)
		}
		if status == 2 && !strings.Contains(stdout, "What to do: ask the running Caddy") {
			t.Errorf("it says %s", stdout)
		}
	}
	generates := f.Write("generates", strings.Replace(f.Expand(explainSite), "allow_weak", "signing_key ES256\n\t\tallow_weak", 1))
	foreign, _ := foreignToken(t, time.Now())
	for token, want := range map[string]int{foreign: 2, unsignedToken(foreign) + "AAAA": 1, alice: 0} {
		if status, x := explainedBy(t, f.Site, token, "--offline", "--config", generates, "--adapter", "caddyfile", "--server", "default"); status != want {
			t.Errorf("with generated keys: status %d: %+v", status, x)
		}
	}
	writeJSON(t, f.Site, "users.json", map[string]any{"users": []explainUser{{Username: "alice", Hash: harness.HashCheap}}})
	_, x = explainedBy(t, f.Site, gone, offline...)
	wantFailing(t, x, "user", `"gone" is no longer in`)
	_, x = explainedBy(t, f.Site, alice, append(offline, "--scope", "admin")...)
	wantFailing(t, x, "scope", "lacks")
	staff := f.staff.Login(t, "alice").Access
	_, x = explainedBy(t, f.Site, staff, offline...)
	wantFailing(t, x, "key")

	status, _, stderr := grant(t, f.Dir, staff, "explain", "--offline", "--config", config, "--adapter", "caddyfile", "--server", "staff")
	if status != 2 || !strings.Contains(stderr, "are in the storage") {
		t.Errorf("status %d: %s", status, stderr)
	}
	status, _, stderr = grant(t, f.Dir, staff, "explain", "--offline", "--config", config, "--adapter", "caddyfile")
	if status != 2 || !strings.Contains(stderr, "--server default or --server staff") {
		t.Errorf("status %d: %s", status, stderr)
	}
	if _, err := os.Stat(f.Path("untouched")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the storage was touched: %v", err)
	}
}
