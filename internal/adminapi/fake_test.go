package adminapi

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
)

// fake is a server that keeps what it was asked, and gives the error if there is one.
type fake struct {
	name  string
	asked []string
	err   error
	block bool // until the context ends
}

func (f *fake) ask(ctx context.Context, what string, body any) error {
	f.asked = append(f.asked, fmt.Sprintf("%s %+v", what, body))
	if f.block {
		<-ctx.Done()
		return context.Cause(ctx)
	}
	return f.err
}

func (f *fake) Status(ctx context.Context) (Status, error) {
	return Status{Name: f.name, Issuer: "https://a.example/?a&b"}, f.ask(ctx, "status", nil)
}

func (f *fake) Sessions(ctx context.Context, q SessionsQuery) (Sessions, error) {
	return Sessions{Subject: "u-1"}, f.ask(ctx, "sessions", q)
}

func (f *fake) Revoke(ctx context.Context, r RevokeRequest) (Revoked, error) {
	return Revoked{Scope: "user", Within: 2}, f.ask(ctx, "revoke", r)
}

func (f *fake) Unlock(ctx context.Context, r UnlockRequest) (Unlocked, error) {
	return Unlocked{UnlockRequest: r, Within: 2}, f.ask(ctx, "unlock", r)
}

func (f *fake) RotateKey(ctx context.Context) ([]Key, error) {
	return []Key{{ID: "new", Stage: StagePublished}, {ID: "old", Stage: StageSigning}}, f.ask(ctx, "rotate-key", nil)
}

func (f *fake) Reload(ctx context.Context) ([]File, error) {
	return []File{{Path: "/a"}, {Path: "/b", Error: "broken"}}, f.ask(ctx, "reload", nil)
}

func (f *fake) Explain(ctx context.Context, r ExplainRequest) (Explanation, error) {
	return Explanation{Active: true}, f.ask(ctx, "explain", r)
}

// endpoint answers as Caddy's admin endpoint would, with the audit lines.
type endpoint struct {
	t      *testing.T
	fake   *fake
	server *httptest.Server
	logged *observer.ObservedLogs
}

func newEndpoint(t *testing.T, more ...string) *endpoint {
	t.Helper()
	core, logged := observer.New(zapcore.DebugLevel)
	e := &endpoint{t: t, fake: &fake{name: "default"}, logged: logged}
	servers := map[string]Server{"default": e.fake}
	for _, name := range more {
		servers[name] = &fake{name: name}
	}
	handler := Handler{Servers: servers, Logger: zap.New(core)}
	mux := http.NewServeMux()
	mux.HandleFunc(Root, func(w http.ResponseWriter, r *http.Request) {
		err := handler.ServeHTTP(w, r)
		if err == nil {
			return
		}
		answer, ok := err.(caddy.APIError) // as Caddy asks it: it does not unwrap
		if !ok {
			t.Errorf("an error of type %T", err)
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(answer.HTTPStatus)
		fmt.Fprintf(w, "{\"error\":%q}", answer.Message)
	})
	e.server = httptest.NewServer(mux)
	t.Cleanup(e.server.Close)
	return e
}

// send sends a request, with the type of JSON unless a header is given.
func (e *endpoint) send(method, path, body string, headers ...string) *httptest.ResponseRecorder {
	e.t.Helper()
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/json")
	}
	for _, header := range headers {
		name, value, _ := strings.Cut(header, ": ")
		r.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	e.server.Config.Handler.ServeHTTP(w, r)
	return w
}

// line is the last audit line, with its fields.
func (e *endpoint) line() (message string, level zapcore.Level, fields map[string]any) {
	e.t.Helper()
	lines := e.logged.TakeAll()
	if len(lines) != 1 {
		e.t.Fatalf("%d audit lines, want 1: %v", len(lines), lines)
	}
	return lines[0].Message, lines[0].Level, lines[0].ContextMap()
}
