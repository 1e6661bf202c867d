package issuer

import (
	"bytes"
	"compress/gzip"
	"crypto/tls"
	"fmt"
	"net/http"
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
		{"of RFC 8414, if the other is the page of an app", func(s *server, _ *Options) {
			s.set(oauthPath, s.answers[oidcPath])
			s.set(oidcPath, answerBody("text/html", []byte("<html>")))
		}, false},
		{"of RFC 8414, if the other needs a login", func(s *server, _ *Options) {
			s.set(oauthPath, s.answers[oidcPath])
			s.set(oidcPath, answerStatus(http.StatusUnauthorized))
		}, false},
		{"of RFC 8414, if the other is nothing, as Caddy answers", func(s *server, _ *Options) {
			s.set(oauthPath, s.answers[oidcPath])
			s.set(oidcPath, answerBody("", nil))
		}, false},
		{"of RFC 8414, if the other is an error in JSON", func(s *server, _ *Options) {
			s.set(oauthPath, s.answers[oidcPath])
			s.set(oidcPath, answerJSON(m{"error": "not_found"}))
		}, false},
		{"of RFC 8414, if the other is a list in JSON", func(s *server, _ *Options) {
			s.set(oauthPath, s.answers[oidcPath])
			s.set(oidcPath, answerJSON([]any{}))
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
		{"in no other coding", func(s *server, _ *Options) {
			keys := s.answers[jwksPath]
			s.set(jwksPath, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Encoding", "identity")
				keys(w, r)
			})
		}, false},
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

func TestAServerThatIsNotTrustedHasNoKeys(t *testing.T) {
	for name, change := range map[string]func(*server, *Options){
		"for its metadata": func(*server, *Options) {},
		"for its keys":     func(s *server, o *Options) { o.JWKSURL = s.URL + "/jwks" },
	} {
		t.Run(name, func(t *testing.T) {
			s := startServer(t, es256("k"))
			f := s.follow(t, slow, func(o *Options) {
				o.Transport = NewTransport(nil)
				change(s, o)
			})
			status := f.next(t)
			if status.Err == nil || !strings.Contains(status.Err.Error(), ": its certificate is not accepted: ") ||
				strings.Contains(status.Err.Error(), "no metadata") || strings.Contains(status.Err.Error(), "cannot be reached") {
				t.Error(status.Err)
			}
			if s.times(oidcPath)+s.times(jwksPath) != 0 {
				t.Error("it was asked all the same")
			}
			lines := f.lines.TakeAll()
			if advice := fmt.Sprint(lines[0].ContextMap()["advice"]); len(lines) != 1 || !strings.Contains(advice, "tls_trust_pool") {
				t.Errorf("%d lines, the first with the advice %q", len(lines), advice)
			}
		})
	}
}

// Another authority does not help against a certificate of another host.
func TestACertificateOfAnotherHostIsNotAnUnknownAuthority(t *testing.T) {
	s := startServer(t, es256("k"))
	f := s.follow(t, slow, func(o *Options) { o.URL = strings.Replace(o.URL, "127.0.0.1", "localhost", 1) })
	if status := f.next(t); status.Err == nil || !strings.Contains(status.Err.Error(), "its certificate is not accepted") {
		t.Error(status.Err)
	}
	if line := f.lines.All()[0]; line.ContextMap()["advice"] != nil {
		t.Errorf("%v", line.ContextMap())
	}
}

func TestTLSIsAtLeastOfVersion12(t *testing.T) {
	if got := NewTransport(nil).TLSClientConfig.MinVersion; got != tls.VersionTLS12 {
		t.Errorf("%x", got)
	}
	settings := &tls.Config{MinVersion: tls.VersionTLS10}
	if got := NewTransport(settings).TLSClientConfig.MinVersion; got != tls.VersionTLS12 || settings.MinVersion != tls.VersionTLS10 {
		t.Errorf("%x, and the settings have %x", got, settings.MinVersion)
	}
	if got := NewTransport(&tls.Config{MinVersion: tls.VersionTLS13}).TLSClientConfig.MinVersion; got != tls.VersionTLS13 {
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

// It may well have metadata.
func TestAnIssuerThatIsDownIsSaidToBe(t *testing.T) {
	s := startServer(t, es256("k"))
	s.Server.Close()
	status := s.follow(t, slow, nil).next(t)
	if status.Err == nil || !strings.HasPrefix(status.Err.Error(), "the issuer cannot be reached, or does not answer: "+s.URL[:8]) ||
		strings.Contains(status.Err.Error(), "no metadata") || strings.Count(status.Err.Error(), "refused") != 1 {
		t.Error(status.Err)
	}
}

func TestWhatFailsAtBothPlacesIsOneLine(t *testing.T) {
	s := startServer(t, es256("k"))
	s.set(oidcPath, answerStatus(401))
	s.set(oauthPath, answerStatus(403))
	status := s.follow(t, slow, nil).next(t)
	if status.Err == nil || strings.Contains(status.Err.Error(), "\n") || !strings.Contains(status.Err.Error(), "status 401 instead of 200; https://") {
		t.Error(status.Err)
	}
}

func TestAnIssuerThatDoesNotAnswerIsNotWaitedForLong(t *testing.T) {
	for _, test := range []struct {
		name   string
		begins string // what it answers before it hangs
		want   string
	}{
		{"at all", "", "no answer within"},
		{"to the end", "{", "did not end within"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s, released := startServer(t, es256("k")), make(chan struct{})
			t.Cleanup(func() { close(released) }) // before the server is closed, which waits
			s.set(jwksPath, func(w http.ResponseWriter, _ *http.Request) {
				if test.begins != "" {
					answerBody("application/json", []byte(test.begins))(w, nil)
					_ = http.NewResponseController(w).Flush()
				}
				<-released
			})
			p := slow
			p.limit = 200 * time.Millisecond
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
