package bearer

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
)

func startAbuse(t *testing.T, options, handlers string) (*harness.Site, *harness.App) {
	t.Helper()
	app, s := harness.NewApp(t), harness.NewSite(t)
	s.Write("users.json", strings.Replace(hygieneUsers, "\n]}", `,
	{"username": " alice", "password_hash": "`+harness.HashCheap+`", "claims": {"email": "bob@example.com "}}
]}`, 1))
	s.Reload(options, "http://127.0.0.1:%PORT% {\n"+hygieneEndpoint+app.In(handlers)+"}\n")
	return s, app
}

// I18: a check may refuse before the next one is asked.
func TestARefusalByOneCheckRemovesTheHeadersOfAll(t *testing.T) {
	s, app := startAbuse(t, "", `
	bearer_auth /private* {
		scopes write
		copy_claims sub>X-User
	}
	bearer_auth {
		optional
		copy_claims email>X-Email
	}
	reverse_proxy %APP%
	handle_errors {
		reverse_proxy %APP%
	}
`)
	s.Do(s.Request("GET", "/private", "", "X-Email: admin@example.com"))
	app.One(t).WantIdentity(t, "X-Email", "")
}

// I18 is about identity headers; what else a client sends is the app's.
func TestOtherTrailersReachTheApp(t *testing.T) {
	for name, claims := range map[string]string{"without copy_claims": "", "with copy_claims": "copy_claims sub>X-User"} {
		t.Run(name, func(t *testing.T) {
			s, app := startAbuse(t, "", "\tbearer_auth {\n\t\t"+claims+"\n\t}\n\treverse_proxy %APP%\n")
			s.Exchange(s.Spelled("POST", "/", harness.Bearer(s.Token("alice")), "Transfer-Encoding: chunked", "Trailer: X-Digest") + "5\r\nhello\r\n0\r\nX-Digest: abc\r\n\r\n")
			if got := app.One(t).Trailer.Get("X-Digest"); got != "abc" {
				t.Errorf("the app gets the trailer X-Digest %q, want abc", got)
			}
		})
	}
}

// I18: PHP takes X.User for X_User, see GHSA-49wc-4hcv-v58q.
func TestADotIsAnAlias(t *testing.T) {
	s, app := startAbuse(t, "servers {\n\t\texpected_dot_headers X.User\n\t}", `
	bearer_auth {
		optional
		copy_claims sub>X-User
	}
	reverse_proxy %APP%
`)
	s.Do(s.Request("GET", "/", "", "X.User: admin"))
	app.One(t).WantIdentity(t, "X-User", "")
	s.Do(s.Request("GET", "/", "", harness.Bearer(s.Token("alice")), "X.User: admin"))
	app.One(t).WantIdentity(t, "X-User", "alice")
}

// I18: the same in a trailer.
func TestADotIsAnAliasInTrailers(t *testing.T) {
	s, app := startAbuse(t, "", "\tbearer_auth {\n\t\toptional\n\t\tcopy_claims sub>X-User\n\t}\n\treverse_proxy %APP%\n")
	s.Exchange(s.Spelled("POST", "/", "Transfer-Encoding: chunked", "Trailer: X.User") + "5\r\nhello\r\n0\r\nX.User: admin\r\n\r\n")
	app.One(t).WantIdentity(t, "X-User", "")
}

// I21: HTTP drops the spaces, and " alice" would be alice.
func TestAValueWithSpacesAroundItIsNotSent(t *testing.T) {
	s, app := startAbuse(t, "", `
	bearer_auth {
		copy_claims sub>X-User email>X-Email
	}
	reverse_proxy %APP%
`)
	s.Do(s.Request("GET", "/", "", harness.Bearer(s.Token(" alice"))))
	received := app.One(t)
	received.WantIdentity(t, "X-User", "")  // not "alice", another user
	received.WantIdentity(t, "X-Email", "") // "bob@example.com "
}

// I19: what is stripped is the client's token, not what the site put in its place.
func TestACheckLeavesTheAuthorizationThatTheSiteSets(t *testing.T) {
	s, app := startAbuse(t, "", `
	bearer_auth {
		copy_claims sub>X-User
	}
	request_header Authorization "Basic YXBwOnNlY3JldA=="
	handle /inner {
		bearer_auth {
			scopes read
		}
		reverse_proxy %APP%
	}
	reverse_proxy %APP%
`)
	for _, path := range []string{"/", "/inner"} {
		s.Do(s.Request("GET", path, "", harness.Bearer(s.Token("alice")))).Want(t, 200, "")
		if got := app.One(t).Header.Get("Authorization"); got != "Basic YXBwOnNlY3JldA==" {
			t.Errorf("%s: the app gets the Authorization %q", path, got)
		}
	}
}

// I1: bad credentials of the scheme are not those of another.
func TestATabAfterBearerIsNotAnonymous(t *testing.T) {
	s, app := startAbuse(t, "", `
	bearer_auth {
		optional
	}
	reverse_proxy %APP%
`)
	a := s.Exchange(s.Spelled("GET", "/", "Authorization: Bearer\ta.b.c"))
	if seen := app.Take(); a.Status == 200 || len(seen) > 0 {
		t.Errorf("got %d, and the app %v", a.Status, seen)
	}
}

// I4: the token is good, so its user and client are known.
func TestTheLogOfAGoodTokenWithTooLittleScopeSaysWhose(t *testing.T) {
	s, _ := startAbuse(t, "", `
	bearer_auth {
		scopes write
	}
	reverse_proxy %APP%
`)
	s.Do(s.Request("GET", "/", "", harness.Bearer(s.Token("bob", "scope", "read")))).Want(t, 403, "")
	lines := s.Logged(func(line map[string]any) bool { return line["logger"] == "http.handlers.bearer_auth" })
	if len(lines) != 1 || lines[0]["user_id"] != "u-2" || lines[0]["client_id"] != "web" {
		t.Errorf("%v", lines)
	}
}

// A server that was not provisioned because of another error is not missing.
func TestValidateDoesNotBlameABearerAuthForAnotherError(t *testing.T) {
	t.Parallel()
	s := harness.NewSite(t)
	s.Write("caddyfile", s.Expand("{\n\tadmin off\n\tstorage file_system \"%DIR%/storage\"\n}\nhttp://127.0.0.1:%PORT% {\n\troute {\n\t\tbearer_auth {\n\t\t\toptional\n\t\t}\n\t\t"+
		"request_header X-A \"(\" b\n\t\ttoken_endpoint {\n\t\t\tuser alice "+harness.HashCheap+"\n\t\t\tclient web {\n\t\t\t\tpublic\n\t\t\t}\n\t\t}\n\t}\n}\n"))
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	output, err := harness.CaddyCommand(ctx, t, s.Dir, "validate", "--config", "caddyfile", "--adapter", "caddyfile").CombinedOutput()
	if err == nil {
		t.Fatalf("it is valid:\n%s", output)
	}
	if strings.Contains(string(output), "there is no token_endpoint") {
		t.Errorf("there is a token_endpoint:\n%s", output)
	}
}

// L5: an empty list is left out.
func TestMetadataWithoutAnyClientHasNoNull(t *testing.T) {
	app, s := harness.NewApp(t), harness.NewSite(t)
	s.Write("clients.json", `{"clients": []}`)
	if err := s.TryReload("", app.In(harness.MetadataSite("issuer https://api.example.com\nclients json %DIR%/clients.json"))); err != nil {
		t.Log(err)
		return
	}
	a := s.Do(s.Request("GET", harness.WellKnown, ""))
	if strings.Contains(string(a.Body), "null") {
		t.Errorf("%s", a.Body)
	}
}

// I18: CGI makes one variable of X-User and X_User.
func TestTwoSpellingsOfOneHeaderAreOneHeader(t *testing.T) {
	s, app := startAbuse(t, "", `
	bearer_auth {
		copy_claims sub>X-User
	}
	handle {
		bearer_auth {
			copy_claims email>X_User
		}
		reverse_proxy %APP%
	}
`)
	s.Do(s.Request("GET", "/", "", harness.Bearer(s.Token("alice"))))
	if got := app.One(t).Identity("X-User"); len(got) != 1 {
		t.Errorf("a CGI app gets two values of one variable: %q", got)
	}
}

// H9: what is refused in a token is not put into one.
func TestAClaimThatWouldMakeEveryTokenBadIsRefusedAtLoad(t *testing.T) {
	app, s := harness.NewApp(t), harness.NewSite(t)
	s.WriteOld("users.json", `{"users": [{"username": "alice", "password_hash": "`+harness.HashCheap+`", "claims": {"huge": 1e400}}]}`)
	if err := s.TryReload("", app.In("http://127.0.0.1:%PORT% {\n"+hygieneEndpoint+"\tbearer_auth\n\treverse_proxy %APP%\n}\n")); err != nil {
		return // refused at load is fine
	}
	if a := s.Do(s.Request("GET", "/", "", harness.Bearer(s.Token("alice")))); a.Status != 200 {
		t.Errorf("got %d: %s", a.Status, s.LastReason())
	}
}
