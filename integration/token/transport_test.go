package token

import (
	"bufio"
	"crypto/tls"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
)

// Row A13 of the conformance list: what "secure" means in DESIGN §5. Tests reach the
// server over loopback only, so the PROXY protocol makes their peers remote.

// anyHost is a site without a name, so that a request may claim every Host.
const anyHost = `http://:%PORT% {
	bind 127.0.0.1
	log
	token_endpoint {
		issuer https://api.example.com
		client web {
			secret web-secret
		}
		user alice %HASH%
	}
	respond "the app"
}
`

func TestWhatIsSecure(t *testing.T) {
	const remote, other, loopback, loopback6 = "192.0.2.1", "192.0.2.7", "127.0.0.1", "::1"
	type request struct {
		name    string
		peer    string
		headers []string
		secure  bool
	}
	configs := []struct {
		name     string
		options  string
		settings string
		requests []request
	}{
		{"no trusted proxies", "", "", []request{
			{"loopback", loopback, nil, true},
			{"loopback of IPv6", loopback6, nil, true},
			{"another address of loopback", "127.8.9.10", nil, true},
			{"loopback that says https", loopback, []string{"X-Forwarded-Proto: https"}, true},
			{"loopback that says HTTPS", loopback, []string{"X-Forwarded-Proto: HTTPS"}, true},
			{"loopback that says http", loopback, []string{"X-Forwarded-Proto: http"}, false},
			{"loopback that says HTTP", loopback, []string{"X-Forwarded-Proto: HTTP"}, false},
			{"loopback that says http in odd letters", loopback, []string{"x-FORWARDED-proto: http"}, false},
			{"loopback, first https then http", loopback, []string{"X-Forwarded-Proto: https, http"}, false},
			{"loopback, first http then https", loopback, []string{"X-Forwarded-Proto: http,https"}, false},
			{"loopback, https and http in two headers", loopback, []string{"X-Forwarded-Proto: https", "X-Forwarded-Proto: http"}, false},
			{"loopback with a Host of the world", loopback, []string{"Host: api.example.com"}, true},
			{"loopback with an X-Forwarded-For of the world", loopback, []string{"X-Forwarded-For: 192.0.2.1"}, true},
			{"remote", remote, nil, false},
			{"remote of IPv6", "2001:db8::1", nil, false},
			{"remote with a private address", "172.17.0.1", nil, false},
			{"remote with an address that only looks like loopback", "2001:db8::127:0:0:1", nil, false},
			{"remote that says https, not trusted", remote, []string{"X-Forwarded-Proto: https"}, false},
			{"remote with a forged X-Forwarded-For", remote, []string{"X-Forwarded-For: 127.0.0.1"}, false},
			{"remote with a forged Host", remote, []string{"Host: localhost"}, false},
			{"remote with a forged Host that is an address", remote, []string{"Host: 127.0.0.1"}, false},
			{"remote with everything forged", remote, []string{
				"Host: [::1]", "X-Forwarded-For: ::1", "X-Forwarded-Proto: https", "X-Forwarded-Host: localhost",
				"X-Real-IP: 127.0.0.1", "Forwarded: for=127.0.0.1;proto=https", "X-Forwarded-Ssl: on", "Front-End-Https: on",
			}, false},
		}},
		{"a trusted proxy", "trusted_proxies static 192.0.2.1/32", "", []request{
			{"it says https", remote, []string{"X-Forwarded-Proto: https"}, true},
			{"it says HTTPS", remote, []string{"X-Forwarded-Proto: HTTPS"}, true},
			{"it says https twice", remote, []string{"X-Forwarded-Proto: https, https"}, true},
			{"it says https in two headers", remote, []string{"X-Forwarded-Proto: https", "X-Forwarded-Proto: https"}, true},
			{"it says nothing", remote, nil, false},
			{"it says http", remote, []string{"X-Forwarded-Proto: http"}, false},
			{"it says nothing in a header", remote, []string{"X-Forwarded-Proto: "}, false},
			{"it says something else", remote, []string{"X-Forwarded-Proto: wss"}, false},
			{"it says https, one before it http", remote, []string{"X-Forwarded-Proto: http, https"}, false},
			{"it says http, one before it https", remote, []string{"X-Forwarded-Proto: https, http"}, false},
			{"it says https and then http in two headers", remote, []string{"X-Forwarded-Proto: https", "X-Forwarded-Proto: http"}, false},
			// client_ip is then 127.0.0.1, which must not count
			{"it says that the client is loopback", remote, []string{"X-Forwarded-For: 127.0.0.1"}, false},
			{"it says that the client is loopback by http", remote, []string{"X-Forwarded-For: 127.0.0.1", "X-Forwarded-Proto: http"}, false},
			{"another one says https", other, []string{"X-Forwarded-Proto: https"}, false},
			{"another one says that it is the trusted one", other, []string{"X-Forwarded-Proto: https", "X-Forwarded-For: 192.0.2.1"}, false},
			{"loopback, which is not among them", loopback, nil, true},
		}},
		{"a trusted proxy, strictly", "trusted_proxies static 192.0.2.1/32 127.0.0.1/32\n trusted_proxies_strict", "", []request{
			{"it says https", remote, []string{"X-Forwarded-Proto: https", "X-Forwarded-For: 198.51.100.1"}, true},
			{"it says http", remote, []string{"X-Forwarded-Proto: http", "X-Forwarded-For: 127.0.0.1"}, false},
			{"a proxy on this machine says http", loopback, []string{"X-Forwarded-Proto: http"}, false},
			{"a proxy on this machine says https", loopback, []string{"X-Forwarded-Proto: https", "X-Forwarded-For: 198.51.100.1"}, true},
		}},
		{"allow_http", "", "allow_http", []request{
			{"remote", remote, nil, true},
			{"remote that says http", remote, []string{"X-Forwarded-Proto: http"}, true},
			{"loopback that says http", loopback, []string{"X-Forwarded-Proto: http"}, true},
		}},
	}
	for _, config := range configs {
		t.Run(config.name, func(t *testing.T) {
			text := strings.NewReplacer("token_endpoint {", "token_endpoint {\n"+config.settings, "%HASH%", harness.CheapHash(t, "correct horse")).Replace(anyHost)
			s := harness.StartWith(t, "servers {\n"+harness.RemotePeers+"\n"+config.options+"\n}", text)
			for _, r := range config.requests {
				t.Run("A13: "+r.name, func(t *testing.T) {
					status, code := 200, ""
					if !r.secure {
						status, code = 400, "invalid_request"
					}
					send := func(raw string) harness.Answer {
						w := s.DialFrom(r.peer)
						w.Send(raw)
						return w.Receive()
					}
					send(s.RawPost("/token", harness.LoginForm(), r.headers...)).Want(t, status, code)
					if !r.secure && s.Reason() != "not_secure" {
						t.Errorf("refused for %q", s.Reason())
					}
					// on every endpoint, and before anything else is looked at
					send(s.RawRequest("GET", "/token/jwks", "", r.headers...)).Want(t, status, code)
					send(s.RawRequest("GET", "/.well-known/oauth-authorization-server", "", r.headers...)).Want(t, status, code)
					send(s.RawRequest("DELETE", "/token", "", r.headers...)).Want(t, map[bool]int{true: 405, false: 400}[r.secure], "invalid_request")
					send(s.RawRequest("GET", "/token/nothing", "", r.headers...)).Want(t, map[bool]int{true: 404, false: 400}[r.secure], "invalid_request")
					if a := send(s.RawRequest("GET", "/", "", r.headers...)); string(a.Body) != "the app" {
						t.Errorf("the app is refused as well: %d %s", a.Status, a.Body)
					}
				})
			}
		})
	}
}

// Whoever meets this refusal sits behind a load balancer or in a container: the log
// says what to do, once per request.
func TestRefusedTransportIsLoggedWithItsRemedy(t *testing.T) {
	s := harness.StartWith(t, "servers {\n"+harness.RemotePeers+"\n}", strings.Replace(anyHost, "%HASH%", harness.CheapHash(t, "correct horse"), 1))
	w := s.DialFrom("192.0.2.1")
	w.Send(s.RawPost("/token", harness.LoginForm(), "X-Forwarded-For: 127.0.0.1"))
	w.Receive().Want(t, 400, "invalid_request")
	lines := s.Refusals()
	if len(lines) != 1 {
		t.Fatalf("A13: %d lines: %v", len(lines), lines)
	}
	line := lines[0]
	if line["level"] != "info" || line["reason"] != "not_secure" || line["client_ip"] != "192.0.2.1" {
		t.Errorf("A13: logged %v", line)
	}
	remedy, _ := line["remedy"].(string)
	for _, setting := range []string{"trusted_proxies", "trusted_proxies_strict", "X-Forwarded-Proto", "allow_http"} {
		if !strings.Contains(remedy, setting) {
			t.Errorf("A13: the remedy does not name %s: %q", setting, remedy)
		}
	}
}

func TestTLSIsSecureFromAnywhere(t *testing.T) {
	site := strings.NewReplacer("http://:%PORT%", "https://localhost:%TLSPORT%", "log\n", "log\n\ttls internal\n", "%HASH%", harness.CheapHash(t, "correct horse")).Replace(anyHost)
	// redirects would need port 80
	s := harness.StartWith(t, "auto_https disable_redirects\nservers {\n"+harness.RemotePeers+"\n}", site)
	endpoint := s.Expand("https://localhost:%TLSPORT%/token")
	harness.Eventually(t, "the certificate is issued", func() bool {
		conn, err := tls.Dial("tcp", s.Expand("127.0.0.1:%TLSPORT%"), &tls.Config{InsecureSkipVerify: true, ServerName: "localhost"})
		if err == nil {
			conn.Close()
		}
		return err == nil
	})

	t.Run("A13: HTTP/2", func(t *testing.T) {
		response, err := s.Client.Do(s.Request("POST", endpoint, harness.LoginForm()))
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		if response.Proto != "HTTP/2.0" || response.StatusCode != 200 {
			t.Errorf("got %s %d", response.Proto, response.StatusCode)
		}
	})
	t.Run("A13: HTTP/2, and an X-Forwarded-Proto changes nothing", func(t *testing.T) {
		s.Do(s.Request("POST", endpoint, harness.LoginForm(), "X-Forwarded-Proto: http")).Want(t, 200, "")
		s.Do(s.Request("GET", endpoint+"/jwks", "", "X-Forwarded-Proto: http")).Want(t, 200, "")
	})
	t.Run("A13: a remote peer, HTTP/1.1", func(t *testing.T) {
		w := harness.DialTo(t, "tcp", s.Expand("127.0.0.1:%TLSPORT%"))
		w.Send(harness.ProxyHeader("192.0.2.1"))
		conn := tls.Client(w.Conn, &tls.Config{InsecureSkipVerify: true, ServerName: "localhost"})
		secure := &harness.Conn{Conn: conn, T: t, Reader: bufio.NewReader(conn)}
		secure.Send(s.RawPost("/token", harness.LoginForm(), s.Expand("Host: localhost:%TLSPORT%"), "X-Forwarded-Proto: http"))
		secure.Receive().Want(t, 200, "")
		success := s.Logged(func(line map[string]any) bool {
			return line["msg"] == "token issued" && line["client_ip"] == "192.0.2.1"
		})
		if len(success) != 1 {
			t.Error("the server did not take the peer for a remote one")
		}
	})
}

func TestUnixSocketsAreSecure(t *testing.T) {
	site := strings.NewReplacer("bind 127.0.0.1", "bind unix/%DIR%/s", "%HASH%", harness.CheapHash(t, "correct horse")).Replace(anyHost)
	requests := []struct {
		name    string
		headers []string
		status  int
	}{
		{"a unix socket", nil, 200},
		{"one that says https", []string{"X-Forwarded-Proto: https"}, 200},
		{"one that says http", []string{"X-Forwarded-Proto: http"}, 400},
		{"a Host of the world", []string{"Host: api.example.com"}, 200},
		{"an X-Forwarded-For of the world", []string{"X-Forwarded-For: 192.0.2.1"}, 200},
	}
	for _, config := range []struct{ name, options string }{
		{"", ""},
		{", trusted", "servers {\n trusted_proxies static 192.0.2.1/32\n trusted_proxies_unix\n}"},
	} {
		s := harness.StartWith(t, config.options, site)
		for _, r := range requests {
			t.Run("A13: "+r.name+config.name, func(t *testing.T) {
				w := harness.DialTo(t, "unix", filepath.Join(s.Dir, "s"))
				w.Send(s.RawPost("/token", harness.LoginForm(), r.headers...))
				code := map[bool]string{true: "invalid_request"}[r.status == 400]
				w.Receive().Want(t, r.status, code)
			})
		}
	}
	t.Run("A13: a load balancer that uses it for remote peers", func(t *testing.T) {
		s := harness.StartWith(t, "servers {\n"+harness.RemotePeers+"\n}", site)
		w := harness.DialTo(t, "unix", filepath.Join(s.Dir, "s"))
		w.Send(harness.ProxyHeader("192.0.2.1") + s.RawPost("/token", harness.LoginForm()))
		w.Receive().Want(t, 400, "invalid_request")
	})
}
