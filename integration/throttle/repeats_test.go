package throttle

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/oauth2"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
)

// A wrong password that was sent a moment ago is a client that says everything twice,
// or a script with a typo. It guesses nothing.

// C4
func TestTheSameWrongPasswordIsOneTry(t *testing.T) {
	s := harness.StartThrottle(t, "")
	for _, test := range []struct {
		name  string
		login func(password string) harness.Answer
	}{
		{"by a public client", func(password string) harness.Answer { return s.AppLogin(harness.HomeAddress, "alice", password) }},
		{"by a client with a secret", func(password string) harness.Answer {
			return s.From(harness.BackEndAddress, harness.LoginForm("password", password))
		}},
		{"by a client that names the address", func(password string) harness.Answer {
			return portalLogin(s, "alice", password, harness.StrangerAddress(1))
		}},
		{"by a client that should and names none", func(password string) harness.Answer { return portalLogin(s, "alice", password) }},
		{"of a client", func(password string) harness.Answer {
			if password == "correct horse" {
				password = "mobile-secret"
			}
			return s.From(harness.StrangerAddress(2), harness.LoginForm("client_id", "mobile", "client_secret", password))
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			typo := harness.WrongPassword()
			first := test.login(typo)
			if first.Status != 400 && first.Status != 401 {
				t.Fatalf("%d %s", first.Status, first.Body)
			}
			for range 50 {
				if a := test.login(typo); a.Comparable() != first.Comparable() {
					t.Fatalf("%s\nat first it was\n%s", a.Comparable(), first.Comparable())
				}
				if line := s.LastRefusal(); line["repeated"] != true || line["level"] != "info" || line["reason"] != "wrong_password" && line["reason"] != "wrong_client_secret" {
					t.Fatalf("the log has %v", line)
				}
			}
			test.login("correct horse").Want(t, 200, "")
			for range 3 {
				if a := test.login(harness.WrongPassword()); a.Comparable() != first.Comparable() {
					t.Fatalf("%s\nat first it was\n%s", a.Comparable(), first.Comparable())
				}
				if line := s.LastRefusal(); line["repeated"] != nil {
					t.Errorf("another is called a repetition: %v", line)
				}
			}
			test.login(typo) // still no other try
			for range 2 {
				test.login(harness.WrongPassword())
			}
			// five different ones since the login
			test.login("correct horse").Throttled(t, 30)
			test.login(typo).Throttled(t, 30)
			s.WantLimit("pair")
		})
	}
}

// C9, B9: it cannot be seen by that who exists.
func TestTheSameWrongPasswordIsOneTryForAllNames(t *testing.T) {
	s := harness.StartThrottle(t, "")
	typo := harness.WrongPassword()
	play := func(password func(n int) string, login func(password string) harness.Answer) (answers []string) {
		for n := range 30 {
			answers = append(answers, login(password(n)).Comparable())
		}
		return answers
	}
	one := func(int) string { return typo }
	more := []string{harness.WrongPassword(), harness.WrongPassword(), harness.WrongPassword(), harness.WrongPassword(), harness.WrongPassword(), harness.WrongPassword()}
	two := func(n int) string { return more[n/5] }
	for kind, names := range map[string][]string{
		"user":   {"alice", "nobody", "carol", "al\u00efce"},
		"client": {"web", "nobody", "app", "portal"},
	} {
		var known [2][]string
		for i, name := range names {
			login := func(password string) harness.Answer { return s.AppLogin(harness.StrangerAddress(i), name, password) }
			if kind == "client" {
				login = func(password string) harness.Answer {
					return s.From(harness.StrangerAddress(10+i), harness.LoginForm("client_id", name, "client_secret", password))
				}
			}
			got := [2][]string{play(one, login), play(two, login)}
			if i == 0 {
				known = got
				if last := known[1][29]; !strings.HasPrefix(known[0][29], "40") || !strings.HasPrefix(last, "429") {
					t.Fatalf("the last answers are %s and %s", known[0][29], last)
				}
			}
			for part := range got {
				for n := range got[part] {
					if got[part][n] != known[part][n] {
						t.Errorf("%s %s, part %d, try %d:\n%s\nwith a known one:\n%s", kind, name, part, n, got[part][n], known[part][n])
					}
				}
			}
		}
	}
}

// It costs no hash, and the metrics say so; a disabled user is not an exception.
func TestTheSameWrongPasswordIsNotHashedAgain(t *testing.T) {
	s := startCache(t, "")
	for _, test := range []struct{ kind, name, secret string }{
		{"user", "alice", "wrong"}, {"user", "nobody", "wrong"}, {"user", "carol", "wrong"}, {"user", "carol", "correct horse"},
		{"client", "hashed", "wrong"}, {"client", "web", "wrong"}, {"client", "nobody", "wrong"},
	} {
		before := passwordChecks(s.Site, test.kind)
		for range 20 {
			if test.kind == "user" {
				s.Login(test.name, test.secret).Want(t, 400, "invalid_grant")
			} else {
				s.Login("alice", "correct horse", "client_id", test.name, "client_secret", test.secret).Want(t, 400, "invalid_client")
			}
		}
		after := passwordChecks(s.Site, test.kind)
		for result, n := range map[string]int{"compared": 1, "repeated": 19, "throttled": 0, "cached": 0} {
			if result == "cached" && test.kind == "user" {
				continue // the client's secret
			}
			if got := after[result] - before[result]; got != n {
				t.Errorf("%v: %d %s, want %d", test, got, result, n)
			}
		}
	}
}

// Only that the same hash did not match is remembered, and never more.
func TestAPasswordThatBecomesRightIsAccepted(t *testing.T) {
	s := startCache(t, "throttle {\nfailures 100\n}")
	for range 3 {
		s.Login("alice", "another").Want(t, 400, "invalid_grant")
		s.Login("bob", "another").Want(t, 400, "invalid_grant") // a user who does not exist yet
		s.Login("carol", "correct horse").Want(t, 400, "invalid_grant")
		if line := s.LastRefusal(); line["reason"] != "user_disabled" {
			t.Errorf("a disabled user: %v", line)
		}
	}
	another := harness.CheapHash(t, "another")
	s.users(s.user("alice", another), s.user("bob", another), s.user("carol", s.hash))
	harness.Eventually(t, "the file is read again", func() bool { return s.Login("bob", "another").Status == 200 })
	s.Login("alice", "another").Want(t, 200, "")
	s.Login("carol", "correct horse").Want(t, 200, "")
	s.Login("alice", "correct horse").Want(t, 400, "invalid_grant")

	// and back again
	s.users(s.user("alice", s.hash), s.user("bob", s.hash), s.user("carol", s.hash, `"disabled": true`))
	harness.Eventually(t, "the file is read once more", func() bool { return s.Login("bob", "correct horse").Status == 200 })
	s.Login("alice", "correct horse").Want(t, 200, "")
	s.Login("alice", "another").Want(t, 400, "invalid_grant")
	s.Login("carol", "correct horse").Want(t, 400, "invalid_grant")

	// a client's secret
	for range 3 {
		s.Login("alice", "correct horse", "client_id", "hashed", "client_secret", "new").Want(t, 400, "invalid_client")
		s.Login("alice", "correct horse", "client_id", "web", "client_secret", "new").Want(t, 400, "invalid_client")
	}
	i := strings.Index(s.config, "secret_hash ")
	config := s.config[:i] + "secret_hash " + harness.CheapHash(t, "new") + s.config[strings.Index(s.config[i:], "\n")+i:]
	s.Reload("", strings.Replace(config, "secret web-secret", "secret new", 1))
	harness.Eventually(t, "the new config answers", func() bool {
		a, err := s.Attempt("alice", "correct horse", "client_id", "web", "client_secret", "new")
		return err == nil && a.Status == 200
	})
	s.Login("alice", "correct horse", "client_id", "hashed", "client_secret", "new").Want(t, 200, "")
}

// C4: equal attempts that come together count as one, those that come after it do not
// count.
func TestABurstOfTheSameWrongPasswordIsOneTry(t *testing.T) {
	s := harness.StartThrottle(t, "throttle {\nfailures 2\n}")
	for _, name := range []string{"bob", "nobody"} {
		typo := harness.WrongPassword()
		for range 3 {
			if got := atOnce(s, 60, func(int) (harness.Answer, error) { return s.Attempt(name, typo) }); got[400] != 60 {
				t.Errorf("%s: %v, want 60 times 400", name, got)
			}
		}
		harness.WrongLogins(t, 1, func(password string) harness.Answer { return s.Login(name, password) })
		s.Login(name, typo).Throttled(t, 30)
	}
}

func TestWithThrottleOffNothingIsRemembered(t *testing.T) {
	s := startCache(t, "throttle off")
	wantChecks(s.Site, "user", 3, 0, "the same wrong password", func() {
		for range 3 {
			s.Login("alice", "wrong").Want(t, 400, "invalid_grant")
		}
	})
}

// countedTransport counts the requests to the token endpoint.
type countedTransport struct{ requests atomic.Int32 }

func (c *countedTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	c.requests.Add(1)
	return http.DefaultTransport.RoundTrip(r)
}

// x/oauth2 without an AuthStyle sends what was refused again in another way.
func TestXOAuth2HasAllItsTriesThoughItSendsEachTwice(t *testing.T) {
	for _, test := range []struct {
		name, id, secret string
		wrongSecret      bool
	}{
		{"a password, by a client with a secret", "web", "web-secret", false},
		{"a password, by a public client", "app", "", false},
		{"a client's secret", "web", "web-secret", true},
		{"the secret of a client that does not exist", "nobody", "x", true},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := harness.StartThrottle(t, "throttle {\nfailures 6\n}")
			var transport countedTransport
			ctx := context.WithValue(t.Context(), oauth2.HTTPClient, &http.Client{Transport: &transport})
			config := oauth2.Config{ClientID: test.id, Endpoint: oauth2.Endpoint{TokenURL: s.URL("/token"), AuthStyle: oauth2.AuthStyleAutoDetect}}
			login := func(right bool) *http.Response {
				password := "correct horse"
				switch config.ClientSecret = test.secret; {
				case right:
				case test.wrongSecret:
					config.ClientSecret = harness.WrongPassword()
				default:
					password = harness.WrongPassword()
				}
				_, err := config.PasswordCredentialsToken(ctx, "alice", password)
				if err == nil {
					return nil
				}
				refusal, ok := errors.AsType[*oauth2.RetrieveError](err)
				if !ok {
					t.Fatal(err)
				}
				return refusal.Response
			}
			wrongs := func(n int) {
				t.Helper()
				for i := range n {
					before := transport.requests.Load()
					if r := login(false); r == nil || r.StatusCode != 400 && r.StatusCode != 401 {
						t.Fatalf("wrong try %d: %+v", i+1, r)
					}
					if sent := transport.requests.Load() - before; sent != 2 {
						t.Fatalf("the library sends it %d times, so this test is about nothing", sent)
					}
				}
			}
			if test.id != "nobody" {
				wrongs(5)
				if r := login(true); r != nil {
					t.Fatalf("the right one after five wrong ones: %d", r.StatusCode)
				}
				config = oauth2.Config{ClientID: test.id, Endpoint: config.Endpoint} // it has learned
			}
			wrongs(5)
			before := len(s.Refusals())
			if r := login(false); r == nil || r.StatusCode != 429 {
				t.Errorf("a sixth wrong one: %+v", r) // its second request has to wait already
			}
			if lines := s.Refusals()[before:]; len(lines) != 2 || lines[0]["reason"] == "throttled" || lines[1]["reason"] != "throttled" {
				t.Errorf("of the sixth the log has %v", lines)
			}
			if r := login(true); r == nil || r.StatusCode != 429 {
				t.Errorf("after six wrong ones: %+v", r)
			}
		})
	}
}

// The log says of neither way that a password was near.
func TestARepetitionLeavesNoSecretInTheLog(t *testing.T) {
	s := harness.StartThrottle(t, "log_usernames")
	const secret = "hunter2-in-clear"
	before := len(s.RawLog())
	for n := range 3 {
		s.AppLogin(harness.HomeAddress, "alice", secret).Want(t, 400, "invalid_grant")
		s.From(harness.HomeAddress, harness.LoginForm("client_secret", secret)).Want(t, 400, "invalid_client")
		if n > 0 && s.LastRefusal()["repeated"] != true {
			t.Error("it is not a repetition")
		}
	}
	if strings.Contains(s.RawLog()[before:], secret) {
		t.Error(fmt.Sprint("it is in the log: ", s.RawLog()[before:]))
	}
}
