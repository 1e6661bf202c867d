package configreview_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	_ "github.com/caddyserver/caddy/v2/modules/standard"

	"github.com/caddygrant/caddy-grant/internal/configreview"
)

// Where proxies are does not depend on what these directives say: so they may say
// anything here, and the module itself is not needed.
func init() {
	for name, after := range map[string]string{"token_endpoint": "basic_auth", "bearer_auth": "request_header"} {
		httpcaddyfile.RegisterDirective(name, func(h httpcaddyfile.Helper) ([]httpcaddyfile.ConfigValue, error) {
			all := caddy.ModuleMap{"path": h.JSON(caddyhttp.MatchPath{"*"})} // or a named route keeps its first handler only
			return h.NewRoute(all, new(caddyhttp.StaticResponse)), nil
		})
		httpcaddyfile.RegisterDirectiveOrder(name, httpcaddyfile.After, after)
	}
}

func adapt(t *testing.T, caddyfile string) ([]byte, error) {
	t.Helper()
	adapted, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(caddyfile), nil)
	return adapted, err
}

// Each way to write a block, or none, and each place in which a directive may be.
func TestProxiesAndFileServersAreFoundAtTheirLines(t *testing.T) {
	const config = `(app) {
	reverse_proxy app:1 # HERE
}
&(named) {
	reverse_proxy { # HERE
		to app:1
	}
}
a.example.com {
	import app
	import app
}
b.example.com {
	handle /a* {
		reverse_proxy app:1 { # HERE
			header_up Host "{"
		}
		respond "reverse_proxy app:1
reverse_proxy app:2
" 200
	}
	route {
		handle_path /b/* {
			@get {
				method GET
				header reverse_proxy app
			}
			reverse_proxy @get app:1 app:2 # HERE
		}
		reverse_proxy /c* app:1 { # HERE
		}
		respond <<END
			reverse_proxy app:1 {
			END 200
		reverse_proxy app:1 \
			app:2
		file_server /d* browse # HERE
	}
	invoke named
	root /srv
	php_fastcgi app:1 # HERE
	handle_errors 404 {
		reverse_proxy "app:1" # HERE
	}
}
`
	adapted, err := adapt(t, config)
	if err != nil {
		t.Fatal(err)
	}
	marked, unmarked, ok := configreview.MarkedAt(config, adapted)
	if !ok || len(unmarked) > 0 {
		t.Fatalf("adapted with marks: %v, without a line: %v", ok, unmarked)
	}
	found := make(map[int]bool)
	for _, line := range marked {
		found[line] = true
	}
	for i, text := range strings.Split(config, "\n") {
		if want := strings.HasSuffix(text, "# HERE") || strings.HasSuffix(text, "\\"); found[i+1] != want {
			t.Errorf("line %d, %q: %v, want %v", i+1, text, found[i+1], want)
		}
	}
}

func TestEveryProxyOfTheGoldensHasALine(t *testing.T) {
	files, err := filepath.Glob("../../integration/config/testdata/adapt/*.caddyfiletest")
	if err != nil || len(files) < 100 {
		t.Fatalf("%d goldens: %v", len(files), err)
	}
	adaptable, proxies := 0, 0
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		caddyfile, _, _ := strings.Cut(string(content), "----------\n")
		adapted, err := adapt(t, caddyfile)
		if err != nil {
			continue
		}
		adaptable++
		marked, unmarked, ok := configreview.MarkedAt(caddyfile, adapted)
		if !ok || len(unmarked) > 0 {
			t.Errorf("%s: adapted %v, without a line: %v", file, ok, unmarked)
		}
		proxies += len(marked)
		for path, line := range marked {
			if text := strings.Split(caddyfile, "\n")[line-1]; !strings.Contains(text, "reverse_proxy") && !strings.Contains(text, "file_server") && !strings.Contains(text, "php_fastcgi") {
				t.Errorf("%s: %s is at %q", file, path, text)
			}
		}
	}
	if adaptable == 0 || proxies == 0 {
		t.Errorf("%d goldens are configs, with %d proxies", adaptable, proxies)
	}
}

func TestLinesOfAJSONTextAreThoseOfItsValues(t *testing.T) {
	lines := configreview.LinesOf([]byte("{\n  \"apps\": {\"http\":\n    {\"a\": [1,\n    \"x\\ny\", [],\n  {\"b\": null}]}},\n\n \"c\": {}\n}"))
	for path, want := range map[string]int{"": 1, "apps": 2, "apps/http": 3, "apps/http/a": 3, "apps/http/a/0": 3, "apps/http/a/1": 4, "apps/http/a/2": 4, "apps/http/a/3": 5, "apps/http/a/3/b": 5, "c": 7} {
		if lines[path] != want {
			t.Errorf("%q is on line %d, want %d", path, lines[path], want)
		}
	}
}
