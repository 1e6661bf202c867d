package configcheck

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

// warned are the messages of the warnings of a config, with their places.
func warned(http *caddyhttp.App, config Config) []string {
	if config.ListenerHasGap == nil {
		config.ListenerHasGap = func(*caddyhttp.Server) bool { return false }
	}
	core, logs := observer.New(zap.WarnLevel)
	Warn(zap.New(core), http, config)
	var messages []string
	for _, entry := range logs.All() {
		messages = append(messages, fmt.Sprint(entry.Message, " at ", entry.ContextMap()["place"]))
	}
	return messages
}

// From outside, a request belongs to the config; here a matcher may panic at it.
func TestAConfigCausesWarnings(t *testing.T) {
	bearer, endpoint := &handler{"bearer_auth"}, &handler{"token_endpoint"}
	proxy := &reverseproxy.Handler{Upstreams: reverseproxy.UpstreamPool{{Dial: "localhost:9000"}}}
	check := Check{Handler: bearer, DefinedAt: "Caddyfile:3", Server: "default", Applies: func(*http.Request) bool { return true }}
	with := func(change func(*Check)) Config {
		c := check
		change(&c)
		client := Client{ID: "web", MayLogIn: true, Acts: true, Scopes: []string{"a"}}
		return Config{
			Checks:    []Check{c},
			Endpoints: []Endpoint{{Handler: endpoint, Path: "/token"}},
			Servers: []Server{{
				Name: "default", Clients: slices.Values([]Client{client}), UserClaims: slices.Values([]string{"Email"}),
				APIKeys: c.Server == "default" && c.Keys, ClientKey: map[bool]string{true: "nightly"}[c.Clients],
			}},
		}
	}
	guarded := app(route(endpoint), route(bearer, proxy))
	for name, test := range map[string]struct {
		http   *caddyhttp.App
		change func(*Check)
		want   string
	}{
		"nothing":                  {guarded, func(*Check) {}, ""},
		"shadow":                   {guarded, func(c *Check) { c.Shadow = true }, "bearer_auth refuses nothing at Caddyfile:3"},
		"optional":                 {guarded, func(c *Check) { c.Optional = true }, "bearer_auth lets requests without a token pass at Caddyfile:3"},
		"off":                      {guarded, func(c *Check) { c.Off, c.Shadow = true, true }, ""},
		"no line":                  {guarded, func(c *Check) { c.Shadow, c.DefinedAt = true, "" }, "bearer_auth refuses nothing at http/servers/srv0/routes/1/handle/0"},
		"a scope of a client":      {guarded, func(c *Check) { c.Scopes = []string{"a"} }, ""},
		"a scope of none":          {guarded, func(c *Check) { c.Scopes = []string{"b"} }, "no client may ask for the scopes that bearer_auth wants at Caddyfile:3"},
		"another server":           {guarded, func(c *Check) { c.Scopes, c.Server = []string{"b"}, "other" }, ""},
		"a claim of a user":        {guarded, func(c *Check) { c.Claims = []Claim{{"Email", "X-Email"}} }, ""},
		"a claim of a token":       {guarded, func(c *Check) { c.Claims = []Claim{{"scope", "X-Scope"}} }, ""},
		"a claim of none":          {guarded, func(c *Check) { c.Claims = []Claim{{"email", "X-Email"}} }, "copy_claims names a claim that no token has at Caddyfile:3, email"},
		"a client's kind of grant": {guarded, func(c *Check) { c.Claims, c.Clients = []Claim{{"gty", "X-Kind"}}, true }, ""},
		"a client's kind of grant, of users only":                {guarded, func(c *Check) { c.Claims = []Claim{{"gty", "X-Kind"}} }, "copy_claims names a claim that no token has at Caddyfile:3, gty"},
		"the name of a key":                                      {guarded, func(c *Check) { c.Claims, c.Keys = []Claim{{"key_name", "X-Key"}}, true }, ""},
		"the name of a key, without keys":                        {guarded, func(c *Check) { c.Claims = []Claim{{"key_name", "X-Key"}} }, "copy_claims names a claim that no token has at Caddyfile:3, key_name"},
		"iss without an issuer":                                  {guarded, func(c *Check) { c.Claims = []Claim{{"iss", "X-Issuer"}} }, "copy_claims names a claim that no token has at Caddyfile:3, iss"},
		"any claim of an outside issuer":                         {guarded, func(c *Check) { c.Claims, c.Issuers = []Claim{{"a.b", "X-A"}, {"iss", "X-Issuer"}}, 1 }, ""},
		"a scope of a user's key":                                {guarded, func(c *Check) { c.Scopes, c.Keys = []string{"b"}, true }, ""},
		"a claim that a user has":                                {guarded, func(c *Check) { c.Require = []string{"Email", "Email.host", "client_id"} }, ""},
		"a claim that must be there":                             {guarded, func(c *Check) { c.Require = []string{"email"} }, "bearer_auth requires a claim that no token has at Caddyfile:3, email"},
		"a claim that an issuer may have":                        {guarded, func(c *Check) { c.Require, c.Issuers = []string{"email"}, 1 }, ""},
		"e-mail addresses of two issuers":                        {guarded, func(c *Check) { c.Claims, c.Issuers, c.IssuersOnly = []Claim{{"email", "X-Email"}}, 2, true }, "copy_claims gives the app a name that users of several issuers can have alike at Caddyfile:3, email"},
		"e-mail addresses of one issuer":                         {guarded, func(c *Check) { c.Claims, c.Issuers, c.IssuersOnly = []Claim{{"email", "X-Email"}}, 1, true }, ""},
		"an audience beside an issuer":                           {guarded, func(c *Check) { c.Audience, c.Issuers = []string{"a"}, 1 }, ""},
		"an audience beside an issuer that is defined elsewhere": {guarded, func(c *Check) { c.Audience, c.Issuers, c.Referenced = []string{"a"}, 1, 1 }, "an audience is not asked of the tokens of an outside issuer at Caddyfile:3"},
		"keys of users":                                          {guarded, func(c *Check) { c.Keys = true }, ""},
		"keys of clients":                                        {guarded, func(c *Check) { c.Keys, c.Clients = true, true }, ""},
		"a dead matcher":                                         {guarded, func(c *Check) { c.Matchers = caddyhttp.MatcherSets{{&caddyhttp.MatchPath{"app"}}} }, "bearer_auth checks nothing at Caddyfile:3"},
		"the endpoint behind":                                    {app(route(bearer, endpoint)), func(*Check) {}, "a bearer_auth comes before the token_endpoint at http/servers/srv0/routes/0/handle/1"},
		"a matcher that panics":                                  {app(route(bearer, endpoint)), func(c *Check) { c.Applies = func(*http.Request) bool { panic("no TLS") } }, ""},
		"an app twice":                                           {app(route(endpoint), matched(&caddyhttp.MatchPath{"/a"}, bearer, proxy), route(proxy)), func(*Check) {}, upstreamWarning + " at http/servers/srv0/routes/2/handle/0"},
	} {
		if got := strings.Join(warned(test.http, with(test.change)), "\n"); got != test.want {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}

	config := with(func(*Check) {})
	config.ListenerHasGap = func(*caddyhttp.Server) bool { return true }
	if got := warned(guarded, config); len(got) != 1 || !strings.HasPrefix(got[0], "identity headers are removed only") {
		t.Errorf("a gap: %q", got)
	}
}

// Audiences of clients that cannot log in are in no token, others are introspected.
func TestAudiencesThatNoCheckAsksFor(t *testing.T) {
	bearer := &handler{"bearer_auth"}
	clients := []Client{
		{ID: "web", MayLogIn: true},
		{ID: "mobile", MayLogIn: true, Audience: []string{"app", "other"}},
		{ID: "api", Audience: []string{"third"}, Introspect: []string{"fourth"}},
		{ID: "desktop", MayLogIn: true, Audience: []string{"fourth"}},
	}
	config := Config{
		Checks:  []Check{{Handler: bearer, Server: "default"}},
		Servers: []Server{{Name: "default", Audience: []string{"app"}, Clients: slices.Values(clients)}},
	}
	got := warned(app(route(bearer)), config)
	want := []string{"clients have an audience that no bearer_auth asks for at server default, other"}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	config.Servers[0].Audience = nil // then the check accepts tokens for any
	if got := warned(app(route(bearer)), config); got != nil {
		t.Errorf("%q", got)
	}
}

func TestManyWarningsOfOneKindAreCutShort(t *testing.T) {
	var routes []caddyhttp.Route
	var config Config
	for i := range 20 {
		bearer := &handler{"bearer_auth"}
		routes = append(routes, route(bearer))
		config.Checks = append(config.Checks, Check{Handler: bearer, Shadow: true, DefinedAt: fmt.Sprint("Caddyfile:", i/2)})
	}
	if got := warned(app(routes...), config); len(got) != 10 {
		t.Errorf("10 lines of the Caddyfile, each twice: %q", got)
	}
	for i := range config.Checks {
		config.Checks[i].DefinedAt = ""
	}
	got := warned(app(routes...), config)
	if len(got) != manyWarnings+1 || !strings.HasSuffix(got[manyWarnings], " at further places") {
		t.Errorf("%q", got)
	}
}

func TestAMissingServer(t *testing.T) {
	check := Check{Server: "api", DefinedAt: "Caddyfile:3"}
	const hint = "; if api is a matcher, write @api: the name of a matcher begins with @"
	for _, test := range []struct {
		checks []Check
		names  []string
		want   string
	}{
		{[]Check{check}, []string{"api", "default"}, ""},
		{[]Check{{Server: "api", Off: true}}, nil, ""},
		{[]Check{check}, []string{"default"}, `bearer_auth at Caddyfile:3: there is no token_endpoint named "api", only ["default"]` + hint},
		{[]Check{check}, nil, `bearer_auth at Caddyfile:3: there is no token_endpoint named "api": add one, to any site, or name another` + hint},
		{[]Check{{Server: "default"}}, nil, `bearer_auth at the config: there is no token_endpoint named "default": add one, to any site, or name another`},
	} {
		got := ""
		if err := MissingServer(test.checks, test.names); err != nil {
			got = err.Error()
		}
		if got != test.want {
			t.Errorf("%q, want %q", got, test.want)
		}
	}
}

// A source that has to be asked may have a client or a user for whom all is well.
func TestNothingIsWarnedOfThatAnUnknownClientOrUserMayHave(t *testing.T) {
	bearer, endpoint := &handler{"bearer_auth"}, &handler{"token_endpoint"}
	check := Check{
		Handler: bearer, DefinedAt: "Caddyfile:3", Server: "default", Applies: func(*http.Request) bool { return true },
		Scopes: []string{"b"}, Claims: []Claim{{"email", "X-Email"}, {"aud", "X-Audience"}},
	}
	server := Server{
		Name: "default", Clients: slices.Values([]Client{{ID: "web", MayLogIn: true, Scopes: []string{"a"}}}), UserClaims: slices.Values([]string{"Email"}),
		MoreClients: true, MoreUsers: true,
	}
	config := Config{Checks: []Check{check}, Endpoints: []Endpoint{{Handler: endpoint, Path: "/token"}}, Servers: []Server{server}}
	http := app(route(endpoint), route(bearer))
	if got := warned(http, config); len(got) != 0 {
		t.Errorf("%q", got)
	}
	config.Checks[0].Claims = []Claim{{"id", "X-User"}} // which no user can have
	if got := warned(http, config); len(got) != 1 || !strings.Contains(got[0], "copy_claims names a claim that no token has") {
		t.Errorf("%q", got)
	}
	config.Checks[0].Claims = nil
	config.Servers[0].MoreClients = false
	if got := warned(http, config); len(got) != 1 || !strings.Contains(got[0], "no client may ask for the scopes") {
		t.Errorf("%q", got)
	}
}
