package caddygrant

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddygrant/caddy-grant/directory"
	"github.com/caddygrant/caddy-grant/internal/token"
)

// The benchmarks of the hot code are for comparing two commits:
//
//	go test -run '^$' -bench . -count 10 . ./internal/... > new.txt
//	go tool -modfile=tools/go.mod benchstat old.txt new.txt
//
// A whole server is compared with others by go -C bench run .

// speedSite is an endpoint and a check of its tokens, as in the config of a site, with
// the keys that start would make.
type speedSite struct {
	endpoint *Handler
	bearer   *BearerAuth

	load func(id string, config any) any // a module of the config
}

const (
	speedForm = "grant_type=password&client_id=web&client_secret=s3cret&username=alice&password=alice"
	speedHash = `$2y$04$EBW23lYB/YX0fYO6RTIbbO8mfxlfWOaEPnNuvdva8H8aX8IAPxUKO` // alice
)

func newSpeedSite(b testing.TB, algorithm string) *speedSite {
	return newSpeedSiteWith(b, algorithm, nil)
}

// newSpeedSiteWith is one that may have a login page.
func newSpeedSiteWith(b testing.TB, algorithm string, page *LoginPage) *speedSite {
	b.Helper()
	users := filepath.Join(b.TempDir(), "users")
	if err := os.WriteFile(users, []byte("alice:"+speedHash+"\n"), 0o600); err != nil {
		b.Fatal(err)
	}
	return newSpeedSiteOf(b, Config{
		LoginPage:   page,
		Scopes:      []string{"contacts.read", "contacts.write"},
		SigningKeys: []SigningKey{{Algorithm: algorithm}},
		UsersRaw:    []json.RawMessage{htpasswd(users)},
		ClientsRaw:  []json.RawMessage{module(InlineClients{Clients: []directory.Client{{ID: "web", Secret: "s3cret"}}}, "inline")},
	})
}

func newSpeedSiteOf(b testing.TB, config Config) *speedSite {
	b.Helper()
	root, err := caddy.ProvisionContext(&caddy.Config{
		Admin: &caddy.AdminConfig{Disabled: true},
		Logging: &caddy.Logging{Logs: map[string]*caddy.CustomLog{caddy.DefaultLoggerName: {
			BaseLog: caddy.BaseLog{WriterRaw: json.RawMessage(`{"output":"discard"}`)},
		}}},
		StorageRaw: caddyconfig.JSONModuleObject(map[string]string{"root": b.TempDir()}, "module", "file_system", nil),
	})
	if err != nil {
		b.Fatal(err)
	}
	ctx, unload := caddy.NewContext(root)
	b.Cleanup(unload)
	site := new(speedSite)
	site.load = func(id string, config any) any {
		module, err := ctx.LoadModuleByID(id, caddyconfig.JSON(config, nil))
		if err != nil {
			b.Fatal(err)
		}
		return module
	}
	site.endpoint = site.load("http.handlers.token_endpoint", Handler{Config: config}).(*Handler)
	site.bearer = site.load("http.handlers.bearer_auth", BearerAuth{Scopes: []string{"contacts.read"}}).(*BearerAuth)
	if err := site.endpoint.server.keys.generated.Attempt(ctx); err != nil {
		b.Fatal(err)
	}
	if err := site.endpoint.server.sessions.Poll(ctx); err != nil {
		b.Fatal(err)
	}
	return site
}

// post sends a form to the endpoint and returns the answer, which must be a success.
func (s *speedSite) post(b testing.TB, form string) *httptest.ResponseRecorder {
	w := s.send(b, form)
	if w.Code != http.StatusOK {
		b.Fatal(w.Code, w.Body)
	}
	return w
}

func (s *speedSite) send(b testing.TB, form string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	r := httptest.NewRequest(http.MethodPost, "http://localhost/token", strings.NewReader(form))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if err := s.endpoint.ServeHTTP(w, prepared(r, w), noNext); err != nil {
		b.Fatal(err)
	}
	return w
}

func speedRefreshForm(token string) string {
	return "grant_type=refresh_token&client_id=web&client_secret=s3cret&refresh_token=" + url.QueryEscape(token)
}

// speedTokens are those of an answer.
type speedTokens struct {
	AccessToken  string `json:"access_token"`
	RefreshToken string `json:"refresh_token"`
	Scope        string `json:"scope"`
}

// login returns the tokens of a new session.
func (s *speedSite) login(b testing.TB) speedTokens {
	return s.tokens(b, s.post(b, speedForm))
}

func (s *speedSite) tokens(b testing.TB, w *httptest.ResponseRecorder) (tokens speedTokens) {
	if err := json.Unmarshal(w.Body.Bytes(), &tokens); err != nil {
		b.Fatal(err)
	}
	return tokens
}

// logInByPage returns the session cookie of a new session, with its name.
func (s *speedSite) logInByPage(b testing.TB) string {
	w := httptest.NewRecorder()
	r := httptest.NewRequest(http.MethodPost, "http://localhost/token/login", strings.NewReader("username=alice&password=alice"))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if err := s.bearer.ServeHTTP(w, prepared(r, w), noNext); err != nil {
		b.Fatal(err)
	}
	set := w.Result().Cookies()
	if w.Code != http.StatusSeeOther || len(set) != 1 {
		b.Fatal(w.Code, w.Body)
	}
	return set[0].Name + "=" + set[0].Value
}

func (s *speedSite) keys() *token.KeySet { return s.endpoint.server.keys.active.Load() }

func prepared(r *http.Request, w http.ResponseWriter) *http.Request {
	r.RemoteAddr = "127.0.0.1:1"
	return caddyhttp.PrepareRequest(r, caddy.NewReplacer(), w, &caddyhttp.Server{})
}

var noNext = caddyhttp.HandlerFunc(func(http.ResponseWriter, *http.Request) error { return nil })
