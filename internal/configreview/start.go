package configreview

import (
	"cmp"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strconv"
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
	{"bearer_auth takes API keys, and its server has none", "no-api-keys"},
	{"no bearer_auth takes the API keys of a server", "untaken-keys"},
	{"no bearer_auth lets the API keys of clients pass", "refused-clients"},
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

// ofOpen is about routes that are open, unless they lead to an app that is checked
// elsewhere: that is an error already.
func (r *review) ofOpen(entries []entry) {
	upstreams := make(map[string]bool)
	for _, e := range entries {
		upstreams[e.text("place")] = upstreams[e.text("place")] || strings.HasPrefix(e.message, "an app is proxied")
	}
	for _, e := range entries {
		switch {
		case e.message == configcheck.OpenRoute && !upstreams[e.text("place")]:
			at := r.placeOf(e)
			finding := Finding{Rule: "open-route", File: at.file, Line: at.line,
				Message: fmt.Sprintf("requests get here without a token, though the site has a bearer_auth, at %s", e.text("bearer_auth"))}
			if e.fields["files"] == true { // such as those of a single-page app
				finding.Severity = Note
			}
			r.add(finding)
		case e.message == configcheck.OpenRest:
			r.add(openRest(e, r.placeOf(e)))
		case e.message == configcheck.Overwritten:
			r.add(r.overwritten(e))
		}
	}
}

// overwritten is about an identity header that a directive sets after the bearer_auth.
func (r *review) overwritten(e entry) Finding {
	header := e.text("header")
	at := r.placeOf(e)
	if n := r.lineThatSets(header, e.text("value"), at); n != nil {
		at = n.position
	}
	finding := Finding{Rule: "identity-header-gap", File: at.file, Line: at.line,
		Remedy: fmt.Sprintf("remove it: bearer_auth has set %s already; for what the app needs apart from the user, take a header that copy_claims does not set", header)}
	if e.fields["client"] == true {
		finding.Message = fmt.Sprintf("%s is set to %s, which the client chooses, after the bearer_auth at %s has set it to a claim of the token: every user can be any other user to the app",
			header, e.text("value"), e.text("bearer_auth"))
		return finding
	}
	finding.Severity = Warning
	finding.Message = fmt.Sprintf("%s is set to %q, after the bearer_auth at %s has set it to a claim of the token: the app does not see who the user is",
		header, e.text("value"), e.text("bearer_auth"))
	return finding
}

// lineThatSets is the line of a Caddyfile that sets a header of requests, in a proxy at a
// place if that is known: placeholders may be written shorter there.
func (r *review) lineThatSets(header, value string, proxy position) *node {
	sets := func(n *node) bool {
		return (n.is("header_up") || n.is("request_header")) && len(n.words) > 2 && strings.EqualFold(strings.TrimLeft(n.words[1], "+?>"), header)
	}
	if at := find(r.tree, func(n *node) bool { return n.position == proxy && !sets(n) }); at != nil && proxy.line > 0 {
		if n := find(at.block, sets); n != nil {
			return n
		}
	}
	exact := find(r.tree, func(n *node) bool { return sets(n) && slices.Contains(n.words[2:], value) })
	if exact != nil {
		return exact
	}
	return find(r.tree, sets)
}

// openRest is about a bearer_auth that leaves out some requests: who decides which, says
// how bad that is.
func openRest(e entry, at position) Finding {
	finding := Finding{Rule: "open-rest", File: at.file, Line: at.line}
	const remove = "remove the matcher, and name the paths that need no token with open"
	what := e.text("what")
	switch e.text("by") {
	case configcheck.OpenByClient:
		finding.Severity, finding.Remedy = Error, remove
		finding.Message = fmt.Sprintf("clients decide whether this bearer_auth checks them, since its matcher asks for %s, which a client chooses: requests that do not match it reach the app without a token", what)
	case configcheck.OpenByMethod:
		finding.Message = "this bearer_auth does not check requests with the method " + list(strings.Fields(strings.ReplaceAll(what, configcheck.OtherMethod, "others"))) + ": they reach the app without a token"
		finding.Remedy = remove + "; for pages that everyone may read, see to it that the app changes nothing on these methods"
		if what == http.MethodOptions { // as a browser asks for permission
			finding.Severity = Note
			finding.Remedy = "nothing, if the app answers OPTIONS with CORS headers only; else answer OPTIONS in Caddy, and remove the matcher"
		}
	case configcheck.OpenByAddress:
		finding.Severity = Note
		finding.Message = "this bearer_auth leaves out requests by the address that they come from: these reach the app without a token"
		finding.Remedy = "nothing, if every user and program at these addresses may do all that the app offers; else remove the matcher"
	case configcheck.OpenByOther:
		finding.Severity = Note
		finding.Message = "the matcher of this bearer_auth is not about paths: the requests that it does not match reach the app without a token"
		finding.Remedy = "nothing, if no client can bring that about; else remove the matcher, and name the paths that need no token with open"
	default:
		finding.Message = "the matcher of this bearer_auth names what it checks: all else of the site reaches the app without a token"
	}
	return finding
}

// ofFailure is about a config that Caddy refuses.
func (r *review) ofFailure(err error) {
	text := err.Error()
	if all := ofModule.FindAllStringIndex(text, -1); all != nil {
		text = text[all[len(all)-1][1]:]
	}
	finding := Finding{Rule: "config-refused", Message: "Caddy refuses this config: " + text}
	if found := inFile.FindStringSubmatch(text); found != nil {
		finding.File = found[1]
		finding.Line, _ = strconv.Atoi(found[2])
	} else if h := r.refused(err.Error()); h != nil {
		at := r.ofHandler(h)
		finding.File, finding.Line = at.file, at.line
	} else if found := ofNamed.FindStringSubmatch(text); found != nil {
		if e := r.config.server(found[1]); e != nil {
			at := r.setting(e)
			finding.File, finding.Line = at.file, at.line
		}
	}
	if found := ofFile.FindStringSubmatch(text); found != nil && hashAdvice.MatchString(text) {
		finding.Message = hashAdvice.ReplaceAllString(finding.Message, "")
		named := nameOfEntry.FindStringSubmatch(text)
		switch {
		case strings.Contains(text, "no entries in it"):
			finding.Remedy = fmt.Sprintf("add one with \"caddy grant %s add\"", strings.TrimSuffix(found[1], "s"))
		case named != nil:
			finding.Remedy = newHash(found[1], named[1], found[2])
		default:
			finding.Remedy = newHash(found[1], "", found[2])
		}
	}
	if strings.Contains(text, "no such file") {
		finding.Remedy = "correct the path or create the file; a relative path counts from the directory in which Caddy is started, here from that of this command"
	}
	r.add(finding)
}

// refused is the handler that an error is about, as far as Caddy says where it is: in
// which server, in which of its routes, and at which position there.
func (r *review) refused(text string) *handler {
	_, text, named := strings.Cut(text, "server ")
	server, text, cut := strings.Cut(text, ": setting up ")
	if !named || !cut {
		return nil
	}
	path := "http/servers/" + server
	var last *handler
	for _, step := range stepTo.FindAllStringSubmatch(text, -1) {
		switch {
		case step[1] == "error":
			path += "/errors"
		case step[2] == "route":
			number, _ := strconv.Atoi(step[3])
			if strings.HasSuffix(path, server+"/errors") && len(r.config.checks) > 0 {
				number-- // the listener guard has a route before those of the config
			}
			path += fmt.Sprintf("/routes/%d", number)
		default:
			path += "/handle/" + step[3]
		}
		if i := slices.IndexFunc(r.config.handlers, func(h *handler) bool { return h.path == path && h.name == step[4] }); i >= 0 {
			last = r.config.handlers[i]
		}
	}
	return last
}

var (
	// stepTo is a step from an HTTP server to one of its handlers.
	stepTo = regexp.MustCompile(`\b(error) (?:handling routes|subroutes)|\b(route|position) (\d+): (?:loading module '([^']+)')?`)

	// ofModule is how Caddy begins the error of a module, within those around it.
	ofModule = regexp.MustCompile(`loading module '[^']+': (?:provision [\w.]+: |[\w.]+: invalid configuration: )?`)

	inFile = regexp.MustCompile(`(?:users|clients) file (.+?): line (\d+)`)

	// of a file, and of an entry in it, with the advice at the end
	ofFile      = regexp.MustCompile(`(users|clients) file (.+?): `)
	nameOfEntry = regexp.MustCompile(`: line \d+: "([^"\\]+)": `)
	hashAdvice  = regexp.MustCompile(`; (?:make a new one with "caddy hash-password|(?:set one|set a password|add one) with: htpasswd)[^;\n]*$`)

	ofNamed = regexp.MustCompile(`server "([a-z0-9_-]+)": `)
)
