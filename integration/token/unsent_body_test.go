package token

import (
	"fmt"
	"strings"
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
)

// A request that is refused for its headers, or for the size of what it sent so far, is
// answered at once: the server waits neither for a password that must not cross the
// network nor for a body that it will not look at (A12, A13).
func TestRefusalsDoNotWaitForTheBody(t *testing.T) {
	s := harness.Start(t, harness.BasicSite)
	size := 66000
	chunk := fmt.Sprintf("%x\r\n%s\r\n", size, strings.Repeat("a", size))

	tests := []struct {
		name    string
		method  string
		target  string
		sent    string
		headers []string
		status  int
	}{
		{"A13: not secure", "POST", "/token", "", []string{"Content-Length: 100", "X-Forwarded-Proto: http"}, 400},
		{"A13: not secure, on the keys' path", "GET", "/token/jwks", "", []string{"Content-Length: 100", "X-Forwarded-Proto: http"}, 400},
		{"A13: not secure, on no endpoint", "POST", "/token/nothing", "", []string{"Content-Length: 100", "X-Forwarded-Proto: http"}, 400},
		{"A13: not secure, and the client asks before it sends", "POST", "/token", "", []string{"Content-Length: 100", "Expect: 100-continue", "X-Forwarded-Proto: http"}, 400},
		{"A1: another method", "PUT", "/token", "", []string{"Content-Length: 100"}, 405},
		{"A3: no form", "POST", "/token", "", []string{"Content-Length: 100", "Content-Type: application/json"}, 400},
		{"A8: a password in the query", "POST", "/token?password=x", "", []string{"Content-Length: 100"}, 400},
		{"A12: too large, and more is announced", "POST", "/token", strings.Repeat("a", size), []string{"Content-Length: 100000"}, 413},
		{"A12: too large, and a gigabyte is announced", "POST", "/token", strings.Repeat("a", size), []string{"Content-Length: 1000000000"}, 413},
		{"A12: too large by its length alone", "POST", "/token", "", []string{"Content-Length: 1000000000"}, 413},
		{"A12: too large, in a chunk that is not the last", "POST", "/token", chunk, []string{"Transfer-Encoding: chunked"}, 413},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel() // they share one server; a failure takes a while
			headers := test.headers
			if test.name != "A3: no form" {
				headers = append(headers, harness.FormType)
			}
			w := harness.DialTo(t, "tcp", s.Address())
			w.Send(s.RawRequest(test.method, test.target, test.sent, headers...))
			w.Receive().Want(t, test.status, "invalid_request")
		})
	}
}
