package docs

import (
	"go/ast"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	caddygrant "github.com/caddygrant/caddy-grant"
	"github.com/caddygrant/caddy-grant/directory"
	"github.com/caddygrant/caddy-grant/integration/internal/harness"
	"github.com/caddygrant/caddy-grant/integration/internal/repo"
)

func testReference(t *testing.T, blocks map[string]block) {
	accepted := map[string][]string{
		"token_endpoint":  repo.Cases(t, "parseEndpointSetting"),
		"password_checks": repo.Cases(t, "parsePasswordChecks"),
		"throttle":        repo.Cases(t, "parseThrottle"),
		"user":            repo.Cases(t, "parseUser"),
		"client":          repo.Cases(t, "parseClient"),
		"login_page":      repo.Cases(t, "parsePageSetting"),
		"bearer_auth":     repo.Cases(t, "parseBearerSetting"),
		"issuer":          repo.Cases(t, "parseIssuerSetting"),
	}

	listed := make(map[string][]string)
	var open []string
	for line := range strings.Lines(blocks["reference"].text + blocks["bearer-reference"].text) {
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
		if strings.HasSuffix(line, "{\n") {
			open = append(open, words[0])
		}
	}
	tables := subdirectiveTables(t)
	for _, directive := range slices.Sorted(maps.Keys(accepted)) {
		want := slices.Sorted(slices.Values(accepted[directive]))
		if got := slices.Sorted(slices.Values(listed[directive])); !slices.Equal(got, want) {
			t.Errorf("the docs' syntax of %s has %v, the parser accepts %v", directive, got, want)
		}
		if got := slices.Sorted(maps.Keys(tables[directive])); !slices.Equal(got, want) {
			t.Errorf("the docs' table of %s has %v, the parser accepts %v", directive, got, want)
		}
	}

	// The defaults are those of the godoc.
	types := map[string][]reflect.Type{
		"token_endpoint":  {reflect.TypeFor[caddygrant.Handler](), reflect.TypeFor[caddygrant.Config]()},
		"password_checks": {reflect.TypeFor[caddygrant.PasswordChecks]()},
		"throttle":        {reflect.TypeFor[caddygrant.Throttle]()},
		"user":            {reflect.TypeFor[directory.User]()},
		"client":          {reflect.TypeFor[directory.Client]()},
		"login_page":      {reflect.TypeFor[caddygrant.LoginPage]()},
		"bearer_auth":     {reflect.TypeFor[caddygrant.BearerAuth]()},
		"issuer":          {reflect.TypeFor[caddygrant.OutsideIssuer]()},
	}
	docs, oneValue := godocDefaults(t), regexp.MustCompile("^`[^`]+`$")
	compared := 0
	for directive, structs := range types {
		for _, typ := range structs {
			for setting, documented := range docs[typ.PkgPath()+"."+typ.Name()] {
				cell, ok := tables[directive][setting]
				if !ok || !oneValue.MatchString(documented) {
					continue
				}
				compared++
				if documented == "`false`" {
					documented = "off"
				}
				if cell != documented {
					t.Errorf("the docs' default of %s in %s is %s, the godoc's %s", setting, directive, cell, documented)
				}
			}
		}
	}
	if compared < 20 {
		t.Errorf("only %d defaults were found in the godoc", compared)
	}

	// The syntax itself, filled in, is a Caddyfile.
	values := strings.NewReplacer(
		"also storage|<engine> ...", "", "storage|<engine> ...", "storage", "[<path>]", "/oauth", "[<page_path>]", "/oauth/login", "<title>", "Example", "<file>", "/etc/caddy/login.html", "<domain>", "example.com", "<cookie>", "session", "<target>", "/", "<origins...>", "https://app.example.com", "<name>", "main", "<url>", "https://api.example.com", "<audiences...>", "contacts calendar",
		"<scopes...>", "read write", "cache       <duration>|off", "cache 5m", "wait        <duration>", "wait 50s", "<duration>|off", "720h", "<duration>", "5m", "JWT|at+jwt", "at+jwt", "<username> <hash>", "alice "+harness.HashArgon2id,
		"<subject>", "u-1", "<value>", "v", "<id>", "web", "<secret>", "web-secret", "<hash>", harness.HashBcrypt,
		"<grant_types...>", "password refresh_token", "<n>", "2", "<min> <max>", "10s 30m", "<header>\n", "X-End-User-IP\n", "<date>", "2027-01-31",
		"throttle off|{", "throttle {", "ipv4_prefix     <bits>", "ipv4_prefix 24", "ipv6_prefix     <bits>", "ipv6_prefix 56",
		"<algorithm> [<secret> | file <path>]", "ES256",
		"htpasswd|json <path>", "htpasswd /etc/caddy/file", "json|lines <path>", "lines /etc/caddy/keys.txt",
		"<algorithms...>", "ES256 RS256", "[scope=<claim>] [username=<claim>] [audience=<claim>]", "scope=scp username=oid audience=client_id",
		"<prefix>|-", "staff:", "<module> ...", "file /etc/caddy/ca.pem", "[<header>]", "X-API-Key", "<claim> <values...>", "groups staff", "[<username_prefix>]", "svc:",
		"[<matcher>] [<name>]", "/app/* main", "<paths...>", "/healthz /assets/*", "<protocols...>", "tcp SPDY/3.1", "<claim>><header>...", "sub>X-User email>X-Email",
	)
	credentials := regexp.MustCompile(`(?m)^\t\t(secret |secret_hash|public).*\n`)
	confidential := []*regexp.Regexp{regexp.MustCompile(`(?m)^\t\tintrospect .*\n`), regexp.MustCompile(`(?m)^\t\tend_user_ip .*\n`)}
	for i := range 3 {
		n := 0
		syntax := credentials.ReplaceAllStringFunc(blocks["reference"].text, func(line string) string {
			if n++; n == i+1 {
				return line
			}
			return ""
		})
		if public := i == 2; public {
			for i := range confidential {
				one := confidential[1-i].ReplaceAllString(syntax, "")
				if _, err := harness.Adapt("http://localhost {\n" + values.Replace(one) + "}\n"); err == nil {
					t.Errorf("a public client may have %s", confidential[i])
				}
			}
			for _, line := range confidential {
				syntax = line.ReplaceAllString(syntax, "")
			}
		}
		checked := strings.NewReplacer("\toff\n", "", "\tissuers_only\n", "").Replace(blocks["bearer-reference"].text) // which exclude others
		if _, err := harness.Adapt("http://localhost {\n" + values.Replace(syntax+checked) + "}\n"); n != 3 || err != nil {
			t.Errorf("of %d kinds of clients, %d: %v", n, i+1, err)
		}
	}
	for _, off := range []string{"throttle off", "rotate_every off", "password_checks {\n\t\tcache off\n\t}"} {
		if _, err := harness.Adapt("http://localhost {\n\ttoken_endpoint {\n\t\t" + off + "\n\t\tusers json /f\n\t\tclients json /f\n\t}\n}\n"); err != nil {
			t.Error(err)
		}
	}
	for _, key := range []string{"ES256", "HS256 0123456789abcdef0123456789abcdef", "ES256 file /etc/caddy/key.pem"} {
		for _, format := range []string{"htpasswd", "json"} {
			site := "http://localhost {\n\ttoken_endpoint {\n\t\tsigning_key " + key + "\n\t\tusers " + format + " /f\n\t\tclients " + format + " /f\n\t}\n}\n"
			if _, err := harness.Adapt(site); err != nil {
				t.Error(err)
			}
		}
	}
}

// subdirectiveTables gives the default cell of each subdirective in the docs' tables.
func subdirectiveTables(t *testing.T) map[string]map[string]string {
	t.Helper()
	tables := make(map[string]map[string]string)
	directive := ""
	for line := range strings.Lines(repo.Docs(t)) {
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

// godocDefaults are the last words of the comments on config fields, by type, with its
// package, and JSON name.
func godocDefaults(t *testing.T) map[string]map[string]string {
	t.Helper()
	found := make(map[string]map[string]string)
	ends := regexp.MustCompile(`(?s)Default: (.+)\.\s*$`)
	for _, source := range repo.Sources(t) {
		ast.Inspect(source.AST, func(n ast.Node) bool {
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
				tag, _ := repo.Literal(field.Tag)
				name, _, _ := strings.Cut(reflect.StructTag(tag).Get("json"), ",")
				if match := ends.FindStringSubmatch(field.Doc.Text()); match != nil {
					typ := source.Package() + "." + spec.Name.Name
					if found[typ] == nil {
						found[typ] = make(map[string]string)
					}
					found[typ][name] = strings.ReplaceAll(match[1], "\n", " ")
				}
			}
			return true
		})
	}
	return found
}
