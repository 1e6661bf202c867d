package docs

import (
	"go/ast"
	"go/token"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
	"github.com/caddygrant/caddy-grant/integration/internal/repo"
	"github.com/caddygrant/caddy-grant/internal/explain"
)

func testChallenge(t *testing.T, blocks map[string]block) {
	r := newRecipe(t)
	r.serve("api.example.com {\n\timport tokens\n\tbearer_auth {\n\t\tscopes contacts.read\n\t}\n}\n")
	challenge := func(headers ...string) (int, string) {
		a := r.Do(r.Request("GET", "/page", "", headers...))
		if len(a.Body) != 0 {
			t.Errorf("the body is %s", a.Body)
		}
		return a.Status, "WWW-Authenticate: " + a.Header.Get("WWW-Authenticate") + "\n"
	}
	a := r.Login("alice", "correct horse", "scope", "contacts.write")
	status, got := challenge("Authorization: Bearer " + a.Text(t, "access_token"))
	if status != 403 || got != blocks["challenge"].text {
		t.Errorf("got %d %s", status, got)
	}
	if status, got := challenge(); status != 401 || strings.Contains(got, "error") {
		t.Errorf("without a token: %d %s", status, got)
	}
	if status, got := challenge("Authorization: Bearer x"); status != 401 || !strings.Contains(got, `error="invalid_token"`) {
		t.Errorf("with a bad token: %d %s", status, got)
	}
}

// The table of refusals has every reason that the code knows, with its answer, and no
// other.
func TestDocsRefusals(t *testing.T) {
	listed := make(map[string]string)
	for line := range strings.Lines(repo.Docs(t)) {
		cells := row(line)
		if len(cells) != 4 || !regexp.MustCompile(`^\d{3}$`).MatchString(cells[0]) {
			continue
		}
		for _, match := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(cells[2], -1) {
			listed[match[1]] = cells[0] + " " + strings.Trim(cells[1], "`")
		}
	}
	possible := possibleRefusals(t)
	for reason, answer := range possible {
		if listed[reason] != answer {
			t.Errorf("%q is answered %s, the docs say %q", reason, answer, listed[reason])
		}
	}
	for reason := range listed {
		if _, ok := possible[reason]; !ok {
			t.Errorf("the docs have %q, which no code gives", reason)
		}
	}
	if len(possible) < 27 {
		t.Errorf("only %d reasons were found in the code", len(possible))
	}
}

// `caddy grant explain` has words for every reason that concerns a token.
func TestExplainHasWordsForEveryRefusalOfAToken(t *testing.T) {
	words := explain.Reasons()
	of := 0
	byPlace := []string{ // which only the bearer_auth in question can tell
		"it is an API key, and none are taken here", "it is an API key, and these are taken in a header of their own here",
		"it names no issuer whose tokens are taken here", "its client has an id that begins like those of another issuer", "its user has a name that begins like those of another issuer, or of clients",
		"the config has not started yet",
	}
	for reason, answer := range possibleRefusals(t) {
		if answer != "401 invalid_token" && reason != "the token lacks a scope" && (answer != "503 none" || reason == "there is no such server") {
			continue
		}
		of++
		if slices.Contains(byPlace, reason) {
			continue
		}
		if !slices.Contains(words, reason) {
			t.Errorf("internal/explain has no words for %q", reason)
		}
	}
	if of < 20 {
		t.Errorf("only %d reasons were found in the code", of)
	}
}

// possibleRefusals reads the reasons from the code: the texts in calls of what makes a
// bearer.Error, and the errors that a token has.
func possibleRefusals(t *testing.T) map[string]string {
	t.Helper()
	const badToken = "401 invalid_token"
	answers := map[string]string{
		"bearer.noCredentials": "401 none", "bearer.InvalidRequest": "400 invalid_request", "bearer.InvalidToken": badToken,
		"bearer.Unavailable": "503 none", "token.Error": badToken, "token.UncheckedError": "503 none", "token.Unchecked": "503 none",
	}
	made403 := map[string]string{ // by what makes them
		"InsufficientScope": "403 insufficient_scope", "SessionLacksScope": "403 insufficient_scope", "UsersOnly": "403 insufficient_scope", "InsufficientClaim": "403 insufficient_scope",
		"SessionNotForHere": "403 none", "CrossSession": "403 none",
	}
	elsewhere := map[string]bool{
		"OpenRefreshToken": true, // not for bearer_auth
		"Unchecked":        true, // is called with the reason
		"checkSession":     true, // a cookie without a login page is not checked
	}
	ofOneClaim := regexp.MustCompile(`^(?:<claim>|\w+)( is (?:missing or )?malformed)$`)
	possible := make(map[string]string)
	add := func(reason, answer string) {
		possible[ofOneClaim.ReplaceAllString(reason, "<claim>$1")] = answer
	}
	collect := func(source repo.Source, function string, decl ast.Node) {
		ast.Inspect(decl, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.CallExpr:
				called := source.Called(n.Fun)
				if answers[called] == "" {
					return true
				}
				if reason, ok := repo.Literal(n.Args[0]); ok {
					add(reason, answers[called])
				} else if sum, ok := n.Args[0].(*ast.BinaryExpr); ok {
					reason, _ := repo.Literal(sum.Y)
					add("<claim>"+reason, answers[called])
				} else if text, ok := n.Args[0].(*ast.CallExpr); !ok || len(text.Args) != 0 { // err.Error() repeats what is found elsewhere
					t.Errorf("%s: %s calls %s with a reason that this test cannot find", source.Path, function, called)
				}
			case *ast.CompositeLit:
				made := source.Called(n.Type)
				if answers[made] == "" {
					return true
				}
				first := n.Elts[0]
				if named, ok := first.(*ast.KeyValueExpr); ok {
					first = named.Value
				}
				reason, ok := repo.Literal(first)
				if !ok {
					t.Errorf("%s: %s makes a %s with a reason that this test cannot find", source.Path, function, made)
				}
				add(reason, answers[made])
			case *ast.KeyValueExpr:
				if key, ok := n.Key.(*ast.Ident); ok && key.Name == "Reason" && made403[function] != "" {
					reason, _ := repo.Literal(n.Value)
					add(reason, made403[function])
				}
			case *ast.AssignStmt:
				for i, left := range n.Lhs {
					if field, ok := left.(*ast.SelectorExpr); ok && field.Sel.Name == "Reason" && made403[function] != "" {
						reason, _ := repo.Literal(n.Rhs[i])
						add(reason, made403[function])
					}
				}
			}
			return true
		})
	}
	for _, source := range repo.Sources(t) {
		for name, decl := range source.Functions() {
			if !elsewhere[name] {
				collect(source, name, decl)
			}
		}
		for _, decl := range source.AST.Decls {
			if values, ok := decl.(*ast.GenDecl); ok && (values.Tok == token.CONST || values.Tok == token.VAR) {
				collect(source, "a value", values)
			}
		}
	}

	delete(possible, "it is not a session cookie of this server and place") // which counts as absent

	// errors that are values
	for _, decl := range repo.Declaring(t, "ErrBadSignature").AST.Decls {
		values, ok := decl.(*ast.GenDecl)
		if !ok || values.Tok != token.VAR {
			continue
		}
		ast.Inspect(values, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			if made, ok := call.Fun.(*ast.SelectorExpr); ok && made.Sel.Name == "New" {
				reason, _ := repo.Literal(call.Args[0])
				add(reason, badToken)
			}
			return true
		})
	}
	return possible
}

// The docs list the names that no identity header may have.
func TestDocsReservedHeaders(t *testing.T) {
	reserved := map[string]bool{"x-forwarded-": true, "proxy-": true}
	for _, element := range repo.Value(t, "reservedHeaders").(*ast.CompositeLit).Elts {
		name, _ := repo.Literal(element)
		reserved[name] = true
	}
	listed := make(map[string]bool)
	for line := range strings.Lines(repo.Docs(t)) {
		if strings.HasPrefix(line, "These names are refused") {
			for _, match := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(line, -1) {
				listed[strings.ToLower(match[1])] = true
			}
		}
	}
	if !maps.Equal(listed, reserved) {
		t.Errorf("the docs list %v, the code %v", slices.Sorted(maps.Keys(listed)), slices.Sorted(maps.Keys(reserved)))
	}
	for name := range reserved {
		for _, spelling := range []string{name, strings.ReplaceAll(name, "-", "_")} {
			if strings.HasSuffix(name, "-") {
				spelling += "x"
			}
			if _, err := harness.Adapt("http://localhost {\n\tbearer_auth {\n\t\tcopy_claims sub>" + spelling + "\n\t}\n}\n"); err == nil {
				t.Errorf("%s may be an identity header", spelling)
			}
		}
	}
}

// What the docs say of the values of identity headers, and of placeholders.
func TestDocsIdentityHeaders(t *testing.T) {
	r := newRecipe(t)
	r.Write("etc/users.json", `{"users": [{"username": "Zoë", "id": "z-1", "password_hash": "`+harness.HashBcrypt+`", "claims": {
		"text": "a b", "number": 1.50, "yes": true, "list": ["staff", "ops"], "none": null, "object": {"a": 1}, "empty": "", "emptylist": [],
		"comma": ["a,b"], "gap": ["a", ""], "accent": "é", "spaces": " a", "gaps": ["a "], "lines": "a\r\nX-Admin: 1"}}]}`)
	names := []string{"sub", "username", "text", "number", "yes", "list", "none", "object", "empty", "emptylist", "comma", "gap", "accent", "spaces", "gaps", "lines", "absent", "scope", "cid"}
	copies := ""
	for _, name := range names {
		copies += " " + name + ">X-" + name
	}
	r.serve("api.example.com {\n\ttoken_endpoint {\n\t\tusers json /etc/caddy/users.json\n\t\tclient web {\n\t\t\tsecret {file./etc/caddy/web.secret}\n\t\t\tscopes a b\n\t\t}\n\t}\n" +
		"\tbearer_auth {\n\t\tcopy_claims" + copies + "\n\t}\n" +
		"\trespond /placeholders \"{http.auth.user.id}|{http.auth.user.username}|{http.auth.user.client_id}|{http.auth.user.scope}|{http.auth.user.text}|{http.auth.user.number}|{http.auth.user.yes}\"\n" +
		"\trespond /ids \"{http.auth.user.token_id}|{http.auth.user.session_id}\"\n" +
		"\treverse_proxy localhost:9000\n}\n")
	a := r.Login("Zoë", "correct horse")
	a.Want(t, 200, "")
	bearer := "Authorization: Bearer " + a.Text(t, "access_token")
	r.wantBackend("/", bearer)
	received := r.lastReceived()
	want := map[string]string{"sub": "z-1", "text": "a b", "number": "1.50", "yes": "true", "list": "staff,ops", "scope": "a b", "cid": "web"}
	for _, name := range names {
		if values := received.Values("X-" + name); strings.Join(values, "|") != want[name] || (len(values) > 0) != (want[name] != "") {
			t.Errorf("%s is %q, want %q", name, values, want[name])
		}
	}
	r.wantBody("/placeholders", "z-1|Zoë|web|a b|a b|1.50|true", bearer)
	var claims map[string]any
	unmarshal(t, decodePart(t, a.Text(t, "access_token"), 1), &claims)
	r.wantBody("/ids", claims["jti"].(string)+"|"+claims["sid"].(string), bearer)
	for _, name := range []string{"kind", "id", "username", "client_id", "issuer", "scope", "token_id", "session_id", "key_name"} {
		if !strings.Contains(repo.Docs(t), "| `{http.auth.user."+name+"}` |") {
			t.Errorf("the docs do not list %s", name)
		}
	}
}

// What the docs say of optional, shadow, and requests that open a WebSocket.
func TestDocsModes(t *testing.T) {
	r := newRecipe(t)
	site := func(mode string) {
		r.serve("api.example.com {\n\timport tokens\n\tbearer_auth {\n\t\tcopy_claims sub>X-User\n\t\t" + mode + "\n\t}\n\treverse_proxy localhost:9000\n}\n")
	}
	site("")
	r.wantStatus("/", 401, "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==")
	token := r.bearer()
	r.wantStatus("/?access_token=x", 400, token)
	r.wantStatus("/", 200, token)
	if r.lastReceived().Get("Authorization") != "" {
		t.Error("the token is handed on")
	}

	site("forward_token")
	r.wantUser("/", "alice", token)
	if r.lastReceived().Get("Authorization") == "" {
		t.Error("the token is not handed on")
	}

	site("optional")
	r.wantUser("/", "alice", token)
	r.wantUser("/", "")
	r.wantStatus("/", 401, "Authorization: Bearer x")

	site("shadow")
	for name, headers := range map[string][]string{"a good token": {token}, "a bad token": {"Authorization: Bearer x"}, "no token": nil} {
		r.wantUser("/", "", headers...)
		if sent := len(headers) > 0; sent != (r.lastReceived().Get("Authorization") != "") {
			t.Errorf("%s: the app received %v", name, r.lastReceived())
		}
	}
	if lines := r.Logged(func(line map[string]any) bool { return line["msg"] == "request would be refused" }); len(lines) != 2 {
		t.Errorf("the log has %v", lines)
	}
	for _, line := range r.Logged(func(line map[string]any) bool {
		return line["logger"] == "http.handlers.bearer_auth" && line["msg"] == "request refused"
	}) {
		for _, field := range []string{"server", "client_ip", "status", "oauth_error", "reason"} {
			want := field != "oauth_error" || line["reason"] != "no Authorization header"
			if _, there := line[field]; there != want || line["level"] != "info" {
				t.Errorf("want %s to be in it: %v; %v", field, want, line)
			}
		}
	}
}

// Caddy's debug log has what a config spells out, and of placeholders the names.
func TestDocsDebugLog(t *testing.T) {
	r := newRecipe(t)
	r.serve("api.example.com {\n\ttoken_endpoint {\n\t\tusers htpasswd /etc/caddy/users.htpasswd\n\t\tclient web {\n\t\t\tsecret {file./etc/caddy/web.secret}\n\t\t}\n" +
		"\t\tclient other {\n\t\t\tsecret spelled-out\n\t\t}\n\t}\n}\n")
	log := r.RawLog()
	if !strings.Contains(log, `"adjusted config"`) || !strings.Contains(log, "spelled-out") {
		t.Error("the debug log is not as the docs warn: correct the docs")
	}
	if strings.Contains(log, "web-secret") {
		t.Error("the debug log has the content of a file")
	}
}
