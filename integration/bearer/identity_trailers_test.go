package bearer

import (
	"net/http"
	"strings"
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
)

// Go's server keeps the trailers that come after a chunked body apart from the headers,
// and Caddy's proxy passes them on.
func TestTrailersAreNoWayAround(t *testing.T) {
	s, app := startHygiene(t, "hyphens", `
	bearer_auth /private* {
		copy_claims sub>X-User email>X-Email
	}
	reverse_proxy %APP%
	handle_errors {
		reverse_proxy %APP%
	}
`)
	token := s.Token("alice")
	for _, test := range []struct{ name, announced, trailer string }{
		{"announced", "Trailer: X-User", "X-User: admin"},
		{"announced in lower case", "trailer: x-user, x_email", "x-user: admin\r\nx_email: admin"},
		{"announced with an underscore", "Trailer: X_User", "X_User: admin"},
		{"announced twice", "Trailer: X-User\r\nTrailer: X-Email", "X-User: admin\r\nX-User: root\r\nX-Email: admin"},
		{"not announced", "X-Nothing: x", "X-User: admin\r\nX-Email: admin"},
		{"another announced", "Trailer: X-Digest", "X-Digest: 1\r\nX-User: admin\r\nX_User: admin\r\nX-Email: admin"},
		{"announced and named in Connection", "Trailer: X-User\r\nConnection: close, X-User, Trailer", "X-User: admin"},
		{"in the header as well", "Trailer: X-User\r\nX-User: admin", "X-User: admin"},
	} {
		for path, own := range map[string]string{"/private": "alice", "/public": ""} {
			for _, authorization := range []string{harness.Bearer(token), harness.Bearer("a.b.c")} {
				t.Run("I18: a trailer "+test.name+" for "+path, func(t *testing.T) {
					app.Take()
					s.Exchange(s.Spelled("POST", path, authorization, "Transfer-Encoding: chunked", test.announced) +
						"5\r\nhello\r\n0\r\n" + test.trailer + "\r\n\r\n")
					received := app.One(t)
					if received.Body != "hello" {
						t.Errorf("the body is %q", received.Body)
					}
					if authorization != harness.Bearer(token) {
						own = ""
					}
					received.WantIdentity(t, "X-User", own)
					received.WantIdentity(t, "X-Email", map[string]string{"alice": "alice@example.com"}[own])
				})
			}
		}
	}
}

// HTTP/2 and HTTP/3 have trailers, too, and no Connection header.
func TestHeadersAndTrailersOfOtherVersionsOfHTTP(t *testing.T) {
	app, s := harness.NewApp(t), harness.NewSite(t)
	s.Write("users.json", hygieneUsers)
	s.Reload(harness.TLSOptions, app.In("https://localhost:%TLSPORT% {\n\tbind 127.0.0.1\n\ttls internal\n"+hygieneEndpoint+`
	bearer_auth /private* {
		copy_claims sub>X-User
	}
	reverse_proxy %APP%
	handle_errors {
		reverse_proxy %APP%
	}
}
`))
	for version, client := range s.TLSClients() {
		token := tlsLogin(s, client)
		for path, authorization := range map[string]string{"/private": token, "/private/bad": "a.b.c", "/public": ""} {
			t.Run("I18: by HTTP/"+version+" for "+path, func(t *testing.T) {
				app.Take()
				r, err := http.NewRequest("POST", s.TLSURL(path), strings.NewReader("hello"))
				if err != nil {
					t.Fatal(err)
				}
				r.ContentLength = -1
				r.Header = http.Header{"x-user": {"admin", "root"}, "X-USER": {"admin"}, "Authorization": {"Bearer " + authorization}}
				r.Trailer = http.Header{"X-User": {"admin"}, "X-Other": {"kept"}}
				response, err := client.Do(r)
				if err != nil {
					t.Fatal(err)
				}
				response.Body.Close()
				received := app.One(t)
				received.WantIdentity(t, "X-User", map[string]string{token: "alice"}[authorization])
				if received.Body != "hello" {
					t.Errorf("the body is %q", received.Body)
				}
			})
		}
	}
}
