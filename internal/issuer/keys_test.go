package issuer

import (
	"context"
	"crypto/elliptic"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/caddygrant/caddy-grant/internal/remembered"
)

func TestANewKeyIsSeenWithoutAnyToken(t *testing.T) {
	before, after := es256("before"), signer{"after", "RS256", rsaKey()}
	s := startServer(t, before)
	f := s.follow(t, quick, nil)
	f.until(t, "succeeds", succeeds)
	s.set(jwksPath, answerBody("application/json", jwks(before, after)))
	f.until(t, "has both keys", func(s Status) bool { return s.Keys == 2 })
	s.set(jwksPath, answerBody("application/json", jwks(after)))
	f.until(t, "has one key", func(s Status) bool { return s.Keys == 1 })
	if set := f.current.Load(); len(set.byID["after"]) != 1 || len(set.byID["before"]) != 0 {
		t.Errorf("%v", set.ids())
	}
}

// The metadata may name another place for the keys.
func TestAnotherPlaceOfTheKeysIsSeen(t *testing.T) {
	s := startServer(t, es256("before"))
	f := s.follow(t, quick, nil)
	f.until(t, "succeeds", succeeds)
	s.set("/new", answerBody("application/json", jwks(es256("after"))))
	s.set(jwksPath, nil)
	s.set(oidcPath, answerJSON(m{"issuer": s.URL, "jwks_uri": s.Server.URL + "/new"}))
	f.until(t, "has the new keys", func(status Status) bool {
		return status.Err == nil && len(f.current.Load().byID["after"]) == 1
	})
}

func TestATokenWithANewKeyPassesSoonAfterItsFirstRefusal(t *testing.T) {
	atClock(t, now)
	before, after := es256("before"), signer{"after", "ES256", otherECKey()}
	s := startServer(t, before)
	f := s.follow(t, slow, nil)
	f.next(t)
	i := newIssuer(t, f.Keys, nil)
	s.set(jwksPath, answerBody("application/json", jwks(before, after)))
	raw := after.token(claims(nil), nil)
	got, err := i.Check(t.Context(), raw)
	wantRefused(t, got, err, "no key with the token's kid")
	f.until(t, "has both keys", func(s Status) bool { return s.Keys == 2 })
	if _, err := i.Check(t.Context(), raw); err != nil {
		t.Error(err)
	}
}

// Without a kid only the first keys are tried, so an issuer puts the one that it signs
// with first. What was verified before stays known.
func TestATokenWithoutAKidIsTriedWithTheKeysInTheirLatestOrder(t *testing.T) {
	atClock(t, now)
	key := signer{"", "ES256", otherECKey()}
	var keys []any
	for range maxCandidates {
		keys = append(keys, signer{"", "ES256", newECKey(elliptic.P256())})
	}
	s := startServer(t, append(slices.Clone(keys), key)...)
	f := s.follow(t, slow, nil)
	f.next(t)
	i := newIssuer(t, f.Keys, nil)
	known := keys[0].(signer).token(claims(nil), nil)
	if _, err := i.Check(t.Context(), known); err != nil {
		t.Fatal(err)
	}
	raw := key.token(claims(nil), nil)
	s.set(jwksPath, answerBody("application/json", jwks(append([]any{key}, keys...)...)))
	got, err := i.Check(t.Context(), raw)
	wantRefused(t, got, err, "the first 4 keys that fit")
	f.next(t)
	if _, err := i.Check(t.Context(), raw); err != nil {
		t.Error(err)
	}
	if i.Recall(remembered.DigestOf(known)) == nil {
		t.Error("what was verified is forgotten")
	}
	if lines := f.lines.FilterMessageSnippet("changed").All(); len(lines) != 0 {
		t.Errorf("the same keys are said to have changed: %v", lines)
	}
}

// A flood of made-up kids neither holds up a new key, nor makes us flood the issuer,
// nor makes a request wait.
func TestAFloodOfMadeUpKidsHoldsUpNothing(t *testing.T) {
	atClock(t, now)
	before, after := es256("before"), signer{"after", "ES256", otherECKey()}
	s := startServer(t, before)
	p := slow
	p.asked = 50 * time.Millisecond
	f := s.follow(t, p, nil)
	f.next(t)
	i := newIssuer(t, f.Keys, nil)
	began := time.Now()
	stop, flood, made := make(chan struct{}), new(sync.WaitGroup), new(atomic.Int64)
	for worker := range 4 {
		raw := signer{fmt.Sprint("made up ", worker), "ES256", otherECKey()}.token(claims(nil), nil)
		flood.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					_, _ = i.Check(context.Background(), raw)
					made.Add(1)
				}
			}
		})
	}
	good, rotated := before.token(claims(nil), nil), after.token(claims(nil), nil)
	for range 3 { // while the flood goes on, fetches go on
		if status := f.next(t); status.Err != nil {
			t.Error(status.Err)
		}
	}
	s.set(jwksPath, answerBody("application/json", jwks(before, after)))
	f.until(t, "has both keys", func(s Status) bool { return s.Keys == 2 })
	for _, raw := range []string{good, rotated} {
		if _, err := i.Check(t.Context(), raw); err != nil {
			t.Error(err)
		}
	}
	close(stop)
	flood.Wait()
	// as many as there is time for, which a slow machine makes fewer
	if fetches, most := s.times(jwksPath), int(time.Since(began)/p.asked)+2; fetches > most {
		t.Errorf("%d fetches for %d tokens, the maximum is %d", fetches, made.Load(), most)
	}
}

// While the issuer hangs, tokens are answered from what is there.
func TestNoRequestWaitsForAFetch(t *testing.T) {
	atClock(t, now)
	key := es256("k")
	s := startServer(t, key)
	f := s.follow(t, slow, nil)
	f.next(t)
	hanging := make(chan struct{})
	s.set(jwksPath, func(_ http.ResponseWriter, r *http.Request) { close(hanging); <-r.Context().Done() })
	i := newIssuer(t, f.Keys, nil)
	f.ask()
	<-hanging
	if _, err := i.Check(t.Context(), key.token(claims(nil), nil)); err != nil {
		t.Error(err)
	}
	got, err := i.Check(t.Context(), es256("new").token(claims(nil), nil))
	wantRefused(t, got, err, "no key with the token's kid")
	f.Close() // does not wait for the issuer either
	select {
	case status := <-f.statuses:
		t.Errorf("a fetch that was cut off is reported: %+v", status)
	default:
	}
}

// An ask during a fetch may be for a key that this fetch is too early for.
func TestAnAskDuringAFetchIsNotLost(t *testing.T) {
	s := startServer(t, es256("k"))
	arrived, go_on := make(chan struct{}), make(chan struct{})
	answer := s.answers[jwksPath]
	s.set(jwksPath, func(w http.ResponseWriter, r *http.Request) {
		arrived <- struct{}{}
		<-go_on
		answer(w, r)
	})
	f := s.follow(t, slow, nil)
	<-arrived
	f.ask()
	f.ask()
	go_on <- struct{}{}
	f.next(t)
	<-arrived
	go_on <- struct{}{}
	f.next(t)
}

func TestTheLastGoodKeysOutliveAnOutage(t *testing.T) {
	atClock(t, now)
	key := es256("k")
	s := startServer(t, key)
	good := s.answers[jwksPath]
	f := s.follow(t, quick, nil)
	first := f.until(t, "succeeds", succeeds)
	i := newIssuer(t, f.Keys, nil)
	set := f.current.Load()
	for name, broken := range map[string]http.HandlerFunc{
		"an error":               answerStatus(500),
		"nothing there":          nil,
		"a page":                 answerBody("text/html", []byte("<html>")),
		"an empty list":          answerJSON([]any{}),
		"keys that are null":     answerJSON(m{"keys": nil}),
		"a set of 1,001 keys":    answerJSON(m{"keys": make([]any, maxKeys+1)}),
		"a connection that ends": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
	} {
		s.set(jwksPath, broken)
		status := f.until(t, "fails", fails)
		if status.Keys != 1 || status.Fetched.Before(first.Fetched) || f.current.Load() != set {
			t.Errorf("%s: %+v", name, status)
		}
		if _, err := i.Check(t.Context(), key.token(claims(nil), nil)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		s.set(jwksPath, good)
		if status := f.until(t, "succeeds", succeeds); status.Fetched.Before(first.Fetched) || f.current.Load() != set {
			t.Errorf("after %s: %+v", name, status)
		}
	}
}

func TestAnIssuerThatIsDownAtTheStartIsTriedAgain(t *testing.T) {
	atClock(t, now)
	key := es256("k")
	s := startServer(t, key)
	good := s.answers[oidcPath]
	s.set(oidcPath, answerStatus(502))
	f := s.follow(t, quick, nil)
	for range 3 {
		if status := f.next(t); status.Err == nil || status.Keys != 0 || !status.Fetched.IsZero() {
			t.Fatalf("%+v", status)
		}
	}
	s.set(oidcPath, good)
	f.until(t, "succeeds", succeeds)
	if _, err := newIssuer(t, f.Keys, nil).Check(t.Context(), key.token(claims(nil), nil)); err != nil {
		t.Error(err)
	}
}

// One line when fetching begins to fail, and one when it works again.
func TestAnOutageIsLoggedOnce(t *testing.T) {
	s := startServer(t, es256("k"))
	keys, metadata := s.answers[jwksPath], s.answers[oidcPath]
	s.set(oidcPath, answerJSON(m{"issuer": "https://evil.example", "jwks_uri": s.URL + "/jwks"}))
	f := s.follow(t, quick, nil)
	want := func(level zapcore.Level, message string, parts ...string) {
		t.Helper()
		lines := f.lines.TakeAll()
		if len(lines) != 1 || lines[0].Level != level || !strings.Contains(lines[0].Message, message) || lines[0].ContextMap()["issuer"] != s.URL {
			t.Fatalf("%d lines, want one with %q: %+v", len(lines), message, lines)
		}
		for _, part := range parts {
			if text := fmt.Sprint(lines[0].ContextMap()); !strings.Contains(text, part) {
				t.Errorf("%s: no %q in it", text, part)
			}
		}
	}
	for range 5 {
		f.until(t, "fails", fails)
	}
	want(zap.ErrorLevel, "cannot be checked until this works", "https://evil.example", s.URL)
	s.set(oidcPath, metadata)
	for range 5 {
		f.until(t, "succeeds", succeeds)
	}
	want(zap.InfoLevel, "fetched the keys", "[k]")
	s.set(jwksPath, answerStatus(500))
	for range 5 {
		f.until(t, "fails", fails)
	}
	want(zap.ErrorLevel, "stay in use", "status 500")
	s.set(jwksPath, keys)
	for range 5 {
		f.until(t, "succeeds", succeeds)
	}
	want(zap.InfoLevel, "can be fetched again")
	s.set(jwksPath, answerBody("application/json", jwks(es256("k"), es256("new"), m{"kty": "oct", "k": "aHVudGVyMg"})))
	f.until(t, "has both keys", func(s Status) bool { return s.Keys == 2 })
	f.next(t)
	want(zap.InfoLevel, "changed", "[k new]", "shared secret")
}

func TestAFetchThatPanicsIsAnError(t *testing.T) {
	k := follow(Options{URL: staff, Transport: roundTripper(func(*http.Request) (*http.Response, error) { panic("hunter2") })}, slow)
	t.Cleanup(k.Close)
	deadline := time.Now().Add(patience)
	for k.Status().Err == nil && time.Now().Before(deadline) {
		runtime.Gosched()
	}
	if err := k.Status().Err; err == nil || !strings.Contains(err.Error(), "PANIC") {
		t.Error(err)
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestCloseEndsEverythingAtAnyTime(t *testing.T) {
	before := runtime.NumGoroutine()
	ended := func(what string) {
		t.Helper()
		deadline := time.Now().Add(patience)
		for runtime.NumGoroutine() > before && time.Now().Before(deadline) {
			time.Sleep(time.Millisecond)
		}
		if n := runtime.NumGoroutine(); n > before {
			stacks := make([]byte, 1<<20)
			t.Fatalf("%s: %d goroutines, before there were %d\n%s", what, n, before, stacks[:runtime.Stack(stacks, true)])
		}
	}
	hang := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	good := httptest.NewServer(answerBody("application/json", jwks(es256("k"))))
	for name, url := range map[string]string{"at once": good.URL, "while it fetches": hang.URL, "while it is down": "http://127.0.0.1:1"} {
		for range 10 {
			k := follow(Options{URL: staff, JWKSURL: url}, quick)
			if name == "while it fetches" {
				k.ask()
			}
			k.Close()
			k.Close() // again
			if !errors.Is(k.ended(), errEnded) {
				t.Fatal("it goes on")
			}
		}
	}
	k := Follow(Options{URL: staff, JWKSURL: good.URL})
	for k.current.Load() == nil {
		runtime.Gosched()
	}
	k.Close()
	if k.current.Load() == nil {
		t.Error("the keys are gone")
	}
	hang.Close()
	good.Close()
	ended("after all were closed")
}

var errEnded = errors.New("ended")

func (k *Keys) ended() error {
	select {
	case <-k.done:
		return errEnded
	default:
		return nil
	}
}

func TestTheUsualPaceIsWhatThePagesSay(t *testing.T) {
	if p := usualPace; p.refresh != 15*time.Minute || p.asked != 15*time.Second || p.maxRetry != time.Minute || p.maxFirstRetry != 30*time.Second || p.limit != 10*time.Second ||
		p.asked+3*p.limit > time.Minute { // a new key is seen within a minute, however long the documents take
		t.Errorf("%+v", p)
	}
}
