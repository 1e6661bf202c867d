package issuer

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
)

// server is a made-up issuer: it has metadata and keys, unless a test changes what it
// answers.
type server struct {
	*httptest.Server
	URL string // the issuer

	mu      sync.Mutex
	answers map[string]http.HandlerFunc
	asked   map[string]int
}

const (
	oidcPath  = "/realm/.well-known/openid-configuration"
	oauthPath = "/.well-known/oauth-authorization-server/realm"
	jwksPath  = "/realm/jwks"
)

func startServer(t *testing.T, keys ...any) *server { return start(t, true, keys...) }

func start(t *testing.T, overTLS bool, keys ...any) *server {
	s := &server{asked: make(map[string]int)}
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.asked[r.URL.Path]++
		answer := s.answers[r.URL.Path]
		s.mu.Unlock()
		if answer == nil {
			http.NotFound(w, r)
			return
		}
		answer(w, r)
	})
	if s.Server = httptest.NewUnstartedServer(handler); overTLS {
		s.Server.Config.ErrorLog = discard
		s.StartTLS()
	} else {
		s.Start()
	}
	t.Cleanup(s.Server.Close)
	s.URL = s.Server.URL + "/realm"
	s.answers = map[string]http.HandlerFunc{
		oidcPath: answerJSON(m{"issuer": s.URL, "jwks_uri": s.URL + "/jwks"}),
		jwksPath: answerBody("application/json", jwks(keys...)),
	}
	return s
}

var discard = zap.NewStdLog(zap.NewNop())

func answerJSON(v any) http.HandlerFunc { return answerBody("application/json", encodeJSON(v)) }

func answerBody(contentType string, body []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		_, _ = w.Write(body)
	}
}

func answerStatus(status int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = w.Write(jwks(es256("of an error")))
	}
}

func redirect(to string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, to, http.StatusFound) }
}

// set changes what it answers at a path; nil is 404.
func (s *server) set(path string, answer http.HandlerFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answers[path] = answer
}

func (s *server) times(path string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked[path]
}

// trust are TLS settings that trust the server alone.
func (s *server) trust() *tls.Config {
	if s.Certificate() == nil {
		return nil
	}
	pool := x509.NewCertPool()
	pool.AddCert(s.Certificate())
	return &tls.Config{RootCAs: pool}
}

// quick is a pace at which tests do not wait.
var quick = pace{
	refresh: time.Millisecond, minRefresh: time.Millisecond, maxRefresh: time.Hour,
	firstRetry: time.Millisecond, maxFirstRetry: time.Millisecond, maxRetry: time.Millisecond,
	asked: time.Millisecond, limit: time.Minute,
}

// slow is a pace at which only tokens ask for fetches, and nothing is retried.
var slow = pace{
	refresh: time.Hour, minRefresh: time.Hour, maxRefresh: time.Hour,
	firstRetry: time.Hour, maxFirstRetry: time.Hour, maxRetry: time.Hour,
	asked: time.Millisecond, limit: time.Minute,
}

// followed are keys that are followed, with what came of each fetch.
type followed struct {
	*Keys
	statuses chan Status
	lines    *observer.ObservedLogs
}

func (s *server) follow(t *testing.T, p pace, change func(*Options)) *followed {
	t.Helper()
	core, lines := observer.New(zapcore.DebugLevel)
	log := zap.New(core)
	f := &followed{statuses: make(chan Status, 10_000), lines: lines}
	options := Options{
		URL: s.URL, Transport: NewTransport(s.trust()),
		Logger:  func() *zap.Logger { return log },
		Observe: func(status Status) { f.statuses <- status },
	}
	if change != nil {
		change(&options)
	}
	f.Keys = follow(options, p)
	t.Cleanup(f.Close)
	return f
}

// next waits for a fetch to end.
func (f *followed) next(t *testing.T) Status {
	t.Helper()
	select {
	case status := <-f.statuses:
		return status
	case <-time.After(patience):
		t.Fatal("there is no fetch")
		return Status{}
	}
}

// until waits for a fetch with that result.
func (f *followed) until(t *testing.T, what string, is func(Status) bool) Status {
	t.Helper()
	deadline := time.Now().Add(patience)
	for time.Now().Before(deadline) {
		if status := f.next(t); is(status) {
			return status
		}
	}
	t.Fatal("there is no fetch that " + what)
	return Status{}
}

func succeeds(s Status) bool { return s.Err == nil }
func fails(s Status) bool    { return s.Err != nil }

const patience = time.Minute
