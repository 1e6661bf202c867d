package clienttools

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
)

// nginxCache is an nginx that stores what it may.
const nginxCache = `proxy_cache_path %DIR%/cache keys_zone=all:1m;
	server {
		listen %LISTEN%;
		location / {
			proxy_pass http://%TO%;
			proxy_set_header Host $http_host;
			proxy_cache all;
		}
	}`

func startCache(t *testing.T, to string) (address string) {
	t.Helper()
	address = freeAddress(t)
	startNginx(t, address, strings.NewReplacer("%LISTEN%", address, "%TO%", to).Replace(nginxCache))
	return address
}

// privateApp answers with the user's name, and with headers that a test chooses.
type privateApp struct {
	*httptest.Server
	cacheControl, vary atomic.Value
}

func newPrivateApp(t *testing.T) *privateApp {
	t.Helper()
	app := new(privateApp)
	app.cacheControl.Store("public, max-age=600")
	app.vary.Store("")
	app.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", app.cacheControl.Load().(string))
		if vary := app.vary.Load().(string); vary != "" {
			w.Header().Set("Vary", vary)
		}
		fmt.Fprintf(w, "for %s", r.Header.Get("X-User"))
	}))
	t.Cleanup(app.Close)
	return app
}

// startPrivateSite serves the site of the page, or the same without its headers, in
// front of an app.
func startPrivateSite(t *testing.T, s *harness.Site, headers bool, app string) {
	t.Helper()
	site := recipe(t, "private-answers", "api.example.com {", "http://127.0.0.1:%PORT%, http://api.example.com:%PORT% {", "localhost:9000", app)
	if !headers {
		before, rest, _ := strings.Cut(site, "\theader @checked {")
		_, after, _ := strings.Cut(rest, "\t}\n")
		site = before + after
	}
	dir := etc(t)
	users := strings.ReplaceAll("alice:%HASH%\nbob:%HASH%\n", "%HASH%", harness.CheapHash(t, "correct horse"))
	if err := os.WriteFile(filepath.Join(dir, "users.htpasswd"), []byte(users), 0o600); err != nil {
		t.Fatal(err)
	}
	s.Reload("", recipe(t, "snippet", "/etc/caddy", dir)+site)
}

func fetch(t *testing.T, address, path, token string) (int, string, http.Header) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), "GET", "http://"+address+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body := make([]byte, 100)
	n, _ := response.Body.Read(body)
	return response.StatusCode, string(body[:n]), response.Header
}

// What the page warns of does happen, and its headers prevent it.
func TestCacheInFrontOfTheCheck(t *testing.T) {
	need(t)
	s, app := harness.NewSite(t), newPrivateApp(t)
	for _, saying := range []string{"public, max-age=600", "max-age=600", "s-maxage=600"} {
		app.cacheControl.Store(saying)
		for _, headers := range []bool{false, true} {
			startPrivateSite(t, s, headers, app.Listener.Addr().String())
			cache := startCache(t, s.Address())
			token := s.Token("alice")
			if status, body, header := fetch(t, cache, "/contacts", token); status != 200 || body != "for alice" {
				t.Fatalf("%d %s", status, body)
			} else if headers && (fmt.Sprint(header.Values("Cache-Control")) != "[private, no-cache]" || header.Get("Vary") != "Authorization") {
				t.Errorf("the headers are %v", header)
			}
			status, body, _ := fetch(t, cache, "/contacts", "")
			if headers && status != 401 {
				t.Errorf("%s: without a token: %d %s", saying, status, body)
			}
			if !headers && (status != 200 || body != "for alice") {
				t.Errorf("%s: the page warns of what does not happen: %d %s", saying, status, body)
			}
			if status, body, _ := fetch(t, cache, "/contacts", s.Token("bob")); headers && body != "for bob" {
				t.Errorf("%s: bob gets %d %s", saying, status, body)
			}
			if _, _, header := fetch(t, s.Address(), "/token/jwks", ""); header.Get("Cache-Control") != "public, max-age=600" {
				t.Errorf("the keys have %v", header)
			}
		}
	}
}

func TestCacheBehindTheCheck(t *testing.T) {
	need(t)
	s, app := harness.NewSite(t), newPrivateApp(t)
	for vary, want := range map[string]string{"": "for alice", "X-User": "for bob"} {
		app.vary.Store(vary)
		startPrivateSite(t, s, true, startCache(t, app.Listener.Addr().String()))
		if _, body, _ := fetch(t, s.Address(), "/contacts", s.Token("alice")); body != "for alice" {
			t.Fatalf("alice gets %q", body)
		}
		if _, body, _ := fetch(t, s.Address(), "/contacts", s.Token("bob")); body != want {
			t.Errorf("with Vary %q bob gets %q", vary, body)
		}
	}
}

// Neither an answer that was let through nor a refusal has a header of the check's own
// about caches.
func TestCheckSaysNothingAboutCaches(t *testing.T) {
	s, app := harness.NewSite(t), newPrivateApp(t)
	startPrivateSite(t, s, false, app.Listener.Addr().String())
	if _, _, header := fetch(t, s.Address(), "/contacts", s.Token("alice")); fmt.Sprint(header.Values("Cache-Control")) != "[public, max-age=600]" || header.Get("Vary") != "" {
		t.Errorf("the headers are %v", header)
	}
	if status, _, header := fetch(t, s.Address(), "/contacts", ""); status != 401 || header.Get("Cache-Control") != "" || header.Get("Vary") != "" {
		t.Errorf("%d: the headers are %v", status, header)
	}
}
