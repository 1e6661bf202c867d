package bearer

import (
	"context"
	"encoding/json"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
)

// Errors of bearer_auth in a Caddyfile name what is wrong and the line, which is 2 for
// the directive and 3 for the first line of its block.
func TestErrorsOfBearerAuthInACaddyfile(t *testing.T) {
	for _, test := range []struct{ name, directive, want, line string }{
		{"a name with a capital", "bearer_auth Api", `"Api" is not a valid server name`, ":2"},
		{"a name that is a path after a matcher", "bearer_auth /a /b", `"/b" is not a valid server name`, ":2"},
		{"a name that is too long", "bearer_auth " + strings.Repeat("a", 33), "is not a valid server name", ":2"},
		{"an empty name", `bearer_auth ""`, "is not a valid server name", ":2"},
		{"a name that is no matcher", "bearer_auth Closed", "a matcher comes first, and begins with @ or /", ":2"},
		{"the name of a matcher without its sign", "bearer_auth Closed\n\t@Closed path /a", "this site has a matcher @Closed: a matcher begins with @", ":2"},
		{"such a name before that of an endpoint", "bearer_auth closed api\n\t@closed path /a", "this site has a matcher @closed: a matcher begins with @", ":2"},
		{"such a name after that of an endpoint", "bearer_auth api closed\n\t@closed path /a", "this site has a matcher @closed: a matcher begins with @", ":2"},
		{"a matcher after a name that is there", "bearer_auth api @m\n\t@m path /a", "a matcher comes first", ":2"},
		{"two names", "bearer_auth api web", `"web" is one too many`, ":2"},
		{"two names after a matcher", "bearer_auth /a api web", `"web" is one too many`, ":2"},
		{"a matcher after the name", "bearer_auth api @m", `"@m" is one too many`, ":2"},
		{"an unknown matcher, which Caddy finds", "bearer_auth @nobody", "unrecognized matcher name: @nobody", ""},
		{"an unknown subdirective", "bearer_auth {\n\t\tscope read\n\t}", "unrecognized subdirective scope", ":3"},
		{"scopes without any", "bearer_auth {\n\t\tscopes\n\t}", "scopes takes one argument or more", ":3"},
		{"an empty scope", "bearer_auth {\n\t\tscopes read \"\"\n\t}", "scopes takes one argument or more", ":3"},
		{"a scope with a quote", "bearer_auth {\n\t\tscopes re\\\"ad\n\t}", "scopes", ":3"},
		{"a scope with a space", "bearer_auth {\n\t\tscopes \"read write\"\n\t}", "scopes", ":3"},
		{"scopes on two lines", "bearer_auth {\n\t\tscopes read\n\t\tscopes write\n\t}", "duplicate subdirective scopes", ":4"},
		{"audience without any", "bearer_auth {\n\t\taudience\n\t}", "audience takes one argument or more", ":3"},
		{"audience on two lines", "bearer_auth {\n\t\taudience a\n\t\taudience b\n\t}", "duplicate subdirective audience", ":4"},
		{"copy_claims without any", "bearer_auth {\n\t\tcopy_claims\n\t}", "copy_claims takes one argument or more", ":3"},
		{"copy_claims without a header", "bearer_auth {\n\t\tcopy_claims sub\n\t}", "copy_claims sub: write claim>Header", ":3"},
		{"copy_claims with spaces", "bearer_auth {\n\t\tcopy_claims sub > X-User\n\t}", "copy_claims sub: write claim>Header", ":3"},
		{"copy_claims without a claim", "bearer_auth {\n\t\tcopy_claims >X-User\n\t}", "a claim has no name", ":3"},
		{"a header of keys with an underscore", "bearer_auth {\n\t\tkeys X_Api_Key\n\t}", "the header X_Api_Key has a _ in its name, and Caddy and other servers drop such headers, or take them for others: write X-Api-Key", ":3"},
		{"a header of keys with a dot", "bearer_auth {\n\t\tkeys X_Odd.Key\n\t}", "write X-Odd-Key", ":3"},
		{"a header of keys with another character", "bearer_auth {\n\t\tkeys X~Key\n\t}", "has a ~ in its name", ":3"},
		{"copy_claims with an empty header", "bearer_auth {\n\t\tcopy_claims sub>\n\t}", `"" is not the name of a header`, ":3"},
		{"copy_claims with a header that is none", "bearer_auth {\n\t\tcopy_claims sub>X:User\n\t}", `"X:User" is not the name of a header`, ":3"},
		{"copy_claims with two headers", "bearer_auth {\n\t\tcopy_claims sub>X-User>X-Name\n\t}", `"X-User>X-Name" is not the name of a header`, ":3"},
		{"copy_claims with a reserved header", "bearer_auth {\n\t\tcopy_claims sub>X-User sub>Host\n\t}", "the header Host has a meaning of its own", ":3"},
		{"copy_claims with one header twice", "bearer_auth {\n\t\tcopy_claims sub>X-User email>X-User\n\t}", "duplicate header X-User", ""},
		{"copy_claims with two spellings of one", "bearer_auth {\n\t\tcopy_claims sub>X-User\n\t\tcopy_claims email>x_user\n\t}", "duplicate header x_user", ""},
		{"open without any", "bearer_auth {\n\t\topen\n\t}", "open takes one argument or more", ":3"},
		{"open with an empty path", "bearer_auth {\n\t\topen \"\"\n\t}", "open takes one argument or more", ":3"},
		{"open with a path that is not absolute", "bearer_auth {\n\t\topen healthz\n\t}", "open healthz: a path begins with a slash: write /healthz", ":3"},
		{"open with the names of files", "bearer_auth {\n\t\topen *.css\n\t}", "open *.css: a * can only be all of the last segment", ":3"},
		{"open with a matcher", "bearer_auth {\n\t\topen @healthz\n\t}", "open @healthz: it takes paths, not a matcher", ":3"},
		{"open with everything", "bearer_auth {\n\t\topen /*\n\t}", "open /*: it would leave nothing to check", ":3"},
		{"open with a star", "bearer_auth {\n\t\topen *\n\t}", "open *: it would leave nothing to check", ":3"},
		{"open with a wildcard for a part of a segment", "bearer_auth {\n\t\topen /assets*\n\t}", "a * can only be all of the last segment", ":3"},
		{"open with a wildcard in the middle", "bearer_auth {\n\t\topen /*/x\n\t}", "a * can only be all of the last segment", ":3"},
		{"open with two wildcards", "bearer_auth {\n\t\topen /a/*/*\n\t}", "a * can only be all of the last segment", ":3"},
		{"open with a suffix", "bearer_auth {\n\t\topen /a/*.js\n\t}", "a * can only be all of the last segment", ":3"},
		{"open with a dot segment", "bearer_auth {\n\t\topen /a/../b\n\t}", "a segment must not end with a dot", ":3"},
		{"open with a dot at the end", "bearer_auth {\n\t\topen /a./*\n\t}", "a segment must not end with a dot", ":3"},
		{"open with two slashes", "bearer_auth {\n\t\topen //a\n\t}", "some apps read two slashes as one", ":3"},
		{"open with two slashes before the star", "bearer_auth {\n\t\topen /a//*\n\t}", "some apps read two slashes as one", ":3"},
		{"open with an escape", "bearer_auth {\n\t\topen /a%20b\n\t}", "write letters as they are", ":3"},
		{"open with a space", "bearer_auth {\n\t\topen \"/a b\"\n\t}", "that is percent-encoded in requests", ":3"},
		{"open with a backslash", "bearer_auth {\n\t\topen /a\\b\n\t}", "that is percent-encoded in requests", ":3"},
		{"open with a zero-width space", "bearer_auth {\n\t\topen /a\u200b\n\t}", "that is percent-encoded in requests", ":3"},
		{"open with a query", "bearer_auth {\n\t\topen /a?b\n\t}", "leave out the query", ":3"},
		{"open with a semicolon", "bearer_auth {\n\t\topen /a;b\n\t}", "some apps cut a path at a semicolon", ":3"},
		{"open with a placeholder", "bearer_auth {\n\t\topen /{env.A}\n\t}", "placeholders are not replaced here", ":3"},
		{"open with one path twice", "bearer_auth {\n\t\topen /a\n\t\topen /b /a\n\t}", "open /a: duplicate path", ":4"},
		{"upgrade without any", "bearer_auth {\n\t\tupgrade\n\t}", "upgrade takes one argument or more", ":3"},
		{"upgrade to h2c", "bearer_auth {\n\t\tupgrade tcp H2C\n\t}", "upgrade: with H2C a client would send the app requests that are not checked", ":3"},
		{"upgrade to anything", "bearer_auth {\n\t\tupgrade *\n\t}", `upgrade: "*" is not a protocol`, ":3"},
		{"upgrade on two lines", "bearer_auth {\n\t\tupgrade tcp\n\t\tupgrade foo\n\t}", "duplicate subdirective upgrade", ":4"},
		{"an unknown subdirective near open", "bearer_auth {\n\t\topne /a\n\t}", "did you mean open?", ":3"},
		{"forward_token with an argument", "bearer_auth {\n\t\tforward_token yes\n\t}", "forward_token takes no argument", ":3"},
		{"optional with an argument", "bearer_auth {\n\t\toptional on\n\t}", "optional takes no argument", ":3"},
		{"shadow with an argument", "bearer_auth {\n\t\tshadow on\n\t}", "shadow takes no argument", ":3"},
		{"off with an argument", "bearer_auth {\n\t\toff yes\n\t}", "off takes no argument", ":3"},
		{"off beside scopes", "bearer_auth {\n\t\toff\n\t\tscopes a\n\t}", "off: it checks nothing", ""},
		{"off behind a matcher", "bearer_auth /a {\n\t\toff\n\t}", "off: it checks nothing", ""},
		{"shadow twice", "bearer_auth {\n\t\tshadow\n\t\tshadow\n\t}", "duplicate subdirective shadow", ":4"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := harness.Adapt("localhost {\n\t" + test.directive + "\n}\n")
			if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(strings.ToLower(err.Error()), "caddyfile"+test.line) {
				t.Errorf("got %v, want %q at Caddyfile%s", err, test.want, test.line)
			}
		})
	}
}

// The matcher is the handler's, not the route's, so that the handler stands in the way
// of all requests.
func TestWhatBearerAuthAdaptsTo(t *testing.T) {
	for _, test := range []struct{ name, directive, want string }{
		{"alone", "bearer_auth", `{"handler": "bearer_auth", "defined_at": "Caddyfile:2"}`},
		{"with a matcher for everything", "bearer_auth *", `{"handler": "bearer_auth", "defined_at": "Caddyfile:2"}`},
		{"off", "bearer_auth {\n\t\toff\n\t}", `{"handler": "bearer_auth", "off": true, "defined_at": "Caddyfile:2"}`},
		{"with a name", "bearer_auth api", `{"handler": "bearer_auth", "server": "api", "defined_at": "Caddyfile:2"}`},
		{"with a path", "bearer_auth /v1/*", `{"handler": "bearer_auth", "match": [{"path": ["/v1/*"]}], "defined_at": "Caddyfile:2"}`},
		{"with all", `bearer_auth @m api {
		scopes        read write
		audience      https://a.example.com {env.AUD}
		open          /healthz /assets/*
		open          /straße
		copy_claims   sub>X-User email>X-Email
		upgrade       tcp SPDY/3.1
		forward_token
		optional
		shadow
	}
	@m method GET`, `{"handler": "bearer_auth", "server": "api", "match": [{"method": ["GET"]}], "open": ["/healthz", "/assets/*", "/straße"], "upgrade": ["tcp", "SPDY/3.1"], "scopes": ["read", "write"],
			"audience": ["https://a.example.com", "{env.AUD}"], "forward_token": true, "optional": true, "shadow": true, "defined_at": "Caddyfile:2",
			"copy_claims": [{"claim": "sub", "header": "X-User"}, {"claim": "email", "header": "X-Email"}]}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			config, err := harness.Adapt("localhost {\n\t" + test.directive + "\n}\n")
			if err != nil {
				t.Fatal(err)
			}
			var parsed struct {
				Apps struct {
					HTTP struct {
						Servers map[string]struct {
							Routes []struct {
								Handle []struct {
									Routes []struct {
										Match  json.RawMessage `json:"match"`
										Handle []any           `json:"handle"`
									} `json:"routes"`
								} `json:"handle"`
							} `json:"routes"`
						} `json:"servers"`
					} `json:"http"`
				} `json:"apps"`
			}
			if err := json.Unmarshal(config, &parsed); err != nil {
				t.Fatal(err)
			}
			route := parsed.Apps.HTTP.Servers["srv0"].Routes[0].Handle[0].Routes[0]
			var want any
			if err := json.Unmarshal([]byte(test.want), &want); err != nil {
				t.Fatal(err)
			}
			if route.Match != nil || len(route.Handle) != 1 || !reflect.DeepEqual(route.Handle[0], want) {
				t.Errorf("got %s, want %s in a route without a matcher", config, test.want)
			}
		})
	}
}

// A name that no endpoint has fails the load, and says where it is.
func TestUnknownServersFailTheLoad(t *testing.T) {
	app := harness.NewApp(t)
	good := app.In("http://127.0.0.1:%PORT% {\n" + optionsEndpoint + "\tbearer_auth\n\treverse_proxy %APP%\n}\n")
	s := harness.Start(t, good)
	token := s.Token("alice")
	lines := strings.Count(harness.GlobalOptions, "\n")
	for _, test := range []struct{ name, sites, want string }{
		{"with other names", strings.Replace(good, "\tbearer_auth\n", "\tbearer_auth /a api\n", 1), `there is no token_endpoint named "api", only ["default"]`},
		{"with none at all", "http://127.0.0.1:%PORT% {\n\tbearer_auth\n}\n", `there is no token_endpoint named "default": add one, to any site, or name another`},
		{"of a matcher without its sign", strings.Replace(good, "\tbearer_auth\n", "\tbearer_auth closed\n\t@closed not path /a\n", 1), `if closed is a matcher, write @closed: the name of a matcher begins with @`},
		{"that only stands in the shadow", strings.Replace(good, "\tbearer_auth\n", "\tbearer_auth api {\n\t\tshadow\n\t}\n", 1), `there is no token_endpoint named "api"`},
	} {
		t.Run(test.name, func(t *testing.T) {
			err := s.TryReload("", test.sites)
			line := lines + strings.Count(test.sites[:strings.Index(test.sites, "\tbearer_auth")], "\n") + 1
			if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), "bearer_auth at Caddyfile:"+strconv.Itoa(line)+":") {
				t.Errorf("got %v, want %q at line %d", err, test.want, line)
			}
			s.Do(s.Request("GET", "/", "", harness.Bearer(token))).Want(t, 200, "") // the old config stays
		})
	}
	t.Run("in a JSON config, without a place", func(t *testing.T) {
		err := s.Load([]byte(harness.JSONConfig(s.Dir, s.Address(), `{"handler": "bearer_auth", "server": "api"}`)))
		if err == nil || !strings.Contains(err.Error(), `bearer_auth at the config: there is no token_endpoint named "api"`) {
			t.Errorf("got %v", err)
		}
	})
}

// `caddy validate` provisions only, so it is the log that tells.
func TestValidateTellsOfUnknownServers(t *testing.T) {
	t.Parallel()
	s := harness.NewSite(t)
	for name, test := range map[string]struct{ directive, want string }{
		"unknown": {"bearer_auth api", `bearer_auth at caddyfile:12: there is no token_endpoint named \"api\", only [\"default\"]`},
		"known":   {"bearer_auth", ""},
	} {
		t.Run(name, func(t *testing.T) {
			s.Write("caddyfile", s.Expand("{\n\tadmin off\n\tstorage file_system \"%DIR%/storage\"\n}\nhttp://127.0.0.1:%PORT% {\n\ttoken_endpoint {\n\t\tuser alice "+
				harness.HashCheap+"\n\t\tclient web {\n\t\t\tpublic\n\t\t}\n\t}\n\t"+test.directive+"\n}\n"))
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			output, err := harness.CaddyCommand(ctx, t, s.Dir, "validate", "--config", "caddyfile", "--adapter", "caddyfile").CombinedOutput()
			if err != nil {
				t.Fatalf("%v\n%s", err, output)
			}
			if got := strings.Contains(string(output), "this config will not start"); got != (test.want != "") || !strings.Contains(string(output), test.want) {
				t.Errorf("got:\n%s\nwant: %s", output, test.want)
			}
			if entries := harness.KeyObjects(t, s.Dir); len(entries) > 0 {
				t.Errorf("it left %v", entries)
			}
		})
	}
}

// A JSON config comes past the Caddyfile, so the handler checks its settings itself.
func TestErrorsOfBearerAuthInJSON(t *testing.T) {
	for name, test := range map[string]struct{ handler, want string }{
		"a scope with a space":      {`"scopes": ["a b"]`, "scopes"},
		"an empty scope":            {`"scopes": [""]`, "scopes"},
		"an unknown placeholder":    {`"audience": ["{env.BEARER_TEST_UNSET}"]`, "audience"},
		"an empty audience":         {`"audience": [""]`, "audience"},
		"a claim without a name":    {`"copy_claims": [{"header": "X-User"}]`, "a claim has no name"},
		"a header that is none":     {`"copy_claims": [{"claim": "sub", "header": "X User"}]`, "is not the name of a header"},
		"a duplicate header":        {`"copy_claims": [{"claim": "sub", "header": "X-User"}, {"claim": "a", "header": "x_user"}]`, "duplicate header"},
		"an open path that is none": {`"open": ["healthz"]`, "open healthz: a path begins with a slash"},
		"everything open":           {`"open": ["/*"]`, "it would leave nothing to check"},
		"an upgrade to h2c":         {`"upgrade": ["h2c"]`, "requests that are not checked"},
		"off beside scopes":         {`"off": true, "scopes": ["a"]`, "off: it checks nothing"},
		"off with a matcher":        {`"off": true, "match": [{"path": ["/a"]}]`, "off: it checks nothing"},
		"off with open paths":       {`"off": true, "open": ["/a"]`, "off: it checks nothing"},
		"an unknown matcher":        {`"match": [{"nobody": {}}]`, "nobody"},
		"an unknown member":         {`"scope": ["read"]`, "scope"},
		"a header with a line end":  {`"copy_claims": [{"claim": "sub", "header": "X-User\r\nX-Role"}]`, "is not the name of a header"},
	} {
		t.Run(name, func(t *testing.T) {
			err := harness.ValidateHandlers(t, "{"+harness.BareHandler+"}", `{"handler": "bearer_auth", `+test.handler+`}`)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}
