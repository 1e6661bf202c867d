package adminapi

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

func newTestClient(t *testing.T, address string) *Client {
	t.Helper()
	c, err := NewClient(Endpoint{Address: address})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// at is the address of a test server as Caddy's flags have it.
func at(s *httptest.Server) string { return s.Listener.Addr().String() }

func TestTheClientSaysAllThatTheHandlerUnderstands(t *testing.T) {
	e := newEndpoint(t)
	c := newTestClient(t, at(e.server))
	server, ctx := c.Server("default"), t.Context()
	if got, err := c.Servers(ctx); err != nil || len(got) != 1 || got[0].Name != "default" {
		t.Errorf("%v, %v", got, err)
	}
	if got, err := server.Status(ctx); err != nil || got.Issuer != "https://a.example/?a&b" {
		t.Errorf("%v, %v", got, err)
	}
	if got, err := server.Sessions(ctx, SessionsQuery{User: "a&b=c é"}); err != nil || got.Subject != "u-1" {
		t.Errorf("%v, %v", got, err)
	}
	for _, request := range []RevokeRequest{{User: `"é"`}, {Subject: "u"}, {Client: "c"}, {Session: "1-a"}, {All: true}} {
		if got, err := server.Revoke(ctx, request); err != nil || got.Within != 2 {
			t.Errorf("%v, %v", got, err)
		}
	}
	unlock := UnlockRequest{User: "alice", Address: "192.0.2.1"}
	if got, err := server.Unlock(ctx, unlock); err != nil || got.UnlockRequest != unlock {
		t.Errorf("%v, %v", got, err)
	}
	if got, err := server.RotateKey(ctx); err != nil || !reflect.DeepEqual(got, []Key{{ID: "new", Stage: StagePublished}, {ID: "old", Stage: StageSigning}}) {
		t.Errorf("%v, %v", got, err)
	}
	if got, err := server.Reload(ctx); err != nil || !reflect.DeepEqual(got, []File{{Path: "/a"}, {Path: "/b", Error: "broken"}}) {
		t.Errorf("%v, %v", got, err)
	}
	if got, err := server.Explain(ctx, ExplainRequest{Token: "a.b.c"}); err != nil || !got.Active {
		t.Errorf("%v, %v", got, err)
	}
	_, err := c.Server("a/../defualt").Status(ctx)
	var answered *Error
	if !errors.As(err, &answered) || answered.Status != http.StatusNotFound {
		t.Errorf("%v", err)
	}
	if _, err := c.Server("defualt").Status(ctx); err == nil || !strings.Contains(err.Error(), "did you mean default?") {
		t.Errorf("%v", err)
	}
}

func TestTheClientSpeaksOverAUnixSocket(t *testing.T) {
	e := newEndpoint(t)
	socket := filepath.Join(t.TempDir(), "admin.sock")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: e.server.Config.Handler}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { server.Close() })
	for _, address := range []string{"unix/" + socket, "unix/" + socket + "|0660"} {
		if _, err := newTestClient(t, address).Server("default").Reload(t.Context()); err != nil {
			t.Error(err)
		}
		e.wantLine("files reloaded by operator", `{"change":"reload","server":"default","socket":"`+socket+`","loaded"`)
	}
}

func TestTheClientSaysWhyThereIsNoAnswer(t *testing.T) {
	answers := func(status int, contentType, body string) string {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", contentType)
			w.Header().Set("Location", "/elsewhere")
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
		}))
		t.Cleanup(s.Close)
		return at(s)
	}
	gone := httptest.NewServer(nil)
	gone.Close()
	for _, test := range []struct{ name, address, says string }{
		{"nothing listens", at(gone), "Caddy does not answer at " + at(gone)},
		{"no socket", "unix//nowhere/admin.sock", "no such file or directory"},
		{"a Caddy without the module", answers(404, "text/plain; charset=utf-8", "404 page not found\n"), "no admin API of caddy-grant"},
		{"a host that is not allowed", answers(403, "application/json", `{"error":"host not allowed: x"}`), "host not allowed: x"},
		{"a redirect", answers(307, "text/html", "elsewhere"), "307 Temporary Redirect"},
		{"another program", answers(200, "text/html", "<html>"), "is not the admin API of caddy-grant"},
		{"another program with JSON", answers(200, "application/json", `"hello"`), "is not the admin API of caddy-grant"},
		{"a page of an error", answers(502, "text/html", "<html>"), "its status is 502 Bad Gateway"},
		{"an endless answer", answers(200, "application/json", strings.Repeat(" ", longestAnswer+1)), "is longer than"},
	} {
		_, err := newTestClient(t, test.address).Servers(t.Context())
		if err == nil || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: %v", test.name, err)
		}
		var silent *Unreachable
		if got := errors.As(err, &silent); got != (test.name == "nothing listens" || test.name == "no socket") {
			t.Errorf("%s: unreachable is %t", test.name, got)
		}
	}
}

func TestTheClientDoesNotWaitForEver(t *testing.T) {
	e := newEndpoint(t)
	e.fake.block = true
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	_, err := newTestClient(t, at(e.server)).Server("default").Status(ctx)
	var silent *Unreachable
	if !errors.As(err, &silent) || !strings.Contains(err.Error(), "to repeat it is safe") {
		t.Error(err)
	}
}

func TestAddressesThatAreRefused(t *testing.T) {
	for _, test := range []struct {
		at   Endpoint
		says string
	}{
		{Endpoint{Address: "localhost:2019-2021"}, "must have one port"},
		{Endpoint{Address: "localhost:http"}, "invalid start port"},
		{Endpoint{Address: "fd/3"}, "has no address"},
		{Endpoint{Address: "localhost:2019", Certificate: "a.pem"}, "begins with https://"},
		{Endpoint{Address: "https://edge.example:2021"}, "asks for a certificate"},
		{Endpoint{Address: "https://edge.example:2021/grant", Certificate: "a", Key: "b"}, "https://<host>:<port>"},
		{Endpoint{Address: "https://user@edge.example", Certificate: "a", Key: "b"}, "https://<host>:<port>"},
		{Endpoint{Address: "https://edge.example:2021", Certificate: "/nowhere/a", Key: "b"}, "reading certificate /nowhere/a"},
	} {
		if _, err := NewClient(test.at); err == nil || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%+v: %v", test.at, err)
		}
	}
	for address, base := range map[string]string{
		"localhost:2019": "http://localhost:2019", "localhost": "http://localhost:2019", "http://127.0.0.1:2020/": "http://127.0.0.1:2020",
		"[::1]:2019": "http://[::1]:2019", "tcp/localhost:1": "http://localhost:1", ":2019": "http://:2019", "unix//run/a.sock|0222": "http://127.0.0.1",
	} {
		if got := newTestClient(t, address).base; got != base {
			t.Errorf("%s: %s, want %s", address, got, base)
		}
	}
}
