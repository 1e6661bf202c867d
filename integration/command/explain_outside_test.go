package command

import (
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
	"github.com/caddygrant/caddy-grant/integration/internal/outside"
	"github.com/caddygrant/caddy-grant/internal/adminapi"
	"github.com/caddygrant/caddy-grant/internal/apikey"
)

// outsideSite takes the tokens of an issuer, without a token_endpoint.
func outsideSite(issuer *outside.Issuer, lines ...string) string {
	return "http://127.0.0.1:%PORT% {\n\tbearer_auth {\n\t\tissuer " + issuer.URL + " {\n\t\t\taudience " + outside.Audience + "\n" + strings.Join(lines, "\n") + "\n\t\t}\n\t}\n\trespond in\n}\n"
}

// A token of an outside issuer is judged by the running config, or by a config alone as
// far as that can tell without the keys.
func TestExplainATokenOfAnOutsideIssuer(t *testing.T) {
	issuer := outside.New(t, outside.Options{})
	s := harness.Apart(t, outsideSite(issuer))
	admin := []string{"--address", s.Admin()}
	harness.Eventually(t, "the keys are there", func() bool { return s.Do(s.Request("GET", "/", "", harness.Bearer(issuer.Token()))).Status == 200 })
	config := s.Write("Caddyfile", s.Expand(outsideSite(issuer)))
	offline := []string{"--offline", "--config", config, "--adapter", "caddyfile"}

	status, x := explainedBy(t, s, issuer.Token(), admin...)
	if status != 0 || !x.Active || x.Kind != "access_token" || x.Claims["sub"] != "alice" {
		t.Errorf("a good one: status %d, %+v", status, x)
	}
	if i := slices.IndexFunc(x.Checks, func(c adminapi.CheckResult) bool { return c.Check == "user" }); i < 0 || !strings.Contains(x.Checks[i].Found, issuer.URL+"#alice") {
		t.Errorf("it does not say what the user is called here: %+v", x.Checks)
	}
	status, x = explainedBy(t, s, issuer.Token(), offline...)
	if status != 0 || !x.Active || x.Claims != nil || !slices.ContainsFunc(x.Checks, func(c adminapi.CheckResult) bool { return c.Check == "signature" && c.Skipped }) {
		t.Errorf("a good one, offline: status %d, %+v", status, x)
	}
	_, printed, _ := grant(t, s.Dir, issuer.Token(), append([]string{"explain"}, admin...)...)
	if !strings.HasPrefix(printed, "Access token, good according to the running config for the outside issuer "+issuer.URL+".") {
		t.Errorf("it prints %s", printed)
	}

	stranger := outside.NewKey(t, "ES256")
	for _, test := range []struct {
		name, token, check, says string
		online                   bool // only
		args                     []string
	}{
		{"an ID token", issuer.Token(outside.Claim("nonce", "n")), "type", "it is an ID token", false, nil},
		{"of another app", issuer.Token(outside.Claim("aud", "other")), "audience", "for another audience", false, nil},
		{"expired", issuer.Token(outside.Claim("exp", outside.FromNow(-time.Hour))), "expiry", "expired", false, nil},
		{"valid for long", issuer.Token(outside.Claim("exp", outside.FromNow(48*time.Hour))), "lifetime", "max_lifetime", false, nil},
		{"without an owner", issuer.Token(outside.Without("sub")), "claims", "sub is missing", false, nil},
		{"by an unknown key", issuer.Token(outside.By(stranger)), "key", "no key with the token's kid", true, nil},
		{"by the key of another", issuer.Token(outside.ByInNameOf(stranger, issuer.Key())), "signature", "does not verify", true, nil},
		{"with a claim twice", issuer.Token(func(t *outside.Token) { t.More = `,"sub":"bob"` }), "claims", "a claim appears twice", false, nil},
		{"of many groups", issuer.Token(outside.Claim("groups", strings.Repeat("g", 12<<10))), "format", "the maximum is 16384", false, nil},
		{"without a scope", issuer.Token(), "scope", "lacks a scope", false, []string{"--scope", "contacts.write"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			status, x := explainedBy(t, s, test.token, append(admin, test.args...)...)
			wantFailing(t, x, test.check, test.says)
			if status != 1 {
				t.Errorf("status %d", status)
			}
			status, x = explainedBy(t, s, test.token, append(offline, test.args...)...)
			if test.online {
				if status != 0 {
					t.Errorf("offline: status %d, %+v", status, x)
				}
				return
			}
			wantFailing(t, x, test.check, test.says)
		})
	}
}

// A site may ask for another audience than the one that takes the token.
func TestExplainSaysThatAnotherSiteRefusesATokenOfAnOutsideIssuer(t *testing.T) {
	issuer := outside.New(t, outside.Options{})
	takes := func(audience string) string {
		return "bearer_auth {\n\t\t\tissuer " + issuer.URL + " {\n\t\t\t\taudience " + audience + "\n\t\t\t}\n\t\t}\n"
	}
	site := "http://127.0.0.1:%PORT% {\n\thandle /other* {\n\t\t" + takes("other") + "\t\trespond other\n\t}\n\thandle {\n\t\t" + takes(outside.Audience) + "\t\trespond in\n\t}\n}\n"
	s := harness.Apart(t, site)
	harness.Eventually(t, "the keys are there", func() bool { return s.Do(s.Request("GET", "/", "", harness.Bearer(issuer.Token()))).Status == 200 })
	for _, args := range [][]string{{"--address", s.Admin()}, {"--offline", "--config", s.Write("Caddyfile", s.Expand(site)), "--adapter", "caddyfile"}} {
		_, x := explainedBy(t, s, issuer.Token(), args...)
		if i := slices.IndexFunc(x.Checks, func(c adminapi.CheckResult) bool { return c.Check == "issuer" }); !x.Active || !strings.Contains(x.Checks[i].Found, "other bearer_auths that take its tokens refuse this one: name what they ask for with --audience") {
			t.Errorf("%v: %+v", args, x.Checks)
		}
		_, x = explainedBy(t, s, issuer.Token(outside.Claim("aud", []string{outside.Audience, "other"})), args...)
		if i := slices.IndexFunc(x.Checks, func(c adminapi.CheckResult) bool { return c.Check == "issuer" }); !x.Active || strings.Contains(x.Checks[i].Found, "refuse") {
			t.Errorf("a token that all take, %v: %+v", args, x.Checks)
		}
	}
}

// What another site asks for is not always an audience.
func TestExplainSaysWhyAnotherSiteRefusesATokenOfAnOutsideIssuer(t *testing.T) {
	issuer := outside.New(t, outside.Options{})
	takes := func(more string) string {
		return "bearer_auth {\n\t\t\tissuer " + issuer.URL + " {\n\t\t\t\taudience " + outside.Audience + "\n\t\t\t\t" + more + "\n\t\t\t}\n\t\t}\n"
	}
	s := harness.Apart(t, "http://127.0.0.1:%PORT% {\n\thandle /other* {\n\t\t"+takes("max_lifetime 1m")+"\t\trespond other\n\t}\n\thandle {\n\t\t"+takes("")+"\t\trespond in\n\t}\n}\n")
	harness.Eventually(t, "the keys are there", func() bool { return s.Do(s.Request("GET", "/", "", harness.Bearer(issuer.Token()))).Status == 200 })
	_, x := explainedBy(t, s, issuer.Token(), "--address", s.Admin())
	if i := slices.IndexFunc(x.Checks, func(c adminapi.CheckResult) bool { return c.Check == "issuer" }); !x.Active || !strings.HasSuffix(x.Checks[i].Found, "another bearer_auth that takes its tokens refuses this one: it is good for longer than max_lifetime") {
		t.Errorf("%+v", x.Checks)
	}
}

// While an issuer is down since the start, that is what there is to say.
func TestExplainATokenOfAnIssuerThatIsDown(t *testing.T) {
	issuer := outside.New(t, outside.Options{})
	raw := issuer.Token()
	issuer.Down()
	s := harness.Apart(t, outsideSite(issuer))
	_, x := explainedBy(t, s, raw, "--address", s.Admin())
	wantFailing(t, x, "keys", "no keys of the outside issuer yet")
}

// The admin API has the issuers of a config, also if it has no server.
func TestStatusShowsOutsideIssuers(t *testing.T) {
	issuer := outside.New(t, outside.Options{})
	s := harness.Apart(t, outsideSite(issuer))
	admin := []string{"--address", s.Admin()}
	harness.Eventually(t, "the keys are there", func() bool {
		_, printed, _ := grant(t, s.Dir, "", append([]string{"status"}, admin...)...)
		return strings.Contains(printed, issuer.URL) && strings.Contains(printed, "1 key")
	})
	var listed []map[string]any
	_, printed, stderr := grant(t, s.Dir, "", append([]string{"status", "--issuers", "--json"}, admin...)...)
	if err := json.Unmarshal([]byte(printed), &listed); err != nil || len(listed) != 1 || listed[0]["issuer"] != issuer.URL || listed[0]["keys"] != 1.0 || stderr != "" {
		t.Errorf("as JSON: %v\n%s%s", err, printed, stderr)
	}
	if _, printed, _ := grant(t, s.Dir, "", append([]string{"status", "--issuers"}, admin...)...); !strings.HasPrefix(printed, "OUTSIDE ISSUER") || !strings.Contains(printed, issuer.URL) {
		t.Errorf("it prints %s", printed)
	}
	if _, printed, _ := grant(t, s.Dir, "", append([]string{"status", "--json"}, admin...)...); printed != "[]\n" {
		t.Errorf("the servers are %s", printed)
	}
	issuer.Down()
	s.Reload("", strings.Replace(outsideSite(issuer), "issuer "+issuer.URL, "issuer "+issuer.URL+"/other", 1)) // another one, whose first keys do not come
	harness.Eventually(t, "the error is shown", func() bool {
		_, printed, _ := grant(t, s.Dir, "", append([]string{"status"}, admin...)...)
		return strings.Contains(printed, "no keys yet") && strings.Contains(printed, "connection refused")
	})
	for method, want := range map[string]int{"GET": 200, "POST": 405} {
		r, err := http.NewRequestWithContext(t.Context(), method, "http://"+s.Admin()+"/grant/issuers", nil)
		if err != nil {
			t.Fatal(err)
		}
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != want {
			t.Errorf("%s: %d", method, response.StatusCode)
		}
	}
}

// A query of jwks_url may be what lets Caddy get the keys.
func TestAListOfIssuersHasNoQueries(t *testing.T) {
	issuer := outside.New(t, outside.Options{})
	site := strings.Replace(outsideSite(issuer), "audience ", "jwks_url "+issuer.URL+"/keys?key=hunter2\n\t\t\taudience ", 1)
	s := harness.Apart(t, strings.Replace(site, "\trespond", "\tbearer_auth /other {\n\t\tissuer "+issuer.URL+" {\n\t\t\taudience other\n\t\t}\n\t}\n\trespond", 1))
	_, printed, _ := grant(t, s.Dir, "", "status", "--issuers", "--address", s.Admin())
	for _, want := range []string{"(keys of " + issuer.URL + "/keys)", "(keys of its metadata)"} {
		if !strings.Contains(printed, want) || strings.Contains(printed, "hunter2") {
			t.Errorf("no %q in %s", want, printed)
		}
	}
	r, err := http.NewRequestWithContext(t.Context(), "GET", "http://"+s.Admin()+"/grant/issuers", nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil || !strings.Contains(string(body), `"jwks_url":"`+issuer.URL+`/keys"`) || strings.Contains(string(body), "hunter2") {
		t.Errorf("%s, %v", body, err)
	}
}

// keySite has API keys of a user in a file.
const keySite = `http://127.0.0.1:%PORT% {
	token_endpoint {
		scopes read write
		allow_weak_hashes
		client web {
			public
		}
		users    json  %DIR%/users.json
		api_keys lines %DIR%/keys
	}
	bearer_auth {
		keys
	}
	respond in
}
`

// An API key is explained by its name and its owner, and never printed.
func TestExplainAnAPIKey(t *testing.T) {
	key, expired, ownerless, unknown := apikey.Make(), apikey.Make(), apikey.Make(), apikey.Make()
	users := func(s *harness.Site, disabled bool) {
		writeJSON(t, s, "users.json", map[string]any{"users": []map[string]any{{"username": "alice", "password_hash": harness.HashCheap, "disabled": disabled}}})
	}
	s := harness.ApartIn(t, keySite, func(s *harness.Site) {
		users(s, false)
		s.Write("keys", "deploy "+apikey.DigestOf(key).Hash()+" user=alice scopes=read,reed\n"+
			"old "+apikey.DigestOf(expired).Hash()+" user=alice expires=2020-01-31\n"+
			"nightly "+apikey.DigestOf(ownerless).Hash()+" user=carol\n")
	})
	admin := []string{"--address", s.Admin()}
	offline := []string{"--offline", "--config", s.Write("Caddyfile", s.Expand(keySite)), "--adapter", "caddyfile"}
	for _, args := range [][]string{admin, offline} {
		status, x := explainedBy(t, s, key, args...)
		if status != 0 || !x.Active || x.Kind != "api_key" || x.Claims != nil || !strings.Contains(x.Checks[1].Found, `"deploy"`) || !strings.Contains(x.Checks[3].Found, `the user "alice"`) {
			t.Errorf("%v: status %d, %+v", args, status, x)
		}
		if last := x.Checks[len(x.Checks)-1]; last.Check != "scope" || last.Found != `its line names "read", "reed", and it has "read": its owner cannot have "reed"` {
			t.Errorf("%v: %+v", args, last)
		}
		for _, header := range []string{"X-Api-Key: ", "x-api-key:", "Authorization: Bearer "} {
			if status, x := explainedBy(t, s, header+key, args...); status != 0 || x.Kind != "api_key" {
				t.Errorf("%s: status %d, %+v", header, status, x)
			}
		}
		for _, test := range []struct {
			key, check, says string
			args             []string
		}{
			{key[:len(key)-1] + "_", "format", "not a whole API key", nil},
			{unknown, "key", "no API key has its hash", nil},
			{expired, "expiry", "it expired", nil},
			{ownerless, "owner", `the user "carol"`, nil},
			{key, "scope", `it has "read"`, []string{"--scope", "write"}},
			{key, "audience", "it names no audience", []string{"--audience", "app"}},
		} {
			status, x := explainedBy(t, s, test.key, append(args, test.args...)...)
			wantFailing(t, x, test.check, test.says)
			if status != 1 {
				t.Errorf("%s: status %d", test.says, status)
			}
		}
	}
	// It is no fault of Caddy's that a key, or a token of its own, is not an outside issuer's.
	if errs := s.Logged(func(line map[string]any) bool { return line["level"] == "error" }); len(errs) > 0 {
		t.Errorf("the log has %v", errs)
	}
	users(s, true)
	harness.Eventually(t, "the owner is disabled", func() bool {
		_, x := explainedBy(t, s, key, admin...)
		last := x.Checks[len(x.Checks)-1]
		return !x.Active && last.Check == "owner" && strings.Contains(last.Found, "disabled")
	})
}
