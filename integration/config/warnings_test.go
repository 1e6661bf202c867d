package config

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
	"github.com/caddygrant/caddy-grant/integration/internal/repo"
)

// warned is a config and what it is warned of.
type warned struct {
	name    string
	options string
	sites   string // %E% is the endpoint, %U% its end after more lines, %A% and %B% are two apps
	want    string // message; empty for no warning at all
	advice  string // in the advice
	place   string // in the place
}

const (
	shadowWarning   = "bearer_auth refuses nothing"
	optionalWarning = "bearer_auth lets requests without a token pass"
	nothingWarning  = "bearer_auth checks nothing"
	scopesWarning   = "no client may ask for the scopes that bearer_auth wants"
	claimWarning    = "copy_claims names a claim that no token has"
	audienceWarning = "clients have an audience that no bearer_auth asks for"
	proxiesWarning  = "trusted_proxies is set without trusted_proxies_strict"
	orderWarning    = "a bearer_auth comes before the token_endpoint"
	upstreamWarning = "an app is proxied with a bearer_auth before it, and without"
	errorsProxy     = "handle_errors proxies where a bearer_auth refuses"
	pageWarning     = "no bearer_auth takes the sessions of a login page"
	errorsFiles     = "handle_errors serves files where a bearer_auth refuses"
)

var warnedConfigs = []warned{
	// what is left in
	{"shadow", "", ":%PORT% {\n%E%\nbearer_auth {\nshadow\n}\n}", shadowWarning, `"request would be refused"`, "Caddyfile:"},
	{"optional", "", ":%PORT% {\n%E%\nbearer_auth {\noptional\n}\n}", optionalWarning, "remove it", "Caddyfile:"},
	{"optional in a handle", "", ":%PORT% {\n%E%\nhandle /a {\nbearer_auth {\noptional\n}\n}\n}", optionalWarning, "remove it", "Caddyfile:"},
	{"optional in a named route", "", "&(a) {\nbearer_auth {\noptional\n}\n}\n:%PORT% {\n%E%\ninvoke a\n}", optionalWarning, "remove it", "Caddyfile:"},
	{"neither", "", ":%PORT% {\n%E%\nbearer_auth\n}", "", "", ""},

	// scopes
	{"a scope of no client", "", ":%PORT% {\n%E%\nbearer_auth {\nscopes admin\n}\n}", scopesWarning, "scopes of a client", "Caddyfile:"},
	{"scopes that no client has together", "", ":%PORT% {\n%E%\nbearer_auth {\nscopes read other\n}\n}", scopesWarning, "", ""},
	{"a scope of a client that may not log in", "", ":%PORT% {\n%E%\nbearer_auth {\nscopes introspector\n}\n}", scopesWarning, "", ""},
	{"a scope of the server", "", ":%PORT% {\n%E%\nbearer_auth {\nscopes server\n}\n}", "", "", ""},
	{"scopes of one client", "", ":%PORT% {\n%E%\nbearer_auth {\nscopes read write\n}\n}", "", "", ""},
	{"a scope of a client of another server", "", ":%PORT% {\n%E%\ntoken_endpoint /second {\nname second\nuser alice %HASH%\nclient web {\npublic\nscopes admin\n}\n}\nbearer_auth {\nscopes admin\n}\n}", scopesWarning, "", ""},
	{"the same for that server", "", ":%PORT% {\n%E%\ntoken_endpoint /second {\nname second\nuser alice %HASH%\nclient web {\npublic\nscopes admin\n}\n}\nbearer_auth second {\nscopes admin\n}\n}", "", "", ""},

	// the login page
	{"a login page without a check", "", ":%PORT% {\nbind 127.0.0.1\ntoken_endpoint {\nuser alice %HASH%\nlogin_page\n}\n}", pageWarning, `write "bearer_auth" in the sites`, ""},
	{"a login page of a server that has a name", "", ":%PORT% {\nbind 127.0.0.1\ntoken_endpoint {\nname people\nuser alice %HASH%\nlogin_page\n}\ntoken_endpoint /two {\nuser alice %HASH%\nclient web {\npublic\n}\n}\nbearer_auth\n}", pageWarning, `write "bearer_auth people" in the sites`, ""},
	{"a login page whose check is off", "", ":%PORT% {\nbind 127.0.0.1\ntoken_endpoint {\nuser alice %HASH%\nlogin_page\n}\nbearer_auth {\noff\n}\n}", pageWarning, "", ""},
	{"a login page and a check", "", ":%PORT% {\nbind 127.0.0.1\ntoken_endpoint {\nscopes admin\nuser alice %HASH%\nlogin_page\n}\nbearer_auth {\nscopes admin\n}\n}", "", "", ""},
	{"a scope that the login page does not give", "", ":%PORT% {\nbind 127.0.0.1\ntoken_endpoint {\nscopes admin\nuser alice %HASH%\nlogin_page {\nscopes read\n}\n}\nbearer_auth {\nscopes admin\n}\n}", scopesWarning, "", ""},

	// claims
	{"a claim of no user", "", ":%PORT% {\n%E%\nbearer_auth {\ncopy_claims groups>X-Groups\n}\n}", claimWarning, "no user has it now", "groups"},
	{"a claim by another name", "", ":%PORT% {\n%E%\nbearer_auth {\ncopy_claims user_id>X-User\n}\n}", claimWarning, "write sub instead", "user_id"},
	{"a claim in another case", "", ":%PORT% {\n%E%\nbearer_auth {\ncopy_claims Email>X-Email\n}\n}", claimWarning, "write email instead", "Email"},
	{"a claim that users may not have", "", ":%PORT% {\n%E%\nbearer_auth {\ncopy_claims act>X-Act\n}\n}", claimWarning, "users cannot have it", "act"},
	{"an issuer of a server without", "", ":%PORT% {\n%E%\nbearer_auth {\ncopy_claims iss>X-Iss\n}\n}", claimWarning, "users cannot have it", "iss"},
	{"a claim of one user", "", ":%PORT% {\n%E%\nbearer_auth {\ncopy_claims email>X-Email role>X-Role\n}\n}", "", "", ""},
	{"claims of every token", "", ":%PORT% {\n%E%\nbearer_auth {\ncopy_claims sub>X-User username>X-Name cid>X-Client scope>X-Scope sid>X-Sid exp>X-Exp\n}\n}", "", "", ""},

	// audiences
	{"an audience of a client only", "", ":%PORT% {\n%E%\nclient files {\npublic\naudience files\n}\n%U%\nbearer_auth {\naudience contacts\n}\n}", audienceWarning, "audience in the bearer_auth", "files"},
	{"an audience of the server that no check asks for", "", ":%PORT% {\n%E%\naudience files\n%U%\nbearer_auth {\naudience contacts\n}\n}", audienceWarning, "", "files"},
	{"an audience of a client beside that of the server", "", ":%PORT% {\n%E%\naudience contacts\nclient files {\npublic\naudience files\n}\n%U%\nbearer_auth\n}", audienceWarning, "", "files"},
	{"an audience for which there is a check", "", ":%PORT% {\n%E%\naudience contacts\nclient files {\npublic\naudience files\n}\n%U%\nbearer_auth\nbearer_auth /files* {\naudience files\n}\n}", "", "", ""},
	{"a check for any audience", "", ":%PORT% {\n%E%\nclient files {\npublic\naudience files\n}\n%U%\nbearer_auth\n}", "", "", ""},
	{"an audience of an app that introspects", "", ":%PORT% {\n%E%\naudience contacts\nclient files {\npublic\naudience files\n}\nclient app {\nsecret long-enough-secret\ngrants refresh_token\nintrospect files\n}\n%U%\nbearer_auth\n}", "", "", ""},
	{"audiences and no check", "", ":%PORT% {\n%E%\nclient files {\npublic\naudience files\n}\n%U%\n}", "", "", ""},

	// listeners
	{"trusted_proxies alone", "servers {\ntrusted_proxies static 10.0.0.0/8\n}", ":%PORT% {\n%E%\n}", proxiesWarning, "add trusted_proxies_strict", "srv0"},
	{"trusted_proxies with a bearer_auth", "servers {\ntrusted_proxies static private_ranges\nclient_ip_headers X-Forwarded-For X-Real-IP\n}", ":%PORT% {\n%E%\nbearer_auth\n}", proxiesWarning, "", ""},
	{"trusted_proxies_unix", "servers {\ntrusted_proxies_unix\n}", ":%PORT% {\n%E%\n}", proxiesWarning, "", ""},
	{"trusted_proxies with trusted_proxies_strict", "servers {\ntrusted_proxies static 10.0.0.0/8\ntrusted_proxies_strict\n}", ":%PORT% {\n%E%\n}", "", "", ""},
	{"trusted_proxies of another listener", "servers 127.0.0.1:%OTHER% {\ntrusted_proxies static 10.0.0.0/8\n}", ":%PORT% {\n%E%\n}\nhttp://:%OTHER% {\nbind 127.0.0.1\nrespond a\n}", "", "", ""},

	// order
	{"bearer_auth first in a route", "", ":%PORT% {\nroute {\nbearer_auth\n%E%\n}\n}", orderWarning, "write token_endpoint before bearer_auth", "Caddyfile:"},
	{"an endpoint in a handle", "", ":%PORT% {\nbearer_auth\nhandle /token* {\n%E%\n}\n}", orderWarning, "", ""},
	{"an endpoint in a named route", "", "&(login) {\n%E%\n}\n:%PORT% {\nbearer_auth\ninvoke login\n}", orderWarning, "", ""},
	{"a matcher for the endpoint's path", "", ":%PORT% {\nroute {\nbearer_auth /token*\n%E%\n}\n}", orderWarning, "", ""},
	{"token_endpoint first in a route", "", ":%PORT% {\nroute {\n%E%\nbearer_auth\n}\n}", "", "", ""},
	{"a matcher that leaves the endpoint out", "", ":%PORT% {\nroute {\n@app not path /token /token/*\nbearer_auth @app\n%E%\n}\n}", "", "", ""},
	{"a matcher for other hosts", "", "http://a.localhost:%PORT% {\nbind 127.0.0.1\n@b host b.localhost\nbearer_auth @b\nhandle {\n%E%\n}\n}", "", "", ""},
	{"a check in a route for other paths", "", ":%PORT% {\nroute {\nroute /a* {\nbearer_auth\n}\n%E%\n}\n}", "", "", ""},
	{"a check in a route for all", "", ":%PORT% {\nroute {\nroute {\nbearer_auth\n}\n%E%\n}\n}", orderWarning, "", ""},
	{"two handles beside each other", "", ":%PORT% {\nhandle /a* {\nbearer_auth\n}\nhandle {\n%E%\n}\n}", "", "", ""},

	// apps
	{"one app in two handles", "", ":%PORT% {\n%E%\nhandle /healthz {\nreverse_proxy 127.0.0.1:9000\n}\nhandle {\nbearer_auth\nreverse_proxy 127.0.0.1:9000\n}\n}", upstreamWarning, "the single line: off", "http/servers/srv0/routes"},
	{"one app on two sites", "", "http://a.localhost:%PORT% {\n%E%\nbearer_auth\nreverse_proxy 127.0.0.1:9000\n}\nhttp://b.localhost:%PORT% {\nreverse_proxy 127.0.0.1:9000\n}", upstreamWarning, "", ""},
	{"one app on two listeners", "", ":%PORT% {\n%E%\nbearer_auth\nreverse_proxy 127.0.0.1:9000\n}\nhttp://:%OTHER% {\nbind 127.0.0.1\nreverse_proxy 127.0.0.1:9000\n}", upstreamWarning, "", ""},
	{"one app under two names", "", ":%PORT% {\n%E%\nbearer_auth\nreverse_proxy localhost:9000\n}\nhttp://:%OTHER% {\nbind 127.0.0.1\nreverse_proxy 127.0.0.1:9000 127.0.0.1:9001\n}", upstreamWarning, "", ""},
	{"one app on every address", "", ":%PORT% {\n%E%\nbearer_auth\nreverse_proxy [::1]:9000\n}\nhttp://:%OTHER% {\nbind 127.0.0.1\nreverse_proxy :9000\n}", upstreamWarning, "", ""},
	{"one app of a name", "", ":%PORT% {\n%E%\nbearer_auth\nreverse_proxy App.Internal:9000\n}\nhttp://:%OTHER% {\nbind 127.0.0.1\nreverse_proxy http://app.internal:9000\n}", upstreamWarning, "", ""},
	{"one app at a socket", "", ":%PORT% {\n%E%\nbearer_auth\nreverse_proxy unix//run/app.sock\n}\nhttp://:%OTHER% {\nbind 127.0.0.1\nreverse_proxy unix//run/../run/app.sock\n}", upstreamWarning, "", ""},
	{"one app behind a named route", "", "&(app) {\nreverse_proxy 127.0.0.1:9000\n}\nhttp://a.localhost:%PORT% {\n%E%\nbearer_auth\ninvoke app\n}\nhttp://b.localhost:%PORT% {\ninvoke app\n}", upstreamWarning, "", ""},
	{"one app before the check in a route", "", ":%PORT% {\n%E%\nroute {\nreverse_proxy /open* 127.0.0.1:9000\nbearer_auth\nreverse_proxy 127.0.0.1:9000\n}\n}", upstreamWarning, "", ""},
	{"one PHP of one root", "", ":%PORT% {\nroot * /srv/a\n%E%\nhandle /b* {\nphp_fastcgi 127.0.0.1:9000\n}\nhandle {\nbearer_auth\nphp_fastcgi 127.0.0.1:9000\n}\n}", upstreamWarning, "", ""},
	{"one app behind a check with a matcher", "", ":%PORT% {\n%E%\n@closed not path /healthz /assets/*\nbearer_auth @closed\nreverse_proxy 127.0.0.1:9000\n}", "", "", ""},
	{"one app behind two checks", "", ":%PORT% {\n%E%\nhandle /a* {\nbearer_auth\nreverse_proxy 127.0.0.1:9000\n}\nhandle {\nbearer_auth\nreverse_proxy 127.0.0.1:9000\n}\n}", "", "", ""},
	{"one app behind a check that is in a handle before it", "", ":%PORT% {\n%E%\nhandle /a* {\nbearer_auth\n}\nreverse_proxy 127.0.0.1:9000\n}", upstreamWarning, "put the bearer_auth outside", ""},
	{"one app behind a check that is in a route before it", "", ":%PORT% {\n%E%\nroute /a* {\nbearer_auth\n}\nreverse_proxy 127.0.0.1:9000\n}", upstreamWarning, "the single line: off", ""},
	{"one app behind a check that is in a named route before it", "", "&(check) {\nbearer_auth\n}\n:%PORT% {\n%E%\n@a path /a*\ninvoke @a check\nreverse_proxy 127.0.0.1:9000\n}", upstreamWarning, "", ""},
	{"one app behind handles of which one has no check", "", ":%PORT% {\n%E%\nhandle /a* {\nbearer_auth\n}\nhandle {\nheader X a\n}\nreverse_proxy 127.0.0.1:9000\n}", upstreamWarning, "", ""},
	{"one app behind handles that all check, or answer", "", ":%PORT% {\n%E%\nhandle /b {\nrespond b\n}\nhandle /a* {\nbearer_auth\n}\nhandle {\nbearer_auth\n}\nreverse_proxy 127.0.0.1:9000\n}", "", "", ""},
	{"one app behind a check in a route for all", "", ":%PORT% {\nroute {\n%E%\nroute {\nbearer_auth\n}\nroute /a* {\nbearer_auth\n}\nreverse_proxy 127.0.0.1:9000\n}\n}", "", "", ""},
	{"one app that is meant to be open behind a check in a route", "", ":%PORT% {\nroute {\n%E%\nroute /a* {\nbearer_auth\n}\nbearer_auth {\noff\n}\nreverse_proxy 127.0.0.1:9000\n}\n}", "", "", ""},
	{"one app that is meant to be open", "", ":%PORT% {\n%E%\nhandle /healthz {\nbearer_auth {\noff\n}\nreverse_proxy 127.0.0.1:9000\n}\nhandle {\nbearer_auth\nreverse_proxy 127.0.0.1:9000\n}\n}", "", "", ""},
	{"one app behind checks that are all off", "", ":%PORT% {\n%E%\nhandle /healthz {\nbearer_auth {\noff\n}\nreverse_proxy 127.0.0.1:9000\n}\nreverse_proxy 127.0.0.1:9000\n}", "", "", ""},
	{"two apps", "", ":%PORT% {\n%E%\nhandle /a* {\nreverse_proxy 127.0.0.1:9001\n}\nhandle {\nbearer_auth\nreverse_proxy 127.0.0.1:9000\n}\n}", "", "", ""},
	{"one app behind basic_auth as well", "", ":%PORT% {\n%E%\nhandle /a* {\nbasic_auth {\nalice %HASH%\n}\nreverse_proxy 127.0.0.1:9000\n}\nhandle {\nbearer_auth\nreverse_proxy 127.0.0.1:9000\n}\n}", "", "", ""},
	{"one app behind basic_auth for some", "", "http://a.localhost:%PORT% {\n%E%\nbearer_auth\nreverse_proxy 127.0.0.1:9000\n}\nhttp://b.localhost:%PORT% {\nbasic_auth /a* {\nalice %HASH%\n}\nreverse_proxy 127.0.0.1:9000\n}", upstreamWarning, "", ""},
	{"one app behind forward_auth for some", "", "http://a.localhost:%PORT% {\n%E%\nbearer_auth\nreverse_proxy 127.0.0.1:9000\n}\nhttp://b.localhost:%PORT% {\nforward_auth /a* 127.0.0.1:9091 {\nuri /verify\n}\nreverse_proxy 127.0.0.1:9000\n}", upstreamWarning, "", ""},
	{"one app behind forward_auth for all", "", "http://a.localhost:%PORT% {\n%E%\nbearer_auth\nreverse_proxy 127.0.0.1:9000\n}\nhttp://b.localhost:%PORT% {\nforward_auth 127.0.0.1:9091 {\nuri /verify\n}\nreverse_proxy 127.0.0.1:9000\n}", "", "", ""},
	{"one app behind handles that authenticate in two ways", "", ":%PORT% {\n%E%\nhandle /a* {\nbasic_auth {\nalice %HASH%\n}\n}\nhandle {\nbearer_auth\n}\nreverse_proxy 127.0.0.1:9000\n}", "", "", ""},
	{"one app behind routes for two kinds of requests", "", ":%PORT% {\n%E%\n@a header Authorization Bearer*\n@b not header Authorization Bearer*\nroute @a {\nbearer_auth\n}\nroute @b {\nbasic_auth {\nalice %HASH%\n}\n}\nreverse_proxy 127.0.0.1:9000\n}", "", "", ""},
	{"a service that forward_auth asks", "", ":%PORT% {\n%E%\nhandle /a* {\nforward_auth 127.0.0.1:9091 {\nuri /verify\n}\nreverse_proxy 127.0.0.1:9000\n}\nhandle {\nbearer_auth\nreverse_proxy 127.0.0.1:9091\n}\n}", "", "", ""},
	{"one PHP of two roots", "", "http://a.localhost:%PORT% {\nroot * /srv/a\n%E%\nbearer_auth\nphp_fastcgi 127.0.0.1:9000\n}\nhttp://b.localhost:%PORT% {\nroot * /srv/b\nphp_fastcgi 127.0.0.1:9000\n}", "", "", ""},
	{"one app and no check", "", ":%PORT% {\n%E%\nhandle /a* {\nreverse_proxy 127.0.0.1:9000\n}\nhandle {\nreverse_proxy 127.0.0.1:9000\n}\n}", "", "", ""},

	// errors
	{"handle_errors that proxies", "", ":%PORT% {\n%E%\nbearer_auth\nrespond a\nhandle_errors {\nreverse_proxy 127.0.0.1:9000\n}\n}", errorsProxy, "rewrite", "errors/routes"},
	{"handle_errors that serves files", "", ":%PORT% {\n%E%\nbearer_auth\nrespond a\nhandle_errors {\nroot * /srv\nfile_server\n}\n}", errorsFiles, "handle_errors 404", "errors/routes"},
	{"handle_errors of all of 4xx", "", ":%PORT% {\n%E%\nbearer_auth\nhandle_errors 4xx {\nfile_server\n}\n}", errorsFiles, "", ""},
	{"handle_errors with 403", "", ":%PORT% {\n%E%\nbearer_auth\nhandle_errors 403 404 {\nfile_server\n}\n}", errorsFiles, "", ""},
	{"handle_errors with a page that may be there", "", ":%PORT% {\n%E%\nbearer_auth\nhandle_errors {\ntry_files {path} /error.html\nfile_server\n}\n}", errorsFiles, "", ""},
	{"handle_errors that rewrites one status", "", ":%PORT% {\n%E%\nbearer_auth\nhandle_errors {\n@404 expression {err.status_code} == 404\nrewrite @404 /404.html\nfile_server\n}\n}", errorsFiles, "", ""},
	{"handle_errors that keeps the path", "", ":%PORT% {\n%E%\nbearer_auth\nhandle_errors {\nrewrite * /errors{path}\nfile_server\n}\n}", errorsFiles, "", ""},
	{"handle_errors of a site where the check is in a handle", "", ":%PORT% {\n%E%\nhandle /a* {\nbearer_auth\n}\nhandle_errors {\nfile_server\n}\n}", errorsFiles, "", ""},
	{"handle_errors with a page for each status", "", ":%PORT% {\n%E%\nbearer_auth\nhandle_errors {\nrewrite * /{err.status_code}.html\nfile_server\n}\n}", "", "", ""},
	{"handle_errors with a page of another server", "", ":%PORT% {\n%E%\nbearer_auth\nhandle_errors {\nrewrite * /{err.status_code}\nreverse_proxy 127.0.0.1:9000\n}\n}", "", "", ""},
	{"handle_errors with 404", "", ":%PORT% {\n%E%\nbearer_auth\nhandle_errors 404 5xx {\nrespond a\n}\nhandle_errors 404 {\nfile_server\n}\n}", "", "", ""},
	{"handle_errors that responds", "", ":%PORT% {\n%E%\nbearer_auth\nhandle_errors {\nrespond a\n}\n}", "", "", ""},
	{"handle_errors of another site", "", "http://a.localhost:%PORT% {\n%E%\nbearer_auth\n}\nhttp://b.localhost:%PORT% {\nrespond a\nhandle_errors {\nfile_server\n}\n}", "", "", ""},
	{"handle_errors that is meant to proxy", "", ":%PORT% {\n%E%\nbearer_auth\nhandle_errors {\nbearer_auth {\noff\n}\nreverse_proxy 127.0.0.1:9000\n}\n}", "", "", ""},
	{"an endpoint behind a check that is off", "", ":%PORT% {\nroute {\nbearer_auth {\noff\n}\n%E%\n}\n}", "", "", ""},
	{"handle_errors that checks once more", "", ":%PORT% {\n%E%\nbearer_auth\nhandle_errors {\nbearer_auth\nfile_server\n}\n}", "", "", ""},

	// matchers of a Caddyfile
	{"a path without a slash", "", ":%PORT% {\n%E%\n@a path admin/*\nbearer_auth @a\n}", nothingWarning, "matches no request", "Caddyfile:"},
	{"methods with commas", "", ":%PORT% {\n%E%\n@a method GET,POST\nbearer_auth @a\n}", nothingWarning, "", ""},
	{"a negation of everything", "", ":%PORT% {\n%E%\n@a not path *\nbearer_auth @a\n}", nothingWarning, "", ""},
	{"a host with its scheme", "", ":%PORT% {\n%E%\n@a host https://a.example.com\nbearer_auth @a\n}", nothingWarning, "", ""},
	{"a method in lower case", "", ":%PORT% {\n%E%\n@a method get\nbearer_auth @a\n}", "", "", ""},
	{"one good path beside a bad one", "", ":%PORT% {\n%E%\n@a path admin/* /admin/*\nbearer_auth @a\n}", "", "", ""},
}

func (w warned) config(s *harness.Site) (options, sites string) {
	const endpoint = `token_endpoint {
		scopes server
		user alice %HASH% {
			claim email alice@example.com
			claim role admin
		}
		client web {
			secret long-enough-secret
			scopes read write
		}
		client other {
			public
			scopes other
		}
		client plain {
			public
		}
		client asks {
			secret long-enough-secret
			scopes introspector
			grants refresh_token
		}
`
	other := strings.NewReplacer("%OTHER%", strconv.Itoa(harness.FreePort(s.T)))
	sites = other.Replace(w.sites + "\x00" + w.options)
	sites, options, _ = strings.Cut(sites, "\x00")
	if strings.Contains(sites, "%U%") {
		sites = strings.NewReplacer("%E%", endpoint, "%U%", "}").Replace(sites)
	} else {
		sites = strings.ReplaceAll(sites, "%E%", endpoint+"}")
	}
	var out strings.Builder
	for line := range strings.Lines(sites + "\n") {
		if strings.HasPrefix(line, ":%PORT%") {
			line = "http://" + line + "bind 127.0.0.1\n"
		} else if strings.HasPrefix(line, "http://") && strings.Contains(line, "localhost:") {
			line += "bind 127.0.0.1\n"
		}
		out.WriteString(line)
	}
	return options, strings.ReplaceAll(out.String(), "%HASH%", harness.HashBcrypt)
}

// What a config leaves open or closes without a word is warned of when it is loaded,
// and only that.
func TestConfigsThatLeaveSomethingOpen(t *testing.T) {
	s := harness.NewSite(t)
	s.Reload("", "http://127.0.0.1:%PORT% {\n}\n") // begins the log
	for _, test := range warnedConfigs {
		t.Run(test.name, func(t *testing.T) {
			s := s.For(t)
			s.Port = harness.FreePort(t)
			options, sites := test.config(s)
			before := len(s.Warnings())
			s.Reload(options, strings.ReplaceAll(sites, "bind 127.0.0.1\nbind 127.0.0.1\n", "bind 127.0.0.1\n"))
			test.check(t, s.Warnings()[before:])
		})
	}
}

func (w warned) check(t *testing.T, lines []map[string]any) {
	t.Helper()
	for _, line := range lines {
		if upstream, _ := line["upstream"].(string); strings.ContainsFunc(upstream, unicode.IsControl) {
			t.Errorf("the upstream is %q", upstream)
		}
	}
	lines = slices.DeleteFunc(lines, func(line map[string]any) bool { return line["logger"] != "grant" }) // those of one setting
	if w.want == "" {
		if len(lines) > 0 {
			t.Errorf("warned of %v", lines)
		}
		return
	}
	found := 0
	for _, line := range lines {
		if line["msg"] == w.want && strings.Contains(fmt.Sprint(line["advice"]), w.advice) && strings.Contains(fmt.Sprint(line["place"]), w.place) {
			found++
		}
	}
	if found != 1 || len(lines) != 1 {
		t.Errorf("got %v, want one warning %q", lines, w.want)
	}
}

// `caddy validate` starts nothing, and warns of the same.
func TestValidateWarnsOfConfigs(t *testing.T) {
	t.Parallel()
	s := harness.NewSite(t)
	for _, test := range []warned{
		{"shadow", "", ":%PORT% {\n%E%\nbearer_auth {\nshadow\n}\n}", shadowWarning, "", ""},
		{"an app", "", ":%PORT% {\n%E%\nhandle /a* {\nreverse_proxy 127.0.0.1:9000\n}\nhandle {\nbearer_auth\nreverse_proxy 127.0.0.1:9000\n}\n}", upstreamWarning, "", ""},
		{"a claim", "", ":%PORT% {\n%E%\nbearer_auth {\ncopy_claims groups>X-Groups\n}\n}", claimWarning, "", ""},
		{"trusted_proxies", "servers {\ntrusted_proxies static 10.0.0.0/8\n}", ":%PORT% {\n%E%\n}", proxiesWarning, "", ""},
		{"nothing", "", ":%PORT% {\n%E%\nbearer_auth\n}", "", "", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			options, sites := test.config(s)
			s.Write("caddyfile", s.Expand("{\n\tadmin off\n\tstorage file_system \"%DIR%/storage\"\n"+options+"\n}\n"+sites))
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			output, err := harness.CaddyCommand(ctx, t, s.Dir, "validate", "--config", "caddyfile", "--adapter", "caddyfile").CombinedOutput()
			if err != nil {
				t.Fatalf("%v\n%s", err, output)
			}
			test.check(t, harness.WarningsIn(string(output)))
		})
	}
}

// A matcher of JSON that matches nothing would have a bearer_auth check nothing.
func TestMatchersOfJSONThatMatchNothing(t *testing.T) {
	s := harness.NewSite(t)
	s.Reload("", "http://127.0.0.1:%PORT% {\n}\n")
	for match, dead := range map[string]bool{
		`[{"path": []}]`:                       true,
		`[{"path": [""]}]`:                     true,
		`[{"path": ["admin", "x/*"]}]`:         true,
		`[{"host": []}]`:                       true,
		`[{"host": ["a.example.com:443"]}]`:    true,
		`[{"method": []}]`:                     true,
		`[{"protocol": "h2"}]`:                 true,
		`[{"remote_ip": {"ranges": []}}]`:      true,
		`[{"client_ip": {}}]`:                  true,
		`[{"query": {"a": []}}]`:               true,
		`[{"vars": {"a": []}}]`:                true,
		`[{"expression": "false"}]`:            true,
		`[{"not": [{}]}]`:                      true,
		`[{"not": [{"path": ["/a"]}, {}]}]`:    true,
		`[{"not": [{"not": [{"path": []}]}]}]`: true,
		`[{"path": ["/a"], "method": []}]`:     true,
		`[{"path": []}, {"method": []}]`:       true,

		`[]`:                                   false,
		`[{}]`:                                 false,
		`null`:                                 false,
		`[{"not": []}]`:                        false,
		`[{"not": [{"path": []}]}]`:            false,
		`[{"header": {}}]`:                     false,
		`[{"header": {"X-A": null}}]`:          false,
		`[{"header": {"X-A": []}}]`:            false,
		`[{"query": {}}]`:                      false,
		`[{"path": ["*"]}]`:                    false,
		`[{"path": ["{env.NOT_SET}"]}]`:        false,
		`[{"host": ["::1", "a.example.com"]}]`: false,
		`[{"path": ["/a"]}]`:                   false,
	} {
		t.Run(match, func(t *testing.T) {
			s := s.For(t)
			before := len(s.Warnings())
			loadJSON(s, `{"listen": ["127.0.0.1:%PORT%"], "routes": [{"handle": [`+jsonEndpoint+`, {"handler": "bearer_auth", "match": `+match+`}]}]}`)
			want := warned{}
			if dead {
				want = warned{want: nothingWarning, place: "http/servers/test/routes/0/handle/1"}
			}
			want.check(t, s.Warnings()[before:])
		})
	}
	t.Run("of one set among others", func(t *testing.T) {
		s := s.For(t)
		before := len(s.Warnings())
		loadJSON(s, `{"listen": ["127.0.0.1:%PORT%"], "routes": [{"handle": [`+jsonEndpoint+`, {"handler": "bearer_auth", "match": [{"path": ["/a"]}, {"path": []}]}]}]}`)
		warned{want: "a matcher of bearer_auth matches no request"}.check(t, s.Warnings()[before:])
	})
	t.Run("of a route around it", func(t *testing.T) {
		s := s.For(t)
		before := len(s.Warnings())
		loadJSON(s, `{"listen": ["127.0.0.1:%PORT%"], "routes": [{"handle": [`+jsonEndpoint+`]}, {"match": [{"path": []}], "handle": [{"handler": "subroute", "routes": [{"handle": [{"handler": "bearer_auth"}]}]}]}]}`)
		warned{want: nothingWarning, advice: "a route around it"}.check(t, s.Warnings()[before:])
	})
}

// The routes of a JSON config are gone through as requests go: groups, terminal routes,
// subroutes with errors of their own.
func TestWarningsOfJSONRoutes(t *testing.T) {
	const proxy = `{"handler": "reverse_proxy", "upstreams": [{"dial": "127.0.0.1:9000"}]}`
	const check = `{"handler": "bearer_auth"}`
	s := harness.NewSite(t)
	s.Reload("", "http://127.0.0.1:%PORT% {\n}\n")
	for _, test := range []struct{ name, server, want string }{
		{"a terminal route", `"routes": [{"match": [{"path": ["/a"]}], "handle": [` + jsonEndpoint + `, ` + check + `, ` + proxy + `], "terminal": true}, {"handle": [` + proxy + `]}]`, upstreamWarning},
		{"a route for some that goes on", `"routes": [{"match": [{"path": ["/a"]}], "handle": [` + jsonEndpoint + `, ` + check + `]}, {"handle": [` + proxy + `]}]`, upstreamWarning},
		{"a route that goes on", `"routes": [{"handle": [` + jsonEndpoint + `, ` + check + `]}, {"handle": [` + proxy + `]}]`, ""},
		{"one group", `"routes": [{"group": "g", "match": [{"path": ["/a"]}], "handle": [` + jsonEndpoint + `, ` + check + `, ` + proxy + `]}, {"group": "g", "handle": [` + proxy + `]}]`, upstreamWarning},
		{"two groups", `"routes": [{"group": "g", "handle": [` + jsonEndpoint + `, ` + check + `, ` + proxy + `]}, {"group": "h", "handle": [` + proxy + `]}]`, ""},
		{"errors of a subroute", `"routes": [{"handle": [` + jsonEndpoint + `, {"handler": "subroute", "routes": [{"handle": [` + check + `]}], "errors": {"routes": [{"handle": [{"handler": "file_server"}]}]}}]}]`, errorsFiles},
		{"errors of a subroute beside it", `"routes": [{"handle": [` + jsonEndpoint + `, ` + check + `, {"handler": "subroute", "routes": [{"handle": [{"handler": "static_response"}]}], "errors": {"routes": [{"handle": [{"handler": "file_server"}]}]}}]}]`, ""},
		{"a handle_response", `"routes": [{"match": [{"path": ["/a"]}], "handle": [{"handler": "intercept", "handle_response": [{"routes": [{"handle": [` + proxy + `]}]}]}], "terminal": true}, {"handle": [` + jsonEndpoint + `, ` + check + `, ` + proxy + `]}]`, upstreamWarning},
		{"an address that DNS has", `"routes": [{"match": [{"path": ["/a"]}], "handle": [{"handler": "reverse_proxy", "dynamic_upstreams": {"source": "a", "name": "localhost", "port": "9000"}}], "terminal": true}, {"handle": [` + jsonEndpoint + `, ` + check + `, ` + proxy + `]}]`, upstreamWarning},
		{"the endpoint behind it", `"routes": [{"handle": [` + check + `, ` + jsonEndpoint + `]}]`, orderWarning},
		{"a named route that invokes itself", `"named_routes": {"a": {"handle": [{"handler": "invoke", "name": "a"}, ` + jsonEndpoint + `]}}, "routes": [{"handle": [` + check + `, {"handler": "invoke", "name": "a"}]}]`, orderWarning},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := s.For(t)
			before := len(s.Warnings())
			loadJSON(s, `{"listen": ["127.0.0.1:%PORT%"], `+test.server+`}`)
			warned{want: test.want}.check(t, s.Warnings()[before:])
		})
	}
}

const jsonEndpoint = `{"handler": "token_endpoint", "users": [{"source": "inline", "users": [{"username": "alice", "password_hash": "` + harness.HashBcrypt + `"}]}], "clients": [{"source": "inline", "clients": [{"id": "web", "public": true}]}]}`

// loadJSON loads a config with one HTTP server, of which the log is the site's.
func loadJSON(s *harness.Site, server string) {
	s.T.Helper()
	s.Port = harness.FreePort(s.T)
	config := s.Expand(`{
		"admin": {"disabled": true, "config": {"persist": false}},
		"logging": {"logs": {"default": {"writer": {"output": "file", "filename": "%DIR%/log.json"}, "encoder": {"format": "json"}, "level": "DEBUG"}}},
		"storage": {"module": "file_system", "root": "%DIR%/storage"},
		"apps": {"http": {"servers": {"test": ` + server + `}}}
	}`)
	if err := s.Load([]byte(config)); err != nil {
		s.T.Fatalf("loading %s: %v", config, err)
	}
}

// The log line of a request that is refused at the path of an endpoint says what to do,
// and no other line does.
func TestARefusalAtTheEndpointsPathHasARemedy(t *testing.T) {
	s := harness.Start(t, "http://127.0.0.1:%PORT% {\nroute {\nbearer_auth\ntoken_endpoint {\nissuer https://api.example.com\nuser alice "+harness.HashBcrypt+"\nclient web {\npublic\n}\n}\n}\n}\n")
	for path, remedy := range map[string]bool{
		"/token": true, "/TOKEN": true, "/token/jwks": true, "/.well-known/oauth-authorization-server": true,
		"/": false, "/tokens": false, "/contacts": false,
	} {
		for _, method := range []string{"POST", "OPTIONS"} {
			before := len(bearerRefusals(s))
			s.Do(s.Request(method, path, "")).Want(t, 401, "")
			lines := bearerRefusals(s)[before:]
			if len(lines) != 1 {
				t.Fatalf("%s: %v", path, lines)
			}
			text, _ := lines[0]["remedy"].(string)
			if strings.Contains(text, "write token_endpoint before it") != (remedy && method == "POST") {
				t.Errorf("%s %s: the remedy is %q", method, path, text)
			}
		}
	}
}

// bearerRefusals are the lines of requests that bearer_auth refused.
func bearerRefusals(s *harness.Site) []map[string]any {
	s.T.Helper()
	return s.Logged(func(line map[string]any) bool {
		return line["logger"] == "http.handlers.bearer_auth" && line["msg"] == "request refused"
	})
}

// The docs have every warning that a test has seen.
func TestDocsHaveTheWarnings(t *testing.T) {
	_, section, _ := strings.Cut(repo.Docs(t), "## Warnings at a start\n")
	section, _, _ = strings.Cut(section, "\n#")
	messages := map[string]bool{"a matcher of bearer_auth matches no request": true, "identity headers are removed only from requests that reach a bearer_auth": true}
	for _, test := range warnedConfigs {
		if test.want != "" {
			messages[test.want] = true
		}
	}
	for message := range messages {
		if !strings.Contains(section, "`"+message+"`") {
			t.Errorf("%q is not in the docs", message)
		}
	}
	rows := strings.Count(section, "\n| `")
	if named := strings.Count(section, "`, `") + rows; rows == 0 || named < len(messages) {
		t.Errorf("the docs have %d rows for %d warnings", rows, len(messages))
	}
}
