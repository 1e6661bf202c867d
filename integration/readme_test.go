package integration

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"

	caddygrant "github.com/caddygrant/caddy-grant"
)

// block is a fenced block of the README. Its info string has two words: the language and
// the name under which a test executes it.
type block struct {
	line       int
	lang, name string
	text       string
}

// readmeGroup is blocks that one test executes together.
type readmeGroup struct {
	name   string
	blocks []string
	run    func(*testing.T, map[string]block)
}

var readmeGroups = append([]readmeGroup{
	{"the demo runs, and answers as printed", []string{"run", "curl", "answer", "payload", "jwks", "log-line"}, readmeDemo},
	{"the test command is that of .ci/run", []string{"tests"}, readmeTestCommand},
	{"the build commands are those of xcaddy.txt and .ci/run", []string{"xcaddy", "xcaddy-published", "image"}, readmeBuild},
	{"the first site", []string{"first-files", "first-site", "first-login"}, readmeFirstSite},
	{"the Caddyfile reference is what the parser accepts", []string{"reference"}, readmeReference},
	{"the JSON is complete and works", []string{"config", "users-file", "clients-file"}, readmeJSON},
	{"the htpasswd commands make a users file", []string{"htpasswd"}, readmeHtpasswd},
	{"a site with several keys", []string{"signing-keys"}, readmeSigningKeys},
}, recipeGroups...)

// Every command, Caddyfile and JSON of the README is executed: a block without a test, or
// a test without its block, fails here.
func TestReadmeBlocks(t *testing.T) {
	blocks := make(map[string]block)
	for _, b := range readmeBlocks(t) {
		if b.name == "" {
			t.Errorf("README.md:%d: the block has no name: write ```%s <name> and a test that executes it", b.line, b.lang)
		}
		if other, again := blocks[b.name]; again {
			t.Errorf("README.md:%d: the name %q is that of the block at line %d", b.line, b.name, other.line)
		}
		blocks[b.name] = b
	}
	executed := make(map[string]bool)
	for _, group := range readmeGroups {
		for _, name := range group.blocks {
			executed[name] = true
			if _, there := blocks[name]; !there {
				t.Errorf("README.md has no block %q, which %q executes", name, group.name)
			}
		}
	}
	for name, b := range blocks {
		if !executed[name] {
			t.Errorf("README.md:%d: no test executes the block %q", b.line, name)
		}
	}
	if t.Failed() {
		return
	}
	for _, group := range readmeGroups {
		t.Run(group.name, func(t *testing.T) { group.run(t, blocks) })
	}
}

func readmeBlocks(t *testing.T) []block {
	t.Helper()
	var (
		blocks []block
		b      *block
	)
	for i, line := range strings.Split(readRepo(t, "README.md"), "\n") {
		info, fence := strings.CutPrefix(strings.TrimSpace(line), "```")
		switch {
		case fence && b == nil:
			b = &block{line: i + 1}
			b.lang, b.name, _ = strings.Cut(info, " ")
		case fence:
			blocks = append(blocks, *b)
			b = nil
		case b != nil:
			b.text += line + "\n"
		}
	}
	if b != nil {
		t.Fatalf("README.md:%d: the block does not end", b.line)
	}
	return blocks
}

// readRepo reads a file of the checkout.
func readRepo(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join("..", filepath.FromSlash(path)))
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// shell runs a command of the README in a directory, with the caddy of this checkout in
// the path.
func shell(t *testing.T, dir, command, stdin string, env ...string) string {
	t.Helper()
	binary, err := caddyBinary()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "sh", "-eu", "-c", command)
	cmd.Dir = dir
	cmd.Stdin = strings.NewReader(stdin)
	cmd.Env = append(os.Environ(), "PATH="+filepath.Dir(binary)+string(os.PathListSeparator)+os.Getenv("PATH"),
		"HOME="+t.TempDir(), "XDG_DATA_HOME=", "XDG_CONFIG_HOME=")
	cmd.Env = append(cmd.Env, env...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s: %v\n%s%s", command, err, stdout.String(), stderr.String())
	}
	return stdout.String()
}

// members are the names in a JSON object, in order.
func members(t *testing.T, object string) []string {
	t.Helper()
	decoder := json.NewDecoder(strings.NewReader(object))
	if start, err := decoder.Token(); err != nil || start != json.Delim('{') {
		t.Fatalf("not a JSON object: %s", object)
	}
	var names []string
	for decoder.More() {
		name, err := decoder.Token()
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, name.(string))
		var value json.RawMessage
		if err := decoder.Decode(&value); err != nil {
			t.Fatal(err)
		}
	}
	return names
}

func sameMembers(t *testing.T, b block, got string) {
	t.Helper()
	if want, have := members(t, b.text), members(t, got); !slices.Equal(want, have) {
		t.Errorf("README.md:%d: it has the members %v, in truth they are %v", b.line, want, have)
	}
}

func readmeDemo(t *testing.T, blocks map[string]block) {
	s := newSite(t)
	port := strconv.Itoa(s.port)
	s.write("Caddyfile.example", strings.ReplaceAll(readRepo(t, "Caddyfile.example"), "8080", port))
	args, ok := strings.CutPrefix(blocks["run"].text, "go run ./cmd/caddy run --config ")
	if !ok {
		t.Fatalf("not the command that runs it: %s", blocks["run"].text)
	}
	p := startReady(t, s, strings.TrimSpace(args))

	curl := strings.ReplaceAll(blocks["curl"].text, "8080", port)
	answer := shell(t, s.dir, curl, "")
	if strings.Count(answer, "\n") != 1 {
		t.Errorf("not one line: %q", answer)
	}
	sameMembers(t, blocks["answer"], answer)

	var got, want struct {
		TokenType   string `json:"token_type"`
		ExpiresIn   int    `json:"expires_in"`
		AccessToken string `json:"access_token"`
		Scope       string `json:"scope"`
	}
	unmarshal(t, answer, &got)
	unmarshal(t, blocks["answer"].text, &want)
	claims := decodePart(t, got.AccessToken, 1)
	got.AccessToken, want.AccessToken = "", ""
	if got != want {
		t.Errorf("the README says %+v, the answer %+v", want, got)
	}
	sameMembers(t, blocks["payload"], claims)

	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	unmarshal(t, shell(t, s.dir, strings.ReplaceAll(blocks["jwks"].text, "8080", port), ""), &set)
	if len(set.Keys) != 1 {
		t.Errorf("there are %d keys", len(set.Keys))
	}

	shell(t, s.dir, strings.Replace(curl, "password=demo-password", "password=wrong", 1), "")
	var refusals []string
	for line := range strings.Lines(p.printed()) {
		if strings.Contains(line, "request refused") {
			refusals = append(refusals, line)
		}
	}
	if len(refusals) != 1 {
		t.Fatalf("there are %d lines about a refused request in\n%s", len(refusals), p.printed())
	}
	sameMembers(t, blocks["log-line"], refusals[0])
	var gotLine, wantLine map[string]any
	unmarshal(t, refusals[0], &gotLine)
	unmarshal(t, blocks["log-line"].text, &wantLine)
	delete(gotLine, "ts")
	delete(wantLine, "ts")
	if !reflect.DeepEqual(gotLine, wantLine) {
		t.Errorf("the README's log line is %v, the log's %v", wantLine, gotLine)
	}
	p.stop()

	for _, file := range readDir(t, s.dir) {
		if file != "Caddyfile.example" && file != ".caddy-grant-example" {
			t.Errorf("the demo left %s behind", file)
		}
	}
}

func readDir(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	return names
}

func unmarshal(t *testing.T, text string, v any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), v); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
}

// decodePart is a part of a JWT as JSON.
func decodePart(t *testing.T, jwt string, part int) string {
	t.Helper()
	parts := strings.Split(jwt, ".")
	if len(parts) != 3 {
		t.Fatalf("not a JWT: %d parts", len(parts))
	}
	decoded, err := base64.RawURLEncoding.DecodeString(parts[part])
	if err != nil {
		t.Fatal(err)
	}
	return string(decoded)
}

func readmeTestCommand(t *testing.T, blocks map[string]block) {
	if command := strings.TrimSpace(blocks["tests"].text); !strings.Contains(readRepo(t, ".ci/run"), command) {
		t.Errorf(".ci/run does not run %q", command)
	}
}

func readmeBuild(t *testing.T, blocks map[string]block) {
	if command := strings.TrimSpace(blocks["xcaddy"].text); !strings.Contains(readRepo(t, ".ci/run"), command+" ") {
		t.Errorf(".ci/run does not run %q", command)
	}

	gomod := readRepo(t, "go.mod")
	module := regexp.MustCompile(`(?m)^module (\S+)$`).FindStringSubmatch(gomod)[1]
	version := regexp.MustCompile(`(?m)^\s*github.com/caddyserver/caddy/v2 v(\S+)$`).FindStringSubmatch(gomod)[1]
	published := strings.TrimSpace(blocks["xcaddy-published"].text)
	if want := "xcaddy build --with " + module; published != want {
		t.Errorf("got %q, want %q", published, want)
	}
	if want := "build v" + version + " --with " + module + "@v0.0.0=.\n"; !strings.HasSuffix(readRepo(t, "xcaddy.txt"), "\n"+want) {
		t.Errorf("xcaddy.txt is not %q", want)
	}
	want := "FROM caddy:" + version + "-builder AS builder\nRUN " + published + "\nFROM caddy:" + version + "\nCOPY --from=builder /usr/bin/caddy /usr/bin/caddy\n"
	if blocks["image"].text != want {
		t.Errorf("got\n%swant\n%s", blocks["image"].text, want)
	}
}

func readmeFirstSite(t *testing.T, blocks map[string]block) {
	const password = "a pass+word & 100%"
	r := newRecipe(t)
	for _, file := range []string{"users.htpasswd", "web.secret"} {
		if err := os.Remove(filepath.Join(r.etc, file)); err != nil {
			t.Fatal(err)
		}
	}
	shell(t, r.etc, blocks["first-files"].text, password+"\n")
	if secret, _ := os.ReadFile(filepath.Join(r.etc, "web.secret")); !regexp.MustCompile(`^[0-9a-f]{64}$`).Match(secret) {
		t.Fatalf("not a secret: %q", secret)
	}
	r.serve(blocks["first-site"].text)

	login := strings.ReplaceAll(blocks["first-login"].text, "https://api.example.com", r.url(""))
	var answer map[string]any
	unmarshal(t, shell(t, r.etc, login, "", "PASSWORD="+password), &answer)
	if answer["scope"] != "contacts.read contacts.write" {
		t.Errorf("got %v", answer)
	}
	r.wantBackend("/contacts")
}

func readmeSigningKeys(t *testing.T, blocks map[string]block) {
	r := newRecipe(t)
	r.writeOldKey()
	r.serve(blocks["signing-keys"].text)
	a := r.login("alice", "correct horse")
	a.want(t, 200, "")
	if header := decodePart(t, a.text(t, "access_token"), 0); !strings.Contains(header, `"EdDSA"`) {
		t.Errorf("signed with %s", header)
	}
	jwks := r.do(r.request("GET", "/token/jwks", ""))
	for _, alg := range []string{"EdDSA", "RS256"} {
		if !strings.Contains(string(jwks.body), `"alg":"`+alg+`"`) {
			t.Errorf("the keys lack %s: %s", alg, jwks.body)
		}
	}
}

// writeOldKey writes the PEM file of the README's signing keys.
func (r *recipe) writeOldKey() {
	r.t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		r.t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		r.t.Fatal(err)
	}
	r.write("etc/old-key.pem", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})))
}

func readmeHtpasswd(t *testing.T, blocks map[string]block) {
	r := newRecipe(t)
	if err := os.Remove(filepath.Join(r.etc, "users.htpasswd")); err != nil {
		t.Fatal(err)
	}
	// what a person would type
	const typing = "htpasswd() { case \" $* \" in *' -D '*) command htpasswd \"$@\";; *) echo 'correct horse' | command htpasswd -i \"$@\";; esac; }\n"
	shell(t, r.etc, typing+blocks["htpasswd"].text, "")
	content, err := os.ReadFile(filepath.Join(r.etc, "users.htpasswd"))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(string(content), "alice:$2y$10$") || strings.Contains(string(content), "bob") {
		t.Errorf("the file is %s", content)
	}
	r.serve("http://api.example.com {\n\timport tokens\n}\n")
	r.login("alice", "correct horse").want(t, 200, "")
	r.login("bob", "correct horse").want(t, 400, "invalid_grant")

	// what the README says of its defaults
	for flags, prefix := range map[string]string{"": "u:$apr1$", "-B": "u:$2y$05$", "-2": "u:$5$", "-5": "u:$6$", "-s": "u:{SHA}"} {
		if line := shell(t, r.dir, "htpasswd -nb "+flags+" u p", ""); !strings.HasPrefix(line, prefix) {
			t.Errorf("htpasswd %s writes %s", flags, line)
		}
	}
}

func readmeReference(t *testing.T, blocks map[string]block) {
	accepted := map[string][]string{
		"token_endpoint":  parserCases(t, "caddyfile.go", "parseEndpointSetting"),
		"password_checks": parserCases(t, "caddyfile.go", "parsePasswordChecks"),
		"user":            parserCases(t, "caddyfile_sources.go", "parseUser"),
		"client":          parserCases(t, "caddyfile_sources.go", "parseClient"),
	}

	listed := make(map[string][]string)
	var open []string
	for line := range strings.Lines(blocks["reference"].text) {
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		if words[0] == "}" {
			open = open[:len(open)-1]
			continue
		}
		if len(open) > 0 {
			listed[open[len(open)-1]] = append(listed[open[len(open)-1]], words[0])
		}
		if words[len(words)-1] == "{" {
			open = append(open, words[0])
		}
	}
	tables := subdirectiveTables(t)
	for _, directive := range slices.Sorted(maps.Keys(accepted)) {
		want := slices.Sorted(slices.Values(accepted[directive]))
		if got := slices.Sorted(slices.Values(listed[directive])); !slices.Equal(got, want) {
			t.Errorf("the README's syntax of %s has %v, the parser accepts %v", directive, got, want)
		}
		if got := slices.Sorted(maps.Keys(tables[directive])); !slices.Equal(got, want) {
			t.Errorf("the README's table of %s has %v, the parser accepts %v", directive, got, want)
		}
	}

	// The defaults are those of the godoc.
	types := map[string][]reflect.Type{
		"token_endpoint":  {reflect.TypeFor[caddygrant.Handler](), reflect.TypeFor[caddygrant.Config]()},
		"password_checks": {reflect.TypeFor[caddygrant.PasswordChecks]()},
		"user":            {reflect.TypeFor[caddygrant.User]()},
		"client":          {reflect.TypeFor[caddygrant.Client]()},
	}
	docs, oneValue := godocDefaults(t), regexp.MustCompile("^`[^`]+`$")
	compared := 0
	for directive, structs := range types {
		for _, typ := range structs {
			for setting, documented := range docs[typ.Name()] {
				cell, ok := tables[directive][setting]
				if !ok || !oneValue.MatchString(documented) {
					continue
				}
				compared++
				if documented == "`false`" {
					documented = "off"
				}
				if cell != documented {
					t.Errorf("the README's default of %s in %s is %s, the godoc's %s", setting, directive, cell, documented)
				}
			}
		}
	}
	if compared < 9 {
		t.Errorf("only %d defaults were found in the godoc", compared)
	}

	// The syntax itself, filled in, is a Caddyfile.
	values := strings.NewReplacer(
		"[<path>]", "/oauth", "<name>", "main", "<url>", "https://api.example.com", "<audiences...>", "contacts calendar",
		"<scopes...>", "read write", "<duration>|off", "720h", "<duration>", "5m", "JWT|at+jwt", "at+jwt", "<username> <hash>", "alice "+hashArgon2id,
		"<subject>", "u-1", "<value>", "v", "<id>", "web", "<secret>", "web-secret", "<hash>", hashBcrypt,
		"<grant_types...>", "password", "<n>", "2",
		"<algorithm> [<secret> | file <path>]", "ES256",
		"htpasswd|json <path>", "htpasswd /etc/caddy/file",
	)
	credentials := regexp.MustCompile(`(?m)^\t\t(secret |secret_hash|public).*\n`)
	for i := range 3 {
		n := 0
		syntax := credentials.ReplaceAllStringFunc(blocks["reference"].text, func(line string) string {
			if n++; n == i+1 {
				return line
			}
			return ""
		})
		if _, err := adapt("http://localhost {\n" + values.Replace(syntax) + "}\n"); n != 3 || err != nil {
			t.Errorf("of %d kinds of clients, %d: %v", n, i+1, err)
		}
	}
	for _, key := range []string{"ES256", "HS256 0123456789abcdef0123456789abcdef", "ES256 file /etc/caddy/key.pem"} {
		for _, format := range []string{"htpasswd", "json"} {
			site := "http://localhost {\n\ttoken_endpoint {\n\t\tsigning_key " + key + "\n\t\tusers " + format + " /f\n\t\tclients " + format + " /f\n\t}\n}\n"
			if _, err := adapt(site); err != nil {
				t.Error(err)
			}
		}
	}
}

// parserCases are the words that a function of the Caddyfile parser has a case for.
func parserCases(t *testing.T, file, function string) []string {
	t.Helper()
	var names []string
	ast.Inspect(functions(t, file)[function], func(n ast.Node) bool {
		clause, ok := n.(*ast.CaseClause)
		if !ok {
			return true
		}
		for _, expr := range clause.List {
			if text, ok := literal(expr); ok {
				names = append(names, text)
			}
		}
		return true
	})
	if len(names) == 0 {
		t.Fatalf("%s in %s has no cases: this test must learn where the parser is now", function, file)
	}
	return names
}

// functions are the functions and methods of a file of the module.
func functions(t *testing.T, file string) map[string]*ast.FuncDecl {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), filepath.Join("..", file), nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	found := make(map[string]*ast.FuncDecl)
	for _, decl := range parsed.Decls {
		if f, ok := decl.(*ast.FuncDecl); ok {
			found[f.Name.Name] = f
		}
	}
	return found
}

// sources are the module's files, without those of tests.
func sources(t *testing.T) []string {
	t.Helper()
	var files []string
	for _, file := range readDir(t, "..") {
		if strings.HasSuffix(file, ".go") && !strings.HasSuffix(file, "_test.go") {
			files = append(files, file)
		}
	}
	return files
}

func literal(expr ast.Expr) (string, bool) {
	lit, ok := expr.(*ast.BasicLit)
	if !ok || lit.Kind != token.STRING {
		return "", false
	}
	text, err := strconv.Unquote(lit.Value)
	return text, err == nil
}

// subdirectiveTables gives the default cell of each subdirective in the README's tables.
func subdirectiveTables(t *testing.T) map[string]map[string]string {
	t.Helper()
	tables := make(map[string]map[string]string)
	directive := ""
	for line := range strings.Lines(readRepo(t, "README.md")) {
		if heading, ok := strings.CutPrefix(line, "#"); ok {
			directive = strings.Trim(heading, "# `\n")
			continue
		}
		cells := row(line)
		if len(cells) != 3 || !strings.HasPrefix(cells[0], "`") {
			continue
		}
		if tables[directive] == nil {
			tables[directive] = make(map[string]string)
		}
		tables[directive][strings.Trim(cells[0], "`")] = cells[2]
	}
	return tables
}

// row splits a line of a Markdown table.
func row(line string) []string {
	line = strings.TrimSpace(line)
	if !strings.HasPrefix(line, "| ") {
		return nil
	}
	cells := strings.Split(strings.Trim(line, "|"), "|")
	for i := range cells {
		cells[i] = strings.TrimSpace(cells[i])
	}
	return cells
}

// godocDefaults are the last words of the comments on config fields, by type and JSON name.
func godocDefaults(t *testing.T) map[string]map[string]string {
	t.Helper()
	found := make(map[string]map[string]string)
	ends := regexp.MustCompile(`(?s)Default: (.+)\.\s*$`)
	for _, file := range sources(t) {
		parsed, err := parser.ParseFile(token.NewFileSet(), filepath.Join("..", file), nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(parsed, func(n ast.Node) bool {
			spec, ok := n.(*ast.TypeSpec)
			if !ok {
				return true
			}
			fields, ok := spec.Type.(*ast.StructType)
			if !ok {
				return true
			}
			for _, field := range fields.Fields.List {
				if field.Tag == nil || field.Doc == nil {
					continue
				}
				tag, _ := literal(field.Tag)
				name, _, _ := strings.Cut(reflect.StructTag(tag).Get("json"), ",")
				if match := ends.FindStringSubmatch(field.Doc.Text()); match != nil {
					if found[spec.Name.Name] == nil {
						found[spec.Name.Name] = make(map[string]string)
					}
					found[spec.Name.Name][name] = strings.ReplaceAll(match[1], "\n", " ")
				}
			}
			return true
		})
	}
	return found
}

func readmeJSON(t *testing.T, blocks map[string]block) {
	// All keys, and no other.
	known := map[string]bool{"handler": true, "source": true}
	for _, typ := range []reflect.Type{
		reflect.TypeFor[caddygrant.Handler](), reflect.TypeFor[caddygrant.SigningKey](), reflect.TypeFor[caddygrant.PasswordChecks](),
		reflect.TypeFor[caddygrant.InlineUsers](), reflect.TypeFor[caddygrant.HtpasswdUsers](), reflect.TypeFor[caddygrant.JSONUsers](), reflect.TypeFor[caddygrant.User](),
		reflect.TypeFor[caddygrant.InlineClients](), reflect.TypeFor[caddygrant.HtpasswdClients](), reflect.TypeFor[caddygrant.JSONClients](), reflect.TypeFor[caddygrant.Client](),
	} {
		for _, field := range reflect.VisibleFields(typ) {
			if name, _, _ := strings.Cut(field.Tag.Get("json"), ","); field.IsExported() && name != "" && name != "-" {
				known[name] = true
			}
		}
	}
	delete(known, "defined_at") // the Caddyfile adapter's note to itself
	var handler any
	unmarshal(t, blocks["config"].text, &handler)
	shown := make(map[string]bool)
	var walk func(any)
	walk = func(v any) {
		switch v := v.(type) {
		case []any:
			for _, element := range v {
				walk(element)
			}
		case map[string]any:
			for key, value := range v {
				shown[key] = true
				if key != "claims" {
					walk(value)
				}
			}
		}
	}
	walk(handler)
	if got, want := slices.Sorted(maps.Keys(shown)), slices.Sorted(maps.Keys(known)); !slices.Equal(got, want) {
		t.Errorf("the README's JSON has the keys\n%v, the module\n%v", got, want)
	}

	// It works, with the README's files.
	r := newRecipe(t)
	r.writeOldKey()
	r.write("etc/users.json", blocks["users-file"].text)
	r.write("etc/clients.json", blocks["clients-file"].text)
	r.write("etc/users.htpasswd", "carol:"+hashBcrypt+"\n")
	r.write("etc/clients.htpasswd", "batch:"+hashArgon2id+"\n")
	r.write("etc/hs256.secret", strings.Repeat("0123456789abcdef", 2)+"\n")
	config := `{"admin": {"disabled": true, "config": {"persist": false}}, "storage": {"module": "file_system", "root": "` + r.dir + `/storage"},
		"apps": {"http": {"servers": {"site": {"listen": ["` + r.address() + `"], "automatic_https": {"disable": true},
		"routes": [{"handle": [` + strings.ReplaceAll(blocks["config"].text, "/etc/caddy", r.etc) + `]}]}}}}}`
	if err := caddy.Load([]byte(config), true); err != nil {
		t.Fatal(err)
	}
	for _, login := range []struct {
		client, secret, username, password, scope string
		status                                    int
	}{
		{"web", "web-secret", "alice", "demo-password", "contacts.read", 200},
		{"cli", "", "carol", "correct horse", "contacts.read contacts.write", 200},
		{"cron", "cron-secret", "carol", "correct horse", "contacts.read contacts.write", 200},
		{"batch", "correct horse", "carol", "correct horse", "contacts.read contacts.write", 200},
		{"kiosk", "", "carol", "correct horse", "contacts.read", 200},
		{"web", "web-secret", "bob", "correct horse", "", 400}, // disabled
	} {
		a := r.login(login.username, login.password, "client_id", login.client, "client_secret", login.secret)
		if a.status != login.status || login.status == 200 && a.text(t, "scope") != login.scope {
			t.Errorf("%s for %s: %d %s", login.client, login.username, a.status, a.body)
		}
	}

	// The files by themselves.
	var content struct {
		Users []struct {
			Claims map[string]any `json:"claims"`
		} `json:"users"`
	}
	unmarshal(t, blocks["users-file"].text, &content)
	r.serve("http://api.example.com {\n\ttoken_endpoint {\n\t\tusers json /etc/caddy/users.json\n\t\tclients json /etc/caddy/clients.json\n\t}\n}\n")
	a := r.login("alice", "demo-password", "client_secret", "correct horse")
	a.want(t, 200, "")
	var claims map[string]any
	unmarshal(t, decodePart(t, a.text(t, "access_token"), 1), &claims)
	if claims["sub"] != "512a" || claims["exp"].(float64)-claims["iat"].(float64) != 15*60 {
		t.Errorf("the claims are %v", claims)
	}
	for name, want := range content.Users[0].Claims {
		if !reflect.DeepEqual(claims[name], want) {
			t.Errorf("claim %s is %v, in the file it is %v", name, claims[name], want)
		}
	}
}

// The error table has every answer that the code can give, and no other.
func TestReadmeErrorTable(t *testing.T) {
	listed := make(map[string]string)
	for line := range strings.Lines(readRepo(t, "README.md")) {
		cells := row(line)
		if len(cells) != 5 || !regexp.MustCompile(`^\d{3}$`).MatchString(cells[0]) {
			continue
		}
		for reason := range strings.SplitSeq(cells[2], ", ") {
			listed[strings.Trim(reason, "`")] = cells[0] + " " + strings.Trim(cells[1], "`")
		}
	}
	possible := possibleErrors(t)
	for reason, answer := range possible {
		if listed[reason] != answer {
			t.Errorf("%s is answered %s, the README says %q", reason, answer, listed[reason])
		}
	}
	for reason := range listed {
		if _, ok := possible[reason]; !ok {
			t.Errorf("the README has %s, which no code answers", reason)
		}
	}
	if len(possible) < 25 {
		t.Errorf("only %d reasons were found in the code", len(possible))
	}
}

// possibleErrors reads from the code which reason is answered with which status and code:
// the constructors of oauth_error.go, and what they are called with.
func possibleErrors(t *testing.T) map[string]string {
	t.Helper()
	codes := make(map[string]string)
	parsed, err := parser.ParseFile(token.NewFileSet(), "../oauth_error.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(parsed, func(n ast.Node) bool {
		if spec, ok := n.(*ast.ValueSpec); ok && len(spec.Values) == 1 {
			codes[spec.Names[0].Name], _ = literal(spec.Values[0])
		}
		return true
	})
	statuses := map[string]int{
		"StatusBadRequest": http.StatusBadRequest, "StatusUnauthorized": http.StatusUnauthorized, "StatusNotFound": http.StatusNotFound,
		"StatusMethodNotAllowed": http.StatusMethodNotAllowed, "StatusRequestEntityTooLarge": http.StatusRequestEntityTooLarge,
		"StatusServiceUnavailable": http.StatusServiceUnavailable, "StatusInternalServerError": http.StatusInternalServerError,
	}

	type constructor struct {
		status       int
		code, reason string // no reason: its first argument is one
	}
	constructors := make(map[string]constructor)
	var resolve func(name string) constructor
	decls := functions(t, "oauth_error.go")
	resolve = func(name string) constructor {
		if c, done := constructors[name]; done {
			return c
		}
		var c constructor
		set := func(field string, value ast.Expr) {
			switch field {
			case "status":
				selector, ok := value.(*ast.SelectorExpr)
				if !ok || statuses[selector.Sel.Name] == 0 {
					t.Fatalf("%s: a status that this test does not know", name)
				}
				c.status = statuses[selector.Sel.Name]
			case "code":
				c.code = codes[value.(*ast.Ident).Name]
			case "reason":
				c.reason, _ = literal(value)
			}
		}
		ast.Inspect(decls[name].Body, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.KeyValueExpr:
				set(n.Key.(*ast.Ident).Name, n.Value)
			case *ast.AssignStmt:
				for i, left := range n.Lhs {
					if selector, ok := left.(*ast.SelectorExpr); ok {
						set(selector.Sel.Name, n.Rhs[i])
					}
				}
			case *ast.CallExpr:
				if called, ok := n.Fun.(*ast.Ident); ok && strings.HasPrefix(called.Name, "err") {
					c = resolve(called.Name)
					if len(n.Args) > 0 {
						c.reason, _ = literal(n.Args[0])
					}
				}
			}
			return true
		})
		constructors[name] = c
		return c
	}
	for name := range decls {
		if strings.HasPrefix(name, "err") {
			resolve(name)
		}
	}

	// Reasons that reach a constructor in a variable.
	variables := map[string][]string{}
	ast.Inspect(functions(t, "credentials.go")["checkClientSecret"], func(n ast.Node) bool {
		if result, ok := n.(*ast.ReturnStmt); ok {
			if reason, ok := literal(result.Results[0]); ok && reason != "" {
				variables["errInvalidClient"] = append(variables["errInvalidClient"], reason)
			}
		}
		return true
	})
	ast.Inspect(functions(t, "grant_password.go")["parameters"], func(n ast.Node) bool {
		if lit, ok := n.(*ast.BasicLit); ok {
			name, _ := literal(lit)
			variables["errMissingParameter"] = append(variables["errMissingParameter"], name)
		}
		return true
	})

	possible := make(map[string]string)
	add := func(name, reason string) {
		c := constructors[name]
		if name == "errMissingParameter" {
			reason = "missing_" + reason
		}
		if c.status == 0 || c.code == "" || reason == "" {
			t.Fatalf("%s with reason %q: this test does not understand it", name, reason)
		}
		possible[reason] = strconv.Itoa(c.status) + " " + c.code
	}
	for _, file := range sources(t) {
		if file == "oauth_error.go" {
			continue
		}
		for _, f := range functions(t, file) {
			ast.Inspect(f, func(n ast.Node) bool {
				call, ok := n.(*ast.CallExpr)
				if !ok {
					return true
				}
				called, ok := call.Fun.(*ast.Ident)
				if !ok {
					return true
				}
				c, ok := constructors[called.Name]
				if !ok {
					return true
				}
				if c.reason != "" {
					add(called.Name, c.reason)
				} else if reason, ok := literal(call.Args[0]); ok {
					add(called.Name, reason)
				} else {
					if len(variables[called.Name]) == 0 {
						t.Fatalf("%s is called with a reason that this test cannot find", called.Name)
					}
					for _, reason := range variables[called.Name] {
						add(called.Name, reason)
					}
				}
				return true
			})
		}
	}
	return possible
}

// The README names the module's metrics, all and no other.
func TestReadmeMetrics(t *testing.T) {
	r := newRecipe(t)
	r.serve("http://api.example.com {\n\timport tokens\n\tmetrics /metrics\n}\n")
	names := func(text string) []string {
		found := make(map[string]bool)
		for _, name := range regexp.MustCompile(`caddy_grant_\w+`).FindAllString(text, -1) {
			found[name] = true
		}
		return slices.Sorted(maps.Keys(found))
	}
	metrics := string(r.do(r.request("GET", "/metrics", "")).body)
	if got, want := names(readRepo(t, "README.md")), names(metrics); len(want) == 0 || !slices.Equal(got, want) {
		t.Errorf("the README has %v, Caddy %v", got, want)
	}
	if !strings.Contains(metrics, `caddy_grant_file_last_reload_successful{path="`+r.etc+`/users.htpasswd",reads="users"} 1`) {
		t.Errorf("the labels are others: %s", metrics)
	}
}

// Links within the README lead somewhere.
func TestReadmeLinks(t *testing.T) {
	readme := readRepo(t, "README.md")
	anchors := make(map[string]bool)
	code := false
	for line := range strings.Lines(readme) {
		if strings.HasPrefix(line, "```") {
			code = !code
		}
		if heading := strings.TrimLeft(line, "#"); heading != line && !code {
			anchor := strings.ToLower(strings.TrimSpace(heading))
			anchor = regexp.MustCompile(`[^\w\- ]`).ReplaceAllString(anchor, "")
			anchors[strings.ReplaceAll(anchor, " ", "-")] = true
		}
	}
	for _, match := range regexp.MustCompile(`\]\(([^)\s]+)\)`).FindAllStringSubmatch(readme, -1) {
		target := match[1]
		if anchor, ok := strings.CutPrefix(target, "#"); ok {
			if !anchors[anchor] {
				t.Errorf("no heading for %s", target)
			}
		} else if !strings.Contains(target, "://") {
			if _, err := os.Stat(filepath.Join("..", target)); err != nil {
				t.Error(err)
			}
		}
	}
}

// The help says what the README says about commands of Caddy's own.
func TestReadmeHashPassword(t *testing.T) {
	for args, prefix := range map[string]string{"": "$2a$14$", "--algorithm argon2id": "$argon2id$v=19$m=47104,t=1,p=1$"} {
		cmd := caddyCommand(context.Background(), t, t.TempDir(), append([]string{"hash-password", "--plaintext", "p"}, strings.Fields(args)...)...)
		if output, err := cmd.Output(); err != nil || !strings.HasPrefix(string(output), prefix) {
			t.Errorf("caddy hash-password %s: %s %v", args, output, err)
		}
	}
}
