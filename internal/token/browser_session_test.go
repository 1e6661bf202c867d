package token

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddygrant/caddy-grant/directory"
	"github.com/caddygrant/caddy-grant/internal/remembered"
	"github.com/caddygrant/caddy-grant/internal/session"
)

// A cookie that was checked before is found by its digest: what has changed since counts
// all the same.
func TestACookieIsCheckedAgainstWhatIsTrueNow(t *testing.T) {
	with := func(change func(*directory.User)) func(*testing.T, *browserServer, *SessionCookie) {
		return func(t *testing.T, s *browserServer, _ *SessionCookie) {
			alice := aliceOfBrowser()
			change(&alice)
			s.setUsers(t, alice)
		}
	}
	for _, test := range []struct {
		name   string
		change func(*testing.T, *browserServer, *SessionCookie)
		reason string // empty: it is still good
	}{
		{"nothing changes", func(*testing.T, *browserServer, *SessionCookie) {}, ""},
		{"the file is read anew, with the same user", with(func(*directory.User) {}), ""},
		{"the user is gone", with(func(u *directory.User) { u.Username = "bob" }), "its user is gone"},
		{"the user is disabled", with(func(u *directory.User) { u.Disabled = true }), "its user is disabled"},
		{"the user has another password", with(func(u *directory.User) {
			u.PasswordHash = "$2y$04$EBW23lYB/YX0fYO6RTIbbO8mfxlfWOaEPnNuvdva8H8aX8IAPxUKO"
		}), "its user has another password now"},
		{"the server has no login page any longer", func(_ *testing.T, s *browserServer, _ *SessionCookie) { s.Browser = nil }, "the server has no login page"},
		{"the page's client is gone", func(t *testing.T, s *browserServer, _ *SessionCookie) { s.setClient(t, nil) }, "its client is gone"},
		{"the session is revoked", func(_ *testing.T, s *browserServer, c *SessionCookie) { s.sessions.known[c.Session] = true }, "its session was revoked"},
		{"storage knows of a revocation and this node does not yet", func(_ *testing.T, s *browserServer, c *SessionCookie) { s.sessions.stored[c.Session] = true }, ""},
		{"the revocations were not read", func(_ *testing.T, s *browserServer, _ *SessionCookie) { s.sessions.failed = errors.New("down") }, "the revoked sessions have not been read yet"},
		{"the session is in an engine that the config does not know", func(_ *testing.T, s *browserServer, _ *SessionCookie) {
			s.sessions.failed = fmt.Errorf("%w: %w", session.ErrUnavailable, session.ErrUnknownEngine)
		}, "its session is in an engine that the config does not know"},
		{"the last second of the idle time", func(_ *testing.T, s *browserServer, _ *SessionCookie) { s.at = s.at.Add(12*time.Hour - time.Second) }, ""},
		{"the idle time is over", func(_ *testing.T, s *browserServer, _ *SessionCookie) { s.at = s.at.Add(12 * time.Hour) }, "expired"},
		{"idle_ttl is shorter now", func(_ *testing.T, s *browserServer, _ *SessionCookie) {
			s.Browser.IdleTTL = time.Minute
			s.at = s.at.Add(time.Minute)
		}, "expired"},
		{"there are no keys", func(_ *testing.T, s *browserServer, _ *SessionCookie) { s.keys = nil }, "no key to verify tokens with yet"},
	} {
		for _, before := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, checked before %t", test.name, before), func(t *testing.T) {
				s := newBrowserServer(t)
				cookie, value := s.begin(t, false)
				if before {
					s.wantCookie(t, value, "")
				}
				test.change(t, s, cookie)
				session, err := s.CheckCookie(t.Context(), value, atApp)
				switch {
				case test.reason == "" && err != nil, test.reason != "" && (err == nil || err.Error() != test.reason):
					t.Fatalf("the check says %v, want %q", err, test.reason)
				case s.keys != nil && (session == nil || session.SessionID != cookie.SessionID):
					t.Error("it does not say whose session it is")
				}
				unchecked := strings.Contains(test.reason, "no key") || strings.Contains(test.reason, "have not been read") || strings.Contains(test.reason, "does not know")
				if err != nil && isUncheckedError(err) != unchecked {
					t.Errorf("that it cannot be told is %t", isUncheckedError(err))
				}
				if s.sessions.asked.Load() > 0 {
					t.Error("a check asks storage")
				}
			})
		}
	}
}

func TestASessionHasTheScopesAndClaimsOfNow(t *testing.T) {
	s := newBrowserServer(t)
	_, value := s.begin(t, false)
	want := func(username string, claims map[string]any, scopes ...string) *BrowserSession {
		t.Helper()
		var session *BrowserSession
		for range 2 { // first, and remembered
			session = s.wantCookie(t, value, "")
			token := session.Token
			if !slices.Equal(token.Scopes, scopes) || token.Scope != strings.Join(scopes, " ") || token.Username != username {
				t.Fatalf("it is %q of %s, want %q of %s", token.Scope, token.Username, scopes, username)
			}
			for name, value := range claims {
				if token.Claim(name) != value {
					t.Errorf("the claim %s is %v, want %v", name, token.Claim(name), value)
				}
			}
			if len(token.Others) != len(claims) || token.ID != "" || token.Expires != 0 || token.Audience != nil || token.CID != LoginPage {
				t.Errorf("the claims are %+v", token)
			}
		}
		if again := s.wantCookie(t, value, ""); again != session {
			t.Error("it is made anew for each request")
		}
		return session
	}
	first := want("alice", nil, "read", "write")

	alice := aliceOfBrowser()
	alice.Scopes = []string{"write", "admin"}
	alice.Claims = map[string]json.RawMessage{"email": json.RawMessage(`"alice@example.com"`)}
	s.setUsers(t, alice)
	want("alice", map[string]any{"email": "alice@example.com"}, "write")

	alice = aliceOfBrowser()
	alice.Scopes = []string{}
	s.setUsers(t, alice)
	want("alice", nil)

	alice.Scopes = nil
	s.setUsers(t, alice)
	want("alice", nil, "read", "write") // the login's

	s.Browser.Client = &directory.Client{ID: LoginPage, Public: true, Scopes: []string{"read", "admin"}}
	s.setClient(t, s.Browser.Client)
	s.Issuer = "https://new.example.com"
	if session := want("alice", nil, "read"); session.Token.Issuer != s.Issuer {
		t.Errorf("iss is %q", session.Token.Issuer)
	}
	if first.Token.Scope != "read write" {
		t.Error("what requests share was changed")
	}
}

func TestACookieIsSealedAnewWhenATenthOfTheIdleTimeIsOver(t *testing.T) {
	s := newBrowserServer(t)
	cookie, value := s.begin(t, false)
	renew := func(value string) (string, bool) {
		t.Helper()
		renewed, is, err := s.Renew(t.Context(), s.wantCookie(t, value, ""), atApp)
		if err != nil || is != (renewed != "") {
			t.Fatal(renewed, is, err)
		}
		return renewed, is
	}
	s.at = s.at.Add(72*time.Minute - time.Second)
	if _, is := renew(value); is || s.sessions.asked.Load() > 0 {
		t.Fatal("it is renewed too early, or storage is asked")
	}
	s.at = s.at.Add(time.Second)
	began := s.at
	again, is := renew(value)
	if !is || s.sessions.asked.Load() != 1 {
		t.Fatal("it is not renewed, or storage is not asked")
	}
	renewed := s.wantCookie(t, again, "")
	if renewed.SessionID != cookie.SessionID || renewed.Ends != cookie.Ends || renewed.Begins != cookie.Begins || renewed.Sealed != began.Unix() {
		t.Errorf("%+v became %+v", cookie, renewed.SessionCookie)
	}
	if _, is := renew(value); is {
		t.Error("each of many requests at the same time renews it")
	}
	s.at = s.at.Add(renewalPause)
	if _, is := renew(value); !is { // the answer with the new one was lost
		t.Error("it is renewed once only")
	}
	// for as long as the session lasts, and no longer
	value = again
	for s.at.Before(time.Unix(cookie.Ends, 0).Add(-2 * time.Hour)) {
		s.at = s.at.Add(2 * time.Hour)
		if value, is = renew(value); !is {
			t.Fatalf("not renewed at %s", s.at)
		}
	}
	s.at = time.Unix(cookie.Ends, 0)
	s.wantCookie(t, value, "expired")
}

func TestARenewalNeitherBringsBackASessionNorWaitsForStorage(t *testing.T) {
	for name, end := range map[string]func(*browserServer, *BrowserSession){
		"it was revoked here":                  func(s *browserServer, b *BrowserSession) { s.sessions.known[b.Session] = true },
		"it was revoked on another node":       func(s *browserServer, b *BrowserSession) { s.sessions.stored[b.Session] = true },
		"storage does not answer":              func(s *browserServer, _ *BrowserSession) { s.sessions.failed = errors.New("down") },
		"it expired while the app was working": func(s *browserServer, _ *BrowserSession) { s.at = s.at.Add(12 * time.Hour) },
		"the page was removed":                 func(s *browserServer, _ *BrowserSession) { s.Browser = nil },
		"the keys are gone":                    func(s *browserServer, _ *BrowserSession) { s.keys = nil },
	} {
		t.Run(name, func(t *testing.T) {
			s := newBrowserServer(t)
			_, value := s.begin(t, false)
			s.at = s.at.Add(2 * time.Hour)
			session := s.wantCookie(t, value, "")
			end(s, session)
			if value, renewed, err := s.Renew(t.Context(), session, atApp); value != "" || renewed || err != nil {
				t.Errorf("renewed %t, error %v", renewed, err)
			}
		})
	}
}

func TestARememberedSessionIsNeverRenewed(t *testing.T) {
	s := newBrowserServer(t)
	_, value := s.begin(t, true)
	for range 29 {
		s.at = s.at.Add(24 * time.Hour)
		if _, renewed, err := s.Renew(t.Context(), s.wantCookie(t, value, ""), atApp); renewed || err != nil {
			t.Fatal(renewed, err)
		}
	}
	s.at = s.at.Add(24 * time.Hour)
	s.wantCookie(t, value, "expired")
}

func TestRequestsAtTheSameTimeRenewACookieOnce(t *testing.T) {
	s := newBrowserServer(t)
	_, value := s.begin(t, false)
	s.at = s.at.Add(2 * time.Hour)
	session := s.wantCookie(t, value, "")
	var renewals [64]string
	together(len(renewals), func(i int) { renewals[i], _, _ = s.Renew(t.Context(), session, atApp) })
	if n := len(slices.DeleteFunc(renewals[:], func(v string) bool { return v == "" })); n != 1 {
		t.Errorf("%d renewals", n)
	}
}

func TestAForwardedTokenIsMadeAnewAtHalfItsLifeAndWhenTheUserChanges(t *testing.T) {
	s := newBrowserServer(t)
	s.Browser.Client.AccessTokenTTL = 300_000_000_000
	cookie, value := s.begin(t, false)
	token := func() string {
		t.Helper()
		raw, err := s.AccessToken(t.Context(), s.wantCookie(t, value, ""))
		if err != nil {
			t.Fatal(err)
		}
		checked, err := s.Check(t.Context(), raw)
		if err != nil {
			t.Fatal(err)
		}
		if checked.SessionID != cookie.SessionID || checked.CID != LoginPage || checked.Subject != "alice" || checked.ID == "" ||
			!slices.Equal(checked.Audience, s.Audience) || checked.Expires-checked.IssuedAt > 300 || checked.Expires > cookie.Ends {
			t.Fatalf("the claims are %+v", checked)
		}
		return raw
	}
	first := token()
	s.at = s.at.Add(150*time.Second - time.Second)
	if token() != first {
		t.Error("it is made anew before half of its life is over")
	}
	s.at = s.at.Add(time.Second)
	second := token()
	if second == first {
		t.Error("it is not made anew after half of its life")
	}
	alice := aliceOfBrowser()
	alice.Scopes = []string{"read"}
	s.setUsers(t, alice)
	third := token()
	if third == second {
		t.Error("it is not made anew for a user that has changed")
	}
	if checked, err := s.Check(t.Context(), third); err != nil || checked.Scope != "read" {
		t.Error("it has more scopes than the user", checked, err)
	}
	client := *s.Browser.Client
	client.AccessTokenTTL = 60_000_000_000
	s.Browser.Client = &client
	s.setClient(t, &client)
	fourth := token()
	if fourth == third {
		t.Error("it is not made anew for a page whose settings have changed")
	}
	s.at = s.at.Add(-time.Hour)
	if token() == fourth {
		t.Error("one that will be valid in an hour is handed out when a clock was set back")
	}
	s.at = time.Unix(cookie.Ends, 0).Add(-10 * time.Second)
	value = s.seal(t, cookie)
	s.at = s.at.Add(time.Second)
	token() // which does not outlive the session
}

func TestRequestsAtTheSameTimeShareOneForwardedToken(t *testing.T) {
	s := newBrowserServer(t)
	_, value := s.begin(t, false)
	s.wantCookie(t, value, "")
	var tokens [64]string
	together(len(tokens), func(i int) {
		session, err := s.CheckCookie(t.Context(), value, atApp)
		if err != nil {
			t.Error(err)
			return
		}
		if tokens[i], err = s.AccessToken(t.Context(), session); err != nil {
			t.Error(err)
		}
	})
	if all := slices.Compact(slices.Sorted(slices.Values(tokens[:]))); len(all) != 1 || all[0] == "" {
		t.Errorf("%d tokens were signed", len(all))
	}
}

// Otherwise a cookie could be taken for a token that was checked before, or a token for
// a cookie: what tells them apart is not looked at again.
func TestDigestsOfTokensAndOfCookiesNeverMeet(t *testing.T) {
	s := newBrowserServer(t)
	_, cookie := s.begin(t, false)
	s.wantCookie(t, cookie, "")
	session := s.wantCookie(t, cookie, "")
	access, err := s.AccessToken(t.Context(), session)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Check(t.Context(), access); err != nil {
		t.Fatal(err)
	}
	// the very bytes of which the digest of a cookie is made
	spelled := atApp.Name + "\x00" + atApp.Host + "\x00" + cookie + "\x00"
	if sum := sha256.Sum256([]byte(spelled)); digestCookie(cookie, atApp) != tokenDigest(append([]byte{sum[0] | ofCookie}, sum[1:sha256.Size/2]...)) {
		t.Fatal("the test does not know what the digest is made of")
	}
	for _, raw := range []string{cookie, spelled, "\x00" + spelled, atApp.Name + "=" + cookie} {
		if token, err := s.Check(t.Context(), raw); err == nil || token != nil {
			t.Errorf("%q is taken for a token: %+v", raw, token)
		}
		if _, err := OpenRefreshToken(s.keys, raw); err == nil {
			t.Errorf("%q is taken for a refresh token", raw)
		}
	}
	for _, place := range []CookiePlace{atApp, {}} {
		if session, err := s.CheckCookie(t.Context(), access, place); err == nil || session != nil {
			t.Errorf("a token is taken for a cookie at %+v", place)
		}
	}
	for i := range 1000 {
		text := fmt.Sprint(i)
		if digestToken(remembered.DigestOf(text))[0]&ofCookie != 0 || digestCookie(text, atApp)[0]&ofCookie == 0 {
			t.Fatal("they can meet")
		}
	}
	if digestCookie("c", CookiePlace{"a", "b"}) == digestCookie("bc", CookiePlace{"a", ""}) || digestCookie("v", CookiePlace{"ab", ""}) == digestCookie("v", CookiePlace{"a", "b"}) {
		t.Error("the digest does not tell places apart")
	}
}

func TestRememberedSessionsAreBoundedInMemory(t *testing.T) {
	s := newBrowserServer(t)
	alice := aliceOfBrowser()
	alice.Claims = map[string]json.RawMessage{"about": json.RawMessage(`"` + strings.Repeat("x", 4000) + `"`)}
	s.setUsers(t, alice)
	cookie, _ := s.begin(t, false)
	for range 5000 {
		s.wantCookie(t, s.seal(t, cookie), "")
	}
	sessions, size := s.keys.Remembered()
	if size > maxCheckedSize || sessions < 1000 || sessions > maxCheckedSize/(4000+4000*4/3) {
		t.Errorf("%d sessions of %d bytes", sessions, size)
	}
	small := newBrowserServer(t)
	cookie, value := small.begin(t, false)
	small.wantCookie(t, value, "")
	if _, size := small.keys.Remembered(); size < len(value)+sessionSize {
		t.Errorf("a session counts as %d bytes", size)
	}
	// a flood of what we did not seal takes no room
	for i := range 1000 {
		if _, err := small.CheckCookie(t.Context(), base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, "%0200d", i)), atApp); err == nil {
			t.Fatal("it opens")
		}
	}
	if sessions, _ := small.keys.Remembered(); sessions != 1 {
		t.Errorf("%d are remembered", sessions)
	}
	// and what is no longer good takes none either
	small.sessions.known[cookie.Session] = true
	for range 10 {
		small.wantCookie(t, small.seal(t, cookie), "its session was revoked")
	}
	if sessions, _ := small.keys.Remembered(); sessions != 1 {
		t.Errorf("%d are remembered", sessions)
	}
}

// together runs f in as many goroutines.
func together(n int, f func(i int)) {
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { f(i) })
	}
	all.Wait()
}
