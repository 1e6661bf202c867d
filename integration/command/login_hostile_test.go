package command

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
)

// An endpoint may be anything, and so may its answers.
func TestHostileEndpointsAreRefused(t *testing.T) {
	t.Parallel()
	p := person{home: t.TempDir()}
	var stolen atomic.Int64
	thief := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { stolen.Add(1) }))
	defer thief.Close()
	const token = `{"access_token":"abc","token_type":"Bearer","expires_in":60}`
	json := func(status int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(status)
			fmt.Fprint(w, body)
		}
	}
	for name, c := range map[string]struct {
		answer, metadata http.HandlerFunc
		says             string
	}{
		"escape sequences": {answer: json(400, `{"error":"invalid_\u001b[2J","error_description":"\u009b31m\u202eowned"}`), says: `\u202eowned`},
		"a redirect": {answer: func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, thief.URL, http.StatusTemporaryRedirect)
		}, says: "redirects"},
		"not JSON":                 {answer: json(200, "<html>"), says: "not that of a token endpoint"},
		"no token":                 {answer: json(200, "{}"), says: "not that of a token endpoint"},
		"a token with a line":      {answer: json(200, `{"access_token":"a\r\nX-Admin: 1","token_type":"Bearer"}`), says: "no Bearer token"},
		"a token of another type":  {answer: json(200, `{"access_token":"a","token_type":"mac"}`), says: "no Bearer token"},
		"a token that is too long": {answer: json(200, `{"access_token":"`+strings.Repeat("a", 100_000)+`","token_type":"Bearer"}`), says: "no Bearer token"},
		"an endless answer": {answer: func(w http.ResponseWriter, _ *http.Request) {
			for range 64 {
				if _, err := w.Write(make([]byte, 1<<20)); err != nil {
					return
				}
			}
		}, says: "not that of a token endpoint"},
		"metadata of another issuer": {answer: json(200, token), metadata: json(200, `{"issuer":"https://evil.example\u001b[2J","token_endpoint":"`+thief.URL+`"}`), says: "is that of"},
		"an endpoint over http":      {answer: json(200, token), metadata: json(200, `{"issuer":"%URL%","token_endpoint":"http://192.0.2.1/token"}`), says: "not https"},
		"status 500":                 {answer: json(500, "\x1b[2J"), says: "status 500"},
	} {
		t.Run(name, func(t *testing.T) {
			var server *httptest.Server
			server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				switch {
				case r.URL.Path == "/token":
					c.answer(w, r)
				case c.metadata == nil:
					http.NotFound(w, r)
				default:
					recorder := httptest.NewRecorder()
					c.metadata(recorder, r)
					w.Header().Set("Content-Type", "application/json")
					fmt.Fprint(w, strings.ReplaceAll(recorder.Body.String(), "%URL%", server.URL))
				}
			}))
			defer server.Close()
			status, stdout, stderr := p.do(t, "hunter2-secret\n", "login", server.URL, "--username", "alice")
			if status != 1 || stdout != "" || !strings.Contains(stderr, c.says) || len(stderr) > 2000 {
				t.Errorf("status %d, no %q in %s%.3000s", status, c.says, stdout, stderr)
			}
			if strings.ContainsAny(stderr, "\x1b\u009b\u202e") || strings.Contains(stderr, "hunter2") {
				t.Errorf("it prints %q", stderr)
			}
		})
	}
	if stolen.Load() != 0 {
		t.Error("something was sent to another server")
	}
	for url, says := range map[string]string{
		"http://192.0.2.1/token":        "--insecure-http",
		"ftp://127.0.0.1/token":         "https://",
		"https://alice:pw@127.0.0.1/":   "leave them out",
		"https://127.0.0.1/token?x=y":   "leave it out",
		"https://127.0.0.1:1/token":     "gives no answer",
		"http://127.0.0.1.evil.example": "--insecure-http",
	} {
		p.wantRefused(t, says, "hunter2-secret\n", "login", url, "--username", "alice")
	}
}
