package clienttools

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
)

// forwardAuth is the part of Traefik's dynamic configuration that the recipe has.
type forwardAuth struct {
	Address                  string `yaml:"address"`
	TrustForwardHeader       *bool  `yaml:"trustForwardHeader"`
	AuthResponseHeadersRegex string `yaml:"authResponseHeadersRegex"`
}

// ServeHTTP does what ServeHTTP and writeHeader of pkg/middlewares/auth/forward.go do
// in Traefik 3.7, with the settings of the recipe: Traefik itself cannot be built here.
func (f forwardAuth) ServeHTTP(w http.ResponseWriter, r *http.Request, next http.Handler) {
	ask, err := http.NewRequestWithContext(r.Context(), "GET", f.Address, nil)
	if err != nil {
		w.WriteHeader(500)
		return
	}
	ask.Header = r.Header.Clone()
	for name := range ask.Header {
		if strings.HasPrefix(name, "X-Forwarded-") {
			ask.Header.Del(name)
		}
	}
	ask.Header.Del("Connection")
	ask.Header.Set("X-Forwarded-For", "127.0.0.1")
	ask.Header.Set("X-Forwarded-Method", r.Method)
	ask.Header.Set("X-Forwarded-Proto", "https")
	ask.Header.Set("X-Forwarded-Host", r.Host)
	ask.Header.Set("X-Forwarded-Uri", r.URL.RequestURI())
	answer, err := http.DefaultTransport.RoundTrip(ask)
	if err != nil {
		w.WriteHeader(500)
		return
	}
	defer answer.Body.Close()
	if answer.StatusCode < 200 || answer.StatusCode >= 300 {
		maps.Copy(w.Header(), answer.Header)
		w.WriteHeader(answer.StatusCode)
		_, _ = io.Copy(w, answer.Body)
		return
	}
	names := regexp.MustCompile(f.AuthResponseHeadersRegex)
	for name := range r.Header {
		if names.MatchString(name) {
			r.Header.Del(name)
		}
	}
	for name, values := range answer.Header {
		if names.MatchString(name) {
			r.Header[name] = values
		}
	}
	next.ServeHTTP(w, r)
}

// startTraefik serves Caddy's sites and something that asks as Traefik does, with the
// settings of the recipe, in front of an app.
func startTraefik(t *testing.T) *proxiedSite {
	t.Helper()
	s := &proxiedSite{Site: harness.NewSite(t), app: harness.NewApp(t)}
	endpoint, check := harness.FreePort(t), harness.FreePort(t)
	options, sites := split(t, recipe(t, "nginx-caddy", ":9080", fmt.Sprint(":", endpoint), "/etc/caddy", etc(t)))
	login, _, found := strings.Cut(sites, "http://:9081 {")
	if !found {
		t.Fatalf("it has no second site:\n%s", sites)
	}
	s.Reload(options, login+recipe(t, "traefik-caddy", ":9081", fmt.Sprint(":", check)))

	var dynamic struct {
		HTTP struct {
			Routers     map[string]struct{ Middlewares []string }
			Middlewares struct {
				Edge struct {
					ForwardAuth forwardAuth `yaml:"forwardAuth"`
				}
				WithoutToken struct {
					Headers struct {
						Custom map[string]string `yaml:"customRequestHeaders"`
					}
				} `yaml:"without-token"`
			}
		}
	}
	text := recipe(t, "traefik-dynamic", ":9081", fmt.Sprint(":", check))
	if err := yaml.Unmarshal([]byte(text), &dynamic); err != nil {
		t.Fatal(err)
	}
	edge := dynamic.HTTP.Middlewares.Edge.ForwardAuth
	if trust := edge.TrustForwardHeader; trust == nil || *trust || fmt.Sprint(dynamic.HTTP.Routers["api"].Middlewares) != "[edge without-token]" {
		t.Fatalf("the recipe is not one that this test knows:\n%s", text)
	}
	to, err := url.Parse(s.app.In("http://%APP%"))
	if err != nil {
		t.Fatal(err)
	}
	app := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(to)
		for name, value := range dynamic.HTTP.Middlewares.WithoutToken.Headers.Custom {
			if r.Out.Header.Del(name); value != "" {
				r.Out.Header.Set(name, value)
			}
		}
	}}
	proxy := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/token" {
			direct, _ := url.Parse(fmt.Sprint("http://127.0.0.1:", endpoint))
			httputil.NewSingleHostReverseProxy(direct).ServeHTTP(w, r)
			return
		}
		edge.ServeHTTP(w, r, app)
	}))
	t.Cleanup(proxy.Close)
	s.address, s.client = proxy.Listener.Addr().String(), proxy.Client()
	return s
}

// This one needs Go alone, so it is never skipped.
func TestForwardAuthAsTraefikAsks(t *testing.T) {
	s := startTraefik(t)
	reader, writer := s.token(t, "contacts.read"), s.token(t, "contacts.read contacts.write")
	for _, name := range []string{"X-User", "X_User", "X.User"} {
		if a := s.ask(t, "GET", "/contacts", "", reader, name+": mallory"); a.Status != 200 {
			t.Fatalf("%s: %d", name, a.Status)
		}
		got := s.app.One(t)
		got.WantIdentity(t, "X-User", "alice")
		if got.Header.Get("Authorization") != "" {
			t.Errorf("the app got the token")
		}
	}
	if a := s.ask(t, "POST", "/contacts", "", writer); a.Status != 200 || s.app.One(t).Method != "POST" {
		t.Errorf("POST: %d", a.Status)
	}
	for _, test := range []struct {
		method, path string
		headers      []string
		status       int
		challenge    string
	}{
		{"GET", "/healthz", nil, 401, `Bearer realm="default"`},
		{"GET", "/contacts", []string{"Authorization: Bearer x"}, 401, `Bearer realm="default", error="invalid_token"`},
		{"POST", "/contacts", []string{reader}, 403, `Bearer realm="default", error="insufficient_scope", scope="contacts.write"`},
		{"POST", "/contacts", []string{reader, "X-Forwarded-Method: GET"}, 403, `Bearer realm="default", error="insufficient_scope", scope="contacts.write"`},
		{"GETX", "/contacts", []string{reader}, 403, `Bearer realm="default", error="insufficient_scope", scope="contacts.write"`},
	} {
		a := s.ask(t, test.method, test.path, "", test.headers...)
		if challenge := a.Header.Get("WWW-Authenticate"); a.Status != test.status || challenge != test.challenge {
			t.Errorf("%s %s: %d %q, want %d %q", test.method, test.path, a.Status, challenge, test.status, test.challenge)
		}
	}
	if s.app.Reached() {
		t.Errorf("the app received %+v", s.app.Take())
	}
}
