package issuer

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestKeysAreFoundByMetadata(t *testing.T) {
	key := es256("k")
	for _, test := range []struct {
		name    string
		prepare func(*server, *Options)
		plain   bool // http, at this machine
	}{
		{"of OpenID Connect", func(*server, *Options) {}, false},
		{"over plain http at this machine", func(*server, *Options) {}, true},
		{"of RFC 8414, if the other is not there", func(s *server, _ *Options) {
			s.set(oauthPath, s.answers[oidcPath])
			s.set(oidcPath, nil)
		}, false},
		{"of RFC 8414, if the other is gone", func(s *server, _ *Options) {
			s.set(oauthPath, s.answers[oidcPath])
			s.set(oidcPath, answerStatus(http.StatusGone))
		}, false},
		{"of an issuer with a slash at its end", func(s *server, o *Options) {
			o.URL += "/"
			s.set(oidcPath, answerJSON(m{"issuer": s.URL + "/", "jwks_uri": s.URL + "/jwks"}))
		}, false},
		{"with a redirect", func(s *server, _ *Options) {
			s.set("/elsewhere", s.answers[oidcPath])
			s.set(oidcPath, redirect("/elsewhere"))
		}, false},
		{"with three redirects of the keys", func(s *server, _ *Options) {
			s.set("/3", s.answers[jwksPath])
			s.set("/2", redirect("/3"))
			s.set("/1", redirect("/2"))
			s.set(jwksPath, redirect("/1"))
		}, false},
		{"with redirects over plain http at this machine", func(s *server, _ *Options) {
			s.set("/1", s.answers[jwksPath])
			s.set(jwksPath, redirect("/1"))
		}, true},
		{"that is not needed with jwks_url", func(s *server, o *Options) {
			o.JWKSURL = s.Server.URL + "/keys?tenant=1"
			s.set("/keys", s.answers[jwksPath])
			s.set(oidcPath, answerStatus(500))
			s.set(jwksPath, answerStatus(500))
		}, false},
		{"with charset", func(s *server, _ *Options) {
			s.set(jwksPath, answerBody("application/json; charset=utf-8", jwks(key)))
		}, false},
		{"of the type of RFC 7517", func(s *server, _ *Options) { s.set(jwksPath, answerBody("application/jwk-set+json", jwks(key))) }, false},
		{"compressed", func(s *server, _ *Options) { s.set(jwksPath, answerGzip(jwks(key))) }, false},
		{"of almost 512 KiB", func(s *server, _ *Options) {
			body := jwks(key)
			s.set(jwksPath, answerBody("application/json", append(body, bytes.Repeat([]byte(" "), maxBody-len(body))...)))
		}, false},
		{"of 1,000 keys", func(s *server, _ *Options) {
			keys := make([]any, maxKeys)
			for i := range keys {
				keys[i] = with(signer{"", "RS256", rsaKey()}.jwk(), m{"kid": fmt.Sprint(i)})
			}
			keys[999] = key
			s.set(jwksPath, answerBody("application/json", jwks(keys...)))
		}, false},
		{"with other keys that are not usable", func(s *server, _ *Options) {
			s.set(jwksPath, answerBody("application/json", jwks(m{"kty": "oct"}, with(key.jwk(), m{"use": "enc"}), key)))
		}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			atClock(t, now)
			s := start(t, !test.plain, key)
			f := s.follow(t, slow, func(o *Options) { test.prepare(s, o) })
			if status := f.next(t); status.Err != nil || status.Keys == 0 || status.Fetched.IsZero() || f.Status() != status {
				t.Fatalf("%+v", status)
			}
			i := newIssuer(t, f.Keys, nil)
			if _, err := i.Check(t.Context(), key.token(claims(nil), nil)); err != nil {
				t.Error(err)
			}
		})
	}
}

func answerGzip(body []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Encoding", "gzip")
		writer := gzip.NewWriter(w)
		_, _ = writer.Write(body)
		_ = writer.Close()
	}
}

func TestWhatAnIssuerAnswersIsBounded(t *testing.T) {
	key := es256("k")
	plain := start(t, false, key)
	for _, test := range []struct {
		name    string
		prepare func(*server)
		want    string // parts of the error, with | between them
	}{
		{"no metadata", func(s *server) { s.set(oidcPath, nil) }, "there is no metadata at|openid-configuration|oauth-authorization-server/realm|jwks_url"},
		{"metadata with an error", func(s *server) { s.set(oidcPath, answerStatus(500)); s.set(oauthPath, s.answers[jwksPath]) }, "status 500"},
		{"metadata that needs a login", func(s *server) { s.set(oidcPath, answerStatus(401)) }, "status 401"},
		{"another issuer in the metadata", func(s *server) {
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

func TestAServerThatIsNotTrustedHasNoKeys(t *testing.T) {
	s := startServer(t, es256("k"))
	f := s.follow(t, slow, func(o *Options) { o.TLS = nil })
	if status := f.next(t); status.Err == nil || !strings.Contains(status.Err.Error(), "certificate") {
		t.Error(status.Err)
	}
	if s.times(oidcPath) != 0 {
		t.Error("it was asked all the same")
	}
}

func TestTLSIsAtLeastOfVersion12(t *testing.T) {
	if got := newTransport(nil).TLSClientConfig.MinVersion; got != tls.VersionTLS12 {
		t.Errorf("%x", got)
	}
	settings := &tls.Config{MinVersion: tls.VersionTLS10}
	if got := newTransport(settings).TLSClientConfig.MinVersion; got != tls.VersionTLS12 || settings.MinVersion != tls.VersionTLS10 {
		t.Errorf("%x, and the settings have %x", got, settings.MinVersion)
	}
	if got := newTransport(&tls.Config{MinVersion: tls.VersionTLS13}).TLSClientConfig.MinVersion; got != tls.VersionTLS13 {
		t.Errorf("%x", got)
	}
}

// The query of jwks_url may have a secret.
func TestAnErrorDoesNotRepeatAQuery(t *testing.T) {
	s := startServer(t, es256("k"))
	s.Server.Close()
	f := s.follow(t, slow, func(o *Options) { o.JWKSURL = s.URL + "/jwks?key=hunter2" })
	status := f.next(t)
	if status.Err == nil || strings.Contains(status.Err.Error(), "hunter2") || !strings.Contains(status.Err.Error(), s.URL+"/jwks: ") {
		t.Error(status.Err)
	}
}

func TestAnIssuerThatDoesNotAnswerIsNotWaitedForLong(t *testing.T) {
	key := es256("k")
	for _, test := range []struct {
		name   string
		answer http.HandlerFunc
		want   string
	}{
		{"at all", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, "no answer within"},
		{"to the end", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write([]byte("{"))
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		}, "did not end within"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := startServer(t, key)
			s.set(jwksPath, test.answer)
			p := slow
			p.limit = 100 * time.Millisecond
			if status := s.follow(t, p, nil).next(t); status.Err == nil || !strings.Contains(status.Err.Error(), test.want) {
				t.Error(status.Err)
			}
		})
	}
}

func TestWhatIsSentToAnIssuerIsNotMore(t *testing.T) {
	s := startServer(t, es256("k"))
	requests := make(chan *http.Request, 1)
	keys := s.answers[jwksPath]
	s.set(jwksPath, func(w http.ResponseWriter, r *http.Request) {
		http.SetCookie(w, &http.Cookie{Name: "a", Value: "b"})
		requests <- r
		keys(w, r)
	})
	f := s.follow(t, slow, nil)
	for range 2 {
		f.next(t)
		r := <-requests
		if r.Method != http.MethodGet || r.Header.Get("Cookie") != "" || r.Header.Get("Authorization") != "" || r.Header.Get("Referer") != "" || !strings.Contains(r.Header.Get("Accept"), "application/jwk-set+json") {
			t.Errorf("%s %v", r.Method, r.Header)
		}
		f.ask()
	}
}

// RFC 9111 §5.2.2.1.
func TestHowLongKeysMayBeKept(t *testing.T) {
	for header, want := range map[string]time.Duration{
		"":                            -1,
		"no-store":                    -1,
		"max-age=60":                  time.Minute,
		"public, max-age=3600":        time.Hour,
		"MAX-AGE=60":                  time.Minute,
		`max-age="60"`:                time.Minute,
		"max-age=0":                   0,
		"max-age=-1":                  -1,
		"max-age=99999999999999":      -1,
		"max-age=1e3":                 -1,
		"s-maxage=60":                 -1,
		"max-age=x, max-age=60":       time.Minute,
		"max-age":                     -1,
		"no-transform,max-age=120,x=": 2 * time.Minute,
	} {
		if got := maxAge(http.Header{"Cache-Control": {header}}); got != want {
			t.Errorf("%q: %v", header, got)
		}
	}
	p := usualPace
	for header, want := range map[string]time.Duration{
		"": 15 * time.Minute, "max-age=0": time.Minute, "max-age=59": time.Minute, "max-age=600": 10 * time.Minute, "max-age=99999": time.Hour,
	} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Cache-Control", header)
			answerBody("application/json", jwks(es256("k")))(w, r)
		}))
		k := &Keys{options: Options{URL: staff, JWKSURL: s.URL}, pace: p, fetcher: newFetcher(newTransport(nil))}
		if _, next, err := k.fetch(context.Background()); err != nil || next != want {
			t.Errorf("%q: the next fetch is in %v, %v", header, next, err)
		}
		s.Close()
	}
}
