package bearer

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
)

// optionsEndpoint is the server of the sites here, which are the handlers after it.
const optionsEndpoint = `	log
	token_endpoint {
		client web {
			secret web-secret
			scopes read write
		}
		client other {
			secret web-secret
			audience https://other.example.com
		}
		user alice ` + harness.HashCheap + `
	}
`

func startOptions(t *testing.T, handlers string) (*harness.Site, *harness.App) {
	t.Helper()
	app := harness.NewApp(t)
	return harness.Start(t, "http://127.0.0.1:%PORT% {\n"+optionsEndpoint+app.In(handlers)+"}\n"), app
}

// edgeCase is a request, how it is answered, and the Authorization that the app gets.
type edgeCase struct {
	name          string
	authorization string
	path          string
	status        int
	forwarded     string // "-": the app is not asked
	user          string // X-User
}

func (c edgeCase) run(t *testing.T, s *harness.Site, app *harness.App) {
	t.Helper()
	t.Run(c.name, func(t *testing.T) {
		app.Take()
		var headers []string
		if c.authorization != "" {
			headers = append(headers, "Authorization: "+c.authorization)
		}
		a := s.Do(s.Request("GET", c.path, "", headers...))
		if a.Status != c.status {
			t.Fatalf("got %d %s, want %d", a.Status, a.Body, c.status)
		}
		if c.forwarded == "-" {
			if seen := app.Take(); len(seen) > 0 {
				t.Fatalf("the app received %v", seen)
			}
			return
		}
		received := app.One(t)
		if got := received.Header.Get("Authorization"); got != c.forwarded {
			t.Errorf("the app gets the Authorization %q, want %q", got, c.forwarded)
		}
		received.WantIdentity(t, "X-User", c.user)
	})
}

func TestOptionalAndForwardedTokens(t *testing.T) {
	s, app := startOptions(t, `
	bearer_auth /stripped {
		copy_claims sub>X-User
	}
	bearer_auth /kept {
		copy_claims sub>X-User
		forward_token
	}
	bearer_auth /optional* {
		optional
		copy_claims sub>X-User
	}
	bearer_auth /optional/kept {
		optional
		forward_token
		copy_claims sub>X-User
	}
	reverse_proxy %APP%
`)
	good := "Bearer " + s.Token("alice")
	login := strings.TrimPrefix(harness.Basic("alice", "x"), "Authorization: ")
	for _, c := range []edgeCase{
		{"I19: a token is not for the app", good, "/stripped", 200, "", "alice"},
		{"I19: unless it is forwarded", good, "/kept", 200, good, "alice"},
		{"I19: a token of a path that is not checked is left alone", good, "/open", 200, good, ""},
		{"I19: and so is a bad one", "Bearer x", "/open", 200, "Bearer x", ""},
		{"I19: and Basic", login, "/open", 200, login, ""},
		{"optional: a request without a token passes as anonymous", "", "/optional", 200, "", ""},
		{"optional: a token counts", good, "/optional", 200, "", "alice"},
		{"optional: a bad token does not pass", "Bearer x", "/optional", 401, "-", ""},
		{"optional: a malformed header does not pass", "Bearer", "/optional", 400, "-", ""},
		{"optional: a header with two tokens does not pass", good + "," + good, "/optional", 400, "-", ""},
		{"optional: a token in the query does not pass", "", "/optional?access_token=x", 400, "-", ""},
		{"optional: Basic is anonymous and stays", login, "/optional", 200, login, ""},
		{"optional: any other scheme is anonymous and stays", "Negotiate abc", "/optional", 200, "Negotiate abc", ""},
		{"not optional: Basic is refused", login, "/stripped", 401, "-", ""},
	} {
		c.run(t, s, app)
	}
	t.Run("optional: two headers do not pass", func(t *testing.T) {
		s.Do(s.Request("GET", "/optional", "", "Authorization: "+login, "Authorization: "+login)).Want(t, 400, "")
	})
}

func TestShadowChangesNothingButLogs(t *testing.T) {
	s, app := startOptions(t, `
	bearer_auth {
		shadow
		scopes read write
		copy_claims sub>X-User
	}
	respond /who "{http.auth.user.id}"
	reverse_proxy %APP%
`)
	good, narrow := "Bearer "+s.Token("alice"), "Bearer "+s.Token("alice", "scope", "read")
	for _, c := range []struct {
		edgeCase
		reason string
	}{
		{edgeCase{"shadow: a good token passes as it is", good, "/", 200, good, ""}, ""},
		{edgeCase{"shadow: a bad token passes", "Bearer x", "/", 200, "Bearer x", ""}, "not a signed token in compact form"},
		{edgeCase{"shadow: a request without a token passes", "", "/", 200, "", ""}, "no Authorization header"},
		{edgeCase{"shadow: a malformed header passes", "Bearer", "/", 200, "Bearer", ""}, "the Authorization header is malformed"},
		{edgeCase{"shadow: too little scope passes", narrow, "/", 200, narrow, ""}, "the token lacks a scope"},
		{edgeCase{"shadow: a token in the query passes", "", "/?access_token=x", 200, "", ""}, "the query has an access_token"},
	} {
		before := len(s.Reasons())
		c.run(t, s, app)
		if reasons := s.Reasons()[before:]; c.reason == "" && len(reasons) > 0 || c.reason != "" && !slices.Equal(reasons, []string{c.reason}) {
			t.Errorf("%s: the log says %q, want %q", c.name, reasons, c.reason)
		}
	}
	if lines := s.Logged(func(line map[string]any) bool { return line["msg"] == "request would be refused" }); len(lines) != 5 {
		t.Errorf("%d lines say that a request would be refused, want 5", len(lines))
	}
	if a := s.Do(s.Request("GET", "/who", "", "Authorization: "+good)); a.Status != 200 || len(a.Body) > 0 {
		t.Errorf("shadow: a placeholder is set: %q", a.Body)
	}
}

func TestAudiences(t *testing.T) {
	t.Setenv("BEARER_TEST_AUDIENCE", "https://other.example.com")
	s, app := startOptions(t, `
	bearer_auth /any
	bearer_auth /other {
		audience https://third.example.com {env.BEARER_TEST_AUDIENCE}
	}
	bearer_auth /third {
		audience https://third.example.com
	}
	reverse_proxy %APP%
`)
	web, other := "Bearer "+s.Token("alice"), "Bearer "+s.Token("alice", "client_id", "other")
	for _, c := range []edgeCase{
		{"I11: a server without an audience asks for none", web, "/any", 200, "", ""},
		{"I11: and takes any", other, "/any", 200, "", ""},
		{"I11: one of several is enough", other, "/other", 200, "", ""},
		{"I11: no audience is not enough", web, "/other", 401, "-", ""},
		{"I11: another audience is not enough", other, "/third", 401, "-", ""},
	} {
		c.run(t, s, app)
	}
}

func TestAStricterCheckInsideAWiderOne(t *testing.T) {
	s, app := startOptions(t, `
	bearer_auth {
		copy_claims sub>X-User
	}
	handle /write* {
		bearer_auth {
			scopes write
		}
		reverse_proxy %APP%
	}
	route /aud* {
		bearer_auth {
			audience https://other.example.com
			forward_token
		}
		reverse_proxy %APP%
	}
	reverse_proxy %APP%
`)
	wide, narrow, other := "Bearer "+s.Token("alice"), "Bearer "+s.Token("alice", "scope", "read"), "Bearer "+s.Token("alice", "client_id", "other")
	for _, c := range []edgeCase{
		{"the wider check lets a narrow token pass", narrow, "/", 200, "", "alice"},
		{"the stricter one refuses it", narrow, "/write", 403, "-", ""},
		{"a wide token passes both", wide, "/write", 200, "", "alice"},
		{"the inner one decides what is forwarded of the token that the wider one took away", other, "/aud", 200, other, "alice"},
		{"and its audience", wide, "/aud", 401, "-", ""},
		{"a request without a token does not pass either", "", "/write", 401, "-", ""},
	} {
		c.run(t, s, app)
	}
}

func TestServersAreToldApartByName(t *testing.T) {
	app := harness.NewApp(t)
	server := func(name string) string {
		return `	token_endpoint /` + name + `/token {
		name ` + name + `
		signing_key HS256 ` + harness.SharedSecret + `
		client web {
			secret web-secret
		}
		user alice ` + harness.HashCheap + `
	}
`
	}
	// one secret for both, so nothing but cver keeps their tokens apart
	otherPort := harness.FreePort(t)
	s := harness.Start(t, app.In(`http://127.0.0.1:%PORT% {
`+server("one")+server("two")+`
	bearer_auth /needs-one one
	bearer_auth /needs-two two
	reverse_proxy %APP%
}
http://127.0.0.1:`+strconv.Itoa(otherPort)+` {
	bearer_auth one {
		copy_claims sub>X-User
	}
	reverse_proxy %APP%
}
`))
	tokens := make(map[string]string)
	for _, name := range []string{"one", "two"} {
		a := s.Post("/"+name+"/token", "grant_type=password&username=alice&password=correct+horse&client_id=web&client_secret=web-secret")
		tokens[name] = "Bearer " + a.Text(t, "access_token")
	}
	otherSite := fmt.Sprintf("http://127.0.0.1:%d/", otherPort)
	for _, c := range []edgeCase{
		{"the token of one for one", tokens["one"], "/needs-one", 200, "", ""},
		{"the token of two for two", tokens["two"], "/needs-two", 200, "", ""},
		{"the token of one is refused by two", tokens["one"], "/needs-two", 401, "-", ""},
		{"the token of two is refused by one", tokens["two"], "/needs-one", 401, "-", ""},
		{"another site trusts one by name", tokens["one"], otherSite, 200, "", "alice"},
		{"another site that trusts one refuses two", tokens["two"], otherSite, 401, "-", ""},
	} {
		c.run(t, s, app)
	}
	a := s.Do(s.Request("GET", "/needs-two", ""))
	if got := a.Header.Get("WWW-Authenticate"); got != `Bearer realm="two"` {
		t.Errorf("I8: the realm is that of the server: %s", got)
	}
}

// The endpoint comes before a check without a matcher, or no client could get a first
// token.
func TestASiteWideCheckDoesNotLockTheEndpointOut(t *testing.T) {
	for name, handlers := range map[string]string{
		"on its own":                    "\tbearer_auth\n\treverse_proxy %APP%\n",
		"with a matcher for everything": "\tbearer_auth *\n\treverse_proxy %APP%\n",
		"inside a route":                "\troute {\n\t\tbearer_auth\n\t\treverse_proxy %APP%\n\t}\n",
	} {
		t.Run(name, func(t *testing.T) {
			s, app := startOptions(t, handlers)
			token := s.Token("alice")
			s.Do(s.Request("GET", "/token/jwks", "")).Want(t, 200, "")
			s.Do(s.Request("GET", "/token/nothing", "")).Want(t, 404, "invalid_request")
			s.Do(s.Request("GET", "/", "")).Want(t, 401, "")
			s.Do(s.Request("GET", "/", "", harness.Bearer(token))).Want(t, 200, "")
			// no endpoint answers OPTIONS, so the check does (I23; the README has the
			// recipe)
			s.Do(s.Request(http.MethodOptions, "/token", "")).Want(t, 401, "")
			if seen := app.Take(); len(seen) != 1 {
				t.Errorf("the app received %d requests, want 1", len(seen))
			}
		})
	}
}
