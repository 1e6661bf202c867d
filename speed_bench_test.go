package caddygrant

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/certmagic"

	"github.com/caddygrant/caddy-grant/internal/token"
	"github.com/caddygrant/caddy-grant/internal/wire"
)

var speedAlgorithms = []string{"HS256", "ES256", "EdDSA", "RS256"}

func BenchmarkParseForm(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := wire.ParseForm([]byte(speedForm)); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAuthenticateClient(b *testing.B) {
	site := newSpeedSite(b, "HS256")
	params, err := wire.ParseForm([]byte(speedForm))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		req := &clientRequest{params: params, address: "127.0.0.1"}
		if err := site.endpoint.server.authenticator.authenticate(b.Context(), site.keys(), req); err != nil {
			b.Fatal(err)
		}
	}
}

// The password was correct a moment ago.
func BenchmarkAuthenticateUser(b *testing.B) {
	site := newSpeedSite(b, "HS256")
	site.login(b)
	params, err := wire.ParseForm([]byte(speedForm))
	if err != nil {
		b.Fatal(err)
	}
	client, _ := site.endpoint.server.clients.ByID(b.Context(), "web")
	b.ReportAllocs()
	for b.Loop() {
		req := &clientRequest{params: params, address: "127.0.0.1", client: client}
		if _, err := site.endpoint.server.credentials.CheckUser(b.Context(), site.keys().Decoy, "alice", "alice", req.sender(userSource(req))); err != nil {
			b.Fatal(err)
		}
	}
}

// An access token and a refresh token.
func BenchmarkIssue(b *testing.B) {
	for _, algorithm := range speedAlgorithms {
		b.Run(algorithm, func(b *testing.B) {
			site := newSpeedSite(b, algorithm)
			server := site.endpoint.server
			user, _ := server.users.BySubject(b.Context(), "alice")
			client, _ := server.clients.ByID(b.Context(), "web")
			at := time.Now()
			granted := &token.Authorization{Client: client, User: user, Scopes: server.Scopes}
			var answer bytes.Buffer
			b.ReportAllocs()
			for b.Loop() {
				answer.Reset()
				granted.Session = server.policy.NewSession(granted, nil, at)
				if _, err := server.policy.Issue(b.Context(), site.keys(), granted, at, &answer); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// A token that was not seen before.
func BenchmarkOpenAccessToken(b *testing.B) {
	for _, algorithm := range speedAlgorithms {
		b.Run(algorithm, func(b *testing.B) {
			site := newSpeedSite(b, algorithm)
			token := site.login(b).AccessToken
			b.ReportAllocs()
			for b.Loop() {
				if _, err := site.endpoint.server.tokens.Open(site.keys(), token); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// All checks of a token at every request.
func BenchmarkCheckAccessToken(b *testing.B) {
	site := newSpeedSite(b, "HS256")
	token := site.login(b).AccessToken
	b.ReportAllocs()
	for b.Loop() {
		if _, err := site.endpoint.server.tokens.Check(context.Background(), token); err != nil {
			b.Fatal(err)
		}
	}
}

// A refresh, on the file system.
func BenchmarkRefresh(b *testing.B) {
	site := newSpeedSite(b, "HS256")
	tokens := site.login(b)
	b.ReportAllocs()
	for b.Loop() {
		tokens = site.tokens(b, site.post(b, speedRefreshForm(tokens.RefreshToken)))
	}
}

// A login from the request to the answer, apart from what Caddy does before and after.
func BenchmarkTokenEndpoint(b *testing.B) {
	site := newSpeedSite(b, "HS256")
	b.ReportAllocs()
	for b.Loop() {
		site.post(b, speedForm)
	}
}

func BenchmarkBearerAuth(b *testing.B) {
	site := newSpeedSite(b, "HS256")
	authorization := []string{"Bearer " + site.login(b).AccessToken}
	b.ReportAllocs()
	for b.Loop() {
		w := httptest.NewRecorder()
		r := httptest.NewRequest(http.MethodGet, "http://localhost/app", nil)
		r.Header["Authorization"] = authorization
		if err := site.bearer.ServeHTTP(w, prepared(r, w), noNext); err != nil {
			b.Fatal(err)
		}
	}
}

// The same for a session of the login page, with cookies as an app has them, and the
// headers that browsers send.
func BenchmarkBearerAuthCookie(b *testing.B) {
	site := newSpeedSiteWith(b, "HS256", new(LoginPage))
	cookies := []string{"theme=dark; " + site.logInByPage(b) + "; csrftoken=0123456789abcdef0123456789abcdef"}
	for _, navigates := range []bool{false, true} {
		name, mode, destination := "fetch", "cors", "empty"
		if navigates {
			name, mode, destination = "navigation", "navigate", "document"
		}
		b.Run(name, func(b *testing.B) {
			modes, destinations, sites := []string{mode}, []string{destination}, []string{"same-origin"}
			b.ReportAllocs()
			for b.Loop() {
				w := httptest.NewRecorder()
				r := httptest.NewRequest(http.MethodGet, "http://localhost/app", nil)
				r.Header["Cookie"] = cookies
				r.Header["Sec-Fetch-Mode"], r.Header["Sec-Fetch-Dest"], r.Header["Sec-Fetch-Site"] = modes, destinations, sites
				if err := site.bearer.ServeHTTP(w, prepared(r, w), noNext); err != nil || w.Code != http.StatusOK {
					b.Fatal(w.Code, err)
				}
			}
		})
	}
}

// All checks of a session cookie at every request.
func BenchmarkCheckSessionCookie(b *testing.B) {
	site := newSpeedSiteWith(b, "HS256", new(LoginPage))
	name, value, _ := strings.Cut(site.logInByPage(b), "=")
	place := token.CookiePlace{Name: name, Host: "localhost"}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := site.endpoint.server.tokens.CheckCookie(context.Background(), value, place); err != nil {
			b.Fatal(err)
		}
	}
}

// The login page, as a browser that does not have a session gets it.
func BenchmarkLoginPage(b *testing.B) {
	site := newSpeedSiteWith(b, "HS256", new(LoginPage))
	b.ReportAllocs()
	for b.Loop() {
		w := httptest.NewRecorder()
		r := httptest.NewRequest(http.MethodGet, "http://localhost/token/login?return_to=%2Fapp", nil)
		r.Header["Accept-Language"] = []string{"de-DE,de;q=0.9,en-US;q=0.8,en;q=0.7"}
		if err := site.bearer.ServeHTTP(w, prepared(r, w), noNext); err != nil || w.Code != http.StatusOK {
			b.Fatal(w.Code, err)
		}
	}
}

// What the benchmarks above spend on making requests, for comparison.
func BenchmarkPreparedRequest(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		w := httptest.NewRecorder()
		if err := noNext.ServeHTTP(w, prepared(httptest.NewRequest(http.MethodGet, "http://localhost/app", nil), w)); err != nil {
			b.Fatal(err)
		}
	}
}

// The least that a refresh needs of the storage.
func BenchmarkStorage(b *testing.B) {
	storage := &certmagic.FileStorage{Path: b.TempDir()}
	for i := 0; b.Loop(); i++ {
		name := fmt.Sprintf("grant/default/sessions/20261224/%040x", i)
		if err := storage.Lock(b.Context(), name); err != nil {
			b.Fatal(err)
		}
		if _, err := storage.Load(b.Context(), name); !errors.Is(err, fs.ErrNotExist) {
			b.Fatal(err)
		}
		if err := storage.Store(b.Context(), name, []byte(`{"version":1,"generation":1,"answer":"0123456789abcdef","rotated":1}`)); err != nil {
			b.Fatal(err)
		}
		if err := storage.Unlock(b.Context(), name); err != nil {
			b.Fatal(err)
		}
	}
}
