package issuer

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"net/http"
	"strings"
	"testing"
)

func TestWhatAnIssuerAnswersIsBounded(t *testing.T) {
	key := es256("k")
	plain := start(t, false, key)
	for _, test := range []struct {
		name    string
		prepare func(*server)
		want    string // parts of the error, with | between them
	}{
		{"no metadata", func(s *server) { s.set(oidcPath, nil) }, "there is no metadata|openid-configuration|oauth-authorization-server/realm|jwks_url"},
		{"metadata with an error", func(s *server) { s.set(oidcPath, answerStatus(500)); s.set(oauthPath, s.answers[jwksPath]) }, "status 500"},
		{"metadata that needs a login", func(s *server) { s.set(oidcPath, answerStatus(401)) }, "status 401"},
		{"another issuer in the metadata", func(s *server) {
			s.set(oidcPath, answerJSON(m{"issuer": "https://evil.example", "jwks_uri": s.URL + "/jwks"}))
		}, `"https://evil.example"|ISSUER|byte for byte`},
		{"another issuer in the metadata, and RFC 8414's beside it", func(s *server) {
			s.set(oauthPath, s.answers[oidcPath])
			s.set(oidcPath, answerJSON(m{"issuer": "https://evil.example", "jwks_uri": s.URL + "/jwks"}))
		}, `"https://evil.example"|ISSUER|byte for byte`},
		{"a slash after the issuer in the metadata", func(s *server) {
			s.set(oidcPath, answerJSON(m{"issuer": s.URL + "/", "jwks_uri": s.URL + "/jwks"}))
		}, `/realm/"|byte for byte`},
		{"the issuer in another case in the metadata", func(s *server) {
			s.set(oidcPath, answerJSON(m{"issuer": strings.Replace(s.URL, "realm", "Realm", 1), "jwks_uri": s.URL + "/jwks"}))
		}, "byte for byte"},
		{"an endless issuer in the metadata", func(s *server) {
			s.set(oidcPath, answerJSON(m{"issuer": strings.Repeat("x", 100_000), "jwks_uri": s.URL + "/jwks"}))
		}, "byte for byte"},
		{"two issuers in the metadata", func(s *server) {
			s.set(oidcPath, answerBody("application/json", []byte(`{"issuer":"https://evil.example","issuer":"`+s.URL+`","jwks_uri":"`+s.URL+`/jwks"}`)))
		}, "duplicate"},
		{"no issuer in the metadata", func(s *server) { s.set(oidcPath, answerJSON(m{"jwks_uri": s.URL + "/jwks"})) }, "has no issuer"},
		{"an issuer that is a list", func(s *server) {
			s.set(oidcPath, answerJSON(m{"issuer": []string{s.URL}, "jwks_uri": s.URL + "/jwks"}))
		}, "malformed"},
		{"no jwks_uri", func(s *server) { s.set(oidcPath, answerJSON(m{"issuer": s.URL})) }, "no jwks_uri"},
		{"a jwks_uri over http", func(s *server) {
			s.set(oidcPath, answerJSON(m{"issuer": s.URL, "jwks_uri": "http://id.example.com/jwks"}))
		}, `"http://id.example.com/jwks"|https`},
		{"a jwks_uri over http at this machine", func(s *server) {
			s.set(oidcPath, answerJSON(m{"issuer": s.URL, "jwks_uri": plain.URL + "/jwks"}))
		}, "must be https"},
		{"a jwks_uri that is a file", func(s *server) {
			s.set(oidcPath, answerJSON(m{"issuer": s.URL, "jwks_uri": "file:///etc/passwd"}))
		}, "file:///etc/passwd"},
		{"a relative jwks_uri", func(s *server) { s.set(oidcPath, answerJSON(m{"issuer": s.URL, "jwks_uri": "/jwks"})) }, "not an absolute URL"},
		{"a jwks_uri with a password", func(s *server) {
			s.set(oidcPath, answerJSON(m{"issuer": s.URL, "jwks_uri": "https://a:hunter2@id.example.com/jwks"}))
		}, `"https://id.example.com/jwks"|user or a password`},
		{"a jwks_uri over http with a query", func(s *server) {
			s.set(oidcPath, answerJSON(m{"issuer": s.URL, "jwks_uri": "http://id.example.com/jwks?key=hunter2#hunter2"}))
		}, `"http://id.example.com/jwks"|fragment`},
		{"a jwks_uri without slashes", func(s *server) {
			s.set(oidcPath, answerJSON(m{"issuer": s.URL, "jwks_uri": "https:a:hunter2@id.example.com/jwks"}))
		}, `"https:…"|not an absolute URL`},
		{"a jwks_uri that is not a URL", func(s *server) {
			s.set(oidcPath, answerJSON(m{"issuer": s.URL, "jwks_uri": "https://a:hunter2@id.example.com/%zz"}))
		}, "not a URL"},
		{"metadata that is null", func(s *server) { s.set(oidcPath, answerJSON(nil)) }, "not a JSON object"},
		{"metadata that is a page", func(s *server) { s.set(oidcPath, answerBody("text/html", []byte("<html>"))) }, `"text/html"|application/json`},

		{"no keys", func(s *server) { s.set(jwksPath, nil) }, "/realm/jwks: status 404"},
		{"no content", func(s *server) { s.set(jwksPath, answerStatus(204)) }, "status 204"},
		{"keys with an error", func(s *server) { s.set(jwksPath, answerStatus(503)) }, "status 503"},
		{"keys with another success", func(s *server) { s.set(jwksPath, answerStatus(203)) }, "status 203"},
		{"keys as a page", func(s *server) { s.set(jwksPath, answerBody("text/html", jwks(key))) }, `"text/html"`},
		{"keys as a script", func(s *server) { s.set(jwksPath, answerBody("text/javascript", jwks(key))) }, `"text/javascript"`},
		{"keys as what ends like JSON", func(s *server) { s.set(jwksPath, answerBody("text/x+json", jwks(key))) }, "content type"},
		{"keys without a type", func(s *server) { s.set(jwksPath, answerBody("", jwks(key))) }, `content type ""`},
		{"keys of 1 MB", func(s *server) {
			body := jwks(key)
			s.set(jwksPath, answerBody("application/json", append(body, bytes.Repeat([]byte(" "), 1<<20)...)))
		}, "larger than 512 KiB"},
		{"a body without an end", func(s *server) { s.set(jwksPath, endless) }, "larger than 512 KiB"},
		{"a body that decompresses to a gigabyte", func(s *server) { s.set(jwksPath, bomb) }, "larger than 512 KiB"},
		{"a body in another coding", func(s *server) {
			s.set(jwksPath, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Encoding", "br")
				answerBody("application/json", jwks(key))(w, r)
			})
		}, "content coding"},
		{"a body that breaks off", func(s *server) {
			s.set(jwksPath, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				w.Header().Set("Content-Length", "1000")
				_, _ = w.Write([]byte("{"))
			})
		}, "reading the answer"},
		{"headers of a megabyte", func(s *server) {
			s.set(jwksPath, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("X-Large", strings.Repeat("x", 1<<20))
				answerBody("application/json", jwks(key))(w, r)
			})
		}, "header"},
		{"an empty set", func(s *server) { s.set(jwksPath, answerJSON(m{"keys": []any{}})) }, "no keys"},
		{"a set of shared secrets", func(s *server) {
			s.set(jwksPath, answerBody("application/json", jwks(m{"kty": "oct", "k": "aHVudGVyMg"}, m{"kty": "oct", "k": "aHVudGVyMg"})))
		}, "no key to verify tokens with|key 1: it is a shared secret|key 2"},
		{"more than 1,000 keys", func(s *server) {
			s.set(jwksPath, answerJSON(m{"keys": make([]any, 1001)}))
		}, "maximum is 1000"},
		{"a set that is a page", func(s *server) { s.set(jwksPath, answerBody("application/json", []byte("<html>hunter2"))) }, "not a JWK Set"},

		{"four redirects", func(s *server) {
			for i := range 4 {
				s.set(fmt.Sprint("/", i), redirect(fmt.Sprint("/", i+1)))
			}
			s.set("/4", s.answers[jwksPath])
			s.set(jwksPath, redirect("/1"))
		}, "more than 3 redirects"},
		{"a redirect in a circle", func(s *server) { s.set(jwksPath, redirect(jwksPath)) }, "more than 3 redirects"},
		{"a redirect to http", func(s *server) { s.set(jwksPath, redirect("http://id.example.com/jwks")) }, "redirected to http://id.example.com/jwks"},
		{"a redirect to http at this machine", func(s *server) { s.set(jwksPath, redirect(plain.URL+"/jwks")) }, "redirected to|must be https"},
		{"a redirect of the metadata to http", func(s *server) { s.set(oidcPath, redirect(plain.Server.URL+oidcPath)) }, "redirected to|must be https"},
		{"a redirect to another scheme", func(s *server) { s.set(jwksPath, redirect("gopher://id.example.com/")) }, "redirected to"},
		{"a redirect with a password", func(s *server) { s.set(jwksPath, redirect("https://a:hunter2@id.example.com/")) }, "user or a password"},
		{"a redirect to what is not a URL", func(s *server) { s.set(jwksPath, redirect("https://a:hunter2@id.example.com/%zz")) }, "redirected to what is not a URL"},
		{"a redirect without a place", func(s *server) {
			s.set(jwksPath, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusFound) })
		}, "status 302"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := startServer(t, key)
			test.prepare(s)
			f := s.follow(t, slow, nil)
			status := f.next(t)
			if status.Err == nil || status.Keys != 0 || !status.Fetched.IsZero() || f.current.Load() != nil {
				t.Fatalf("%+v", status)
			}
			for part := range strings.SplitSeq(test.want, "|") {
				if part = strings.Replace(part, "ISSUER", s.URL, 1); !strings.Contains(status.Err.Error(), part) {
					t.Errorf("%v, want %q in it", status.Err, part)
				}
			}
			if text := status.Err.Error(); strings.Contains(text, "hunter2") || strings.Contains(text, "aHVu") || len(text) > 1000 {
				t.Errorf("the error says too much: %s", text)
			}
		})
	}
}

// endless is an answer that does not end.
func endless(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	for r.Context().Err() == nil {
		if _, err := w.Write(bytes.Repeat([]byte(" "), 32<<10)); err != nil {
			return
		}
	}
}

// bomb is a megabyte that decompresses to a gigabyte.
func bomb(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Encoding", "gzip")
	writer := gzip.NewWriter(w)
	for range 1 << 15 {
		if _, err := writer.Write(make([]byte, 32<<10)); err != nil || r.Context().Err() != nil {
			return
		}
	}
	_ = writer.Close()
}
