package configreview

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"go.uber.org/zap"

	"github.com/caddygrant/caddy-grant/internal/configcheck"
)

// startRules are the rules of what start-up warns of, by the beginning of the message.
var startRules = []struct{ message, rule string }{
	{"hashes that should be replaced", "weak-hash"},
	{"passwords take different times to check", "mixed-hashes"},
	{"secrets take different times to check", "mixed-hashes"},
	{"a client's secret is short", "short-secret"},
	{"a secret is surrounded by something that counts as part of it", "padded-secret"},
	{"file can be changed by others", "file-writable"},
	{"it has no users: ", "empty-file"},
	{"it has no clients: ", "empty-file"},
	{"a user is refused: the id belongs to another user", "duplicate-id"},
	{"users of a source are refused with 503", "refused-entries"},
	{"clients of a source are refused with 503", "refused-entries"},
	{"a source could not be listed to its end", "unread-source"},
	{"default_client could not be looked up", "unread-source"},
	{"a client cannot authenticate", "client-of-login-page"},
	{"refresh_token_ttl is longer than session_ttl", "lifetime-beyond-session"},
	{"access_token_ttl is longer than session_ttl", "lifetime-beyond-session"},
	{"clients list a grant that the server does not offer", "unoffered-grant"},
	{"clients may use the password grant after its sunset", "past-sunset"},
	{"clients are named like users, so they get no tokens for themselves", "client-named-like-user"},
	{"API keys are refused, since their owners are not there", "ownerless-key"},
	{"API keys are refused, since they name a user who has an id by the username", "ownerless-key"},
	{"API key ended: its owner", "ownerless-key"},
	{"an API key is refused until its owner is there", "ownerless-key"},
	{"API keys are refused, since their owners are clients with the name of a user", "key-of-client-named-like-user"},
	{"API keys name scopes that their owners cannot have", "unobtainable-key-scopes"},
	{"default_scopes of clients name scopes that these may not ask for", "unobtainable-default-scopes"},
	{"bearer_auth takes API keys, and its server has none", "no-api-keys"},
	{"no bearer_auth takes the API keys of a server", "untaken-keys"},
	{"no bearer_auth lets the API keys of clients pass", "refused-clients"},
	{"an audience is not asked of the tokens of an outside issuer", "outside-audience"},
	{"copy_claims gives the app a name that users of several issuers can have alike", "ambiguous-name"},
	{"a scope has a comma in its name", "scope-with-comma"},
	{"an app is proxied with a bearer_auth before it, and without", "unchecked-upstream"},
	{"bearer_auth refuses nothing", "check-shadow"},
	{"bearer_auth lets requests without a token pass", "check-optional"},
	{"bearer_auth checks nothing", "dead-check"},
	{"a matcher of bearer_auth matches no request", "dead-matcher"},
	{"a path matcher names one half of a path", "half-path"},
	{"handle_errors proxies where a bearer_auth refuses", "error-route"},
	{"handle_errors serves files where a bearer_auth refuses", "error-route"},
	{"a bearer_auth comes before the token_endpoint", "endpoint-behind-check"},
	{"no bearer_auth takes the sessions of a login page", "unchecked-sessions"},
	{"no client may ask for the scopes that bearer_auth wants", "unobtainable-scopes"},
	{"bearer_auth requires a claim that no token has", "unmeetable-claim"},
	{"copy_claims names a claim that no token has", "unknown-claim"},
	{"clients have an audience that no bearer_auth asks for", "unasked-audience"},
	{"identity headers are removed only from requests that reach a bearer_auth", "identity-header-gap"},
	{"trusted_proxies is set without trusted_proxies_strict", "spoofed-address"},
	{"header sets Cache-Control after a login_page or bearer_auth has made an answer private", "cacheable-pages"},
	{willNotStart, "will-not-start"},
	{configcheck.OpenRoute, "open-route"},
	{configcheck.OpenRest, "open-rest"},
	{configcheck.Overwritten, "identity-header-gap"},
}

// willNotStart is what start-up says in place of an error that `caddy validate` ignores.
const willNotStart = "this config will not start"

// ofStart makes a finding of what start-up warns of.
func (r *review) ofStart(e entry) {
	if e.level < zap.WarnLevel {
		return // ofOpen
	}
	rule, remedy := RuleOf(e.message), e.text("advice")+e.text("remedy")
	if r.isFound(rule, e) {
		return
	}
	at := r.placeOf(e)
	message := e.message + details(e)
	switch rule {
	case "half-path":
		message = fmt.Sprintf("the path matcher of this bearer_auth names %s, but not %s: apps often answer both, and one of them is then left out",
			list(e.texts("paths")), list(e.texts("not_matched")))
	case "empty-file":
		remedy = cmp.Or(remedy, fmt.Sprintf("add entries with \"caddy grant %s add\", or leave the file out", strings.TrimSuffix(e.entries(), "s")))
	}
	r.at(at, rule, message, remedy)
}

// entries is what a file without entries lacks, users or clients.
func (e entry) entries() string {
	if strings.HasPrefix(e.message, "it has no clients") {
		return "clients"
	}
	return "users"
}

// RuleOf is the rule for a warning of start-up.
func RuleOf(message string) string {
	for _, known := range startRules {
		if strings.HasPrefix(message, known.message) {
			return known.rule
		}
	}
	return "startup-warning"
}

// isFound tells whether a finding says the same already, and more.
func (r *review) isFound(rule string, e entry) bool {
	switch rule {
	case "weak-hash": // only those of a source of another module are not looked at
		source := e.text("source")
		return e.fields["path"] != nil || source == "users in the config" || source == "clients in the config"
	case "file-writable":
		return true
	case "will-not-start":
		return slices.ContainsFunc(r.findings, func(f Finding) bool { return f.Rule == "unknown-server" })
	}
	return false
}

// placeOf is where to look for what a warning is about.
func (r *review) placeOf(e entry) position {
	if path := e.text("path"); path != "" && e.logger == "grant.files" {
		return position{file: path}
	}
	if keys := e.texts("api_keys"); len(keys) > 0 {
		return r.ofKey(e.text("path"), keys[0])
	}
	if e.message == willNotStart { // and the error begins with the place
		e.fields["place"], _, _ = strings.Cut(e.text("error"), ": ")
	}
	place, _, _ := strings.Cut(e.text("place"), ", ")
	place = strings.TrimPrefix(place, "bearer_auth at ")
	if of, found := strings.CutPrefix(e.text("of"), "bearer_auth at "); found {
		place = of
	}
	if file, line, ok := splitPlace(place); ok {
		return position{file, line}
	}
	if strings.HasPrefix(place, "http/") {
		return r.ofPath(place, e)
	}
	if server := r.config.server(e.text("server")); server != nil {
		return r.ofServer(server, e)
	}
	return position{file: r.file}
}

// ofPath is the place of a part of the HTTP app.
func (r *review) ofPath(path string, e entry) position {
	if at := r.position(path); at.line > 0 {
		return at
	}
	var n *node
	switch {
	case strings.HasPrefix(e.message, "trusted_proxies"):
		n = find(r.tree, func(n *node) bool { return n.is("trusted_proxies") })
	case strings.HasPrefix(e.message, "header sets Cache-Control"):
		n = find(r.tree, func(n *node) bool {
			return n.is("header") && (n.mentions("cache-control") || n.mentions("surrogate-control"))
		})
	case strings.HasPrefix(e.message, "identity headers"):
		n = find(r.tree, func(n *node) bool { return n.is("bearer_auth") })
	}
	if n == nil {
		return position{file: r.file}
	}
	return n.position
}

// ofServer is the place of a setting of a server.
func (r *review) ofServer(server *endpoint, e entry) position {
	setting, _, _ := strings.Cut(e.message, " ")
	switch {
	case strings.Contains(e.message, "secret is"):
		setting = "secret"
	case strings.HasPrefix(e.message, "default_scopes"):
		setting = "default_scopes"
	case e.text("grant_type") != "":
		setting = "grants"
	case e.text("audience") != "":
		setting = "audience"
	case strings.Contains(e.message, "scope"):
		setting = "scopes"
	case strings.HasPrefix(e.message, "no bearer_auth takes the sessions"):
		setting = "login_page"
	case strings.Contains(e.message, "the API keys of"):
		setting = "api_keys"
	case e.text("of") == "users", e.text("of") == "clients":
		setting = e.text("of")
	}
	n := r.endpoint(server.DefinedAt)
	if id := e.text("client_id"); id != "" {
		if i := slices.IndexFunc(server.ClientSources, func(s clientSource) bool { return s.Source == "inline" }); i >= 0 {
			if child := n.child("client", id).child(setting); child != nil {
				return child.position
			}
			if n.child("client", id) != nil && n.child(setting) == nil || n == nil {
				return r.in(server, "clients", i, "client", id)
			}
		}
	}
	if number, ok := e.fields["signing_key"].(int64); ok && number > 0 {
		if child := n.nth("signing_key", int(number)-1); child != nil {
			return child.position
		}
	}
	if e.text("user_id") != "" {
		setting = "user"
	}
	return r.setting(server, setting)
}

// details are the fields of a warning that say more than where it is.
func details(e entry) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(e.fields)) {
		if slices.Contains(placeFields, name) || e.text(name) == "server" || name == "server" && e.text(name) == defaultServer {
			continue
		}
		value := shown(e.fields[name])
		if value != "" {
			parts = append(parts, strings.ReplaceAll(name, "_", " ")+": "+value)
		}
	}
	if len(parts) == 0 {
		return ""
	}
	return " (" + strings.Join(parts, "; ") + ")"
}

// placeFields are not details.
var placeFields = []string{"place", "advice", "remedy", "path", "logger", "msg"}
