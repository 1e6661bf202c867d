package throttle

import (
	"fmt"
	"strings"
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
)

// C4, C6: five attempts, then a wait.
func TestAUserAtAnAddressHasFiveWrongTries(t *testing.T) {
	s := harness.StartThrottle(t, "")
	harness.WrongLogins(t, 5, func(password string) harness.Answer { return s.AppLogin(harness.HomeAddress, "alice", password) })
	a := s.AppLogin(harness.HomeAddress, "alice", "wrong")
	a.Throttled(t, 30)
	harness.WellFormedError(t, a)
	s.WantLimit("pair")
	s.AppLogin(harness.HomeAddress, "alice", "correct horse").Throttled(t, 30) // no password is looked at
	for range 20 {
		s.AppLogin(harness.HomeAddress, "alice", "wrong").Throttled(t, 30) // and no wait gets longer
	}
	s.AppLogin(harness.HomeAddress, "bob", "wrong").Want(t, 400, "invalid_grant")
	s.AppLogin(harness.HomeAddress, "bob", "correct horse").Want(t, 200, "")
	s.AppLogin(harness.StrangerAddress(1), "alice", "wrong").Want(t, 400, "invalid_grant")
	s.AppLogin(harness.StrangerAddress(1), "alice", "correct horse").Want(t, 200, "")
	s.AppLogin(harness.HomeAddress, "alice", "correct horse").Throttled(t, 30) // nor does a success elsewhere help there
}

// C9: the throttle does not reveal whether there is such a user.
func TestAllNamesAreThrottledAlike(t *testing.T) {
	s := harness.StartThrottle(t, "")
	play := func(peer, username string, headers ...string) (answers []string) {
		for range 5 {
			a := s.From(peer, harness.AppForm(username, harness.WrongPassword()), headers...)
			a.Want(t, 400, "invalid_grant")
			answers = append(answers, a.Comparable())
		}
		for _, password := range []string{"wrong", "correct horse"} {
			a := s.From(peer, harness.AppForm(username, password), headers...)
			a.Throttled(t, 30)
			answers = append(answers, a.Comparable())
		}
		return answers
	}
	known := play(harness.StrangerAddress(1), "alice")
	for i, username := range []string{"nobody", "carol", "bob", "al\u00efce\x01", "Alice"} {
		other := play(harness.StrangerAddress(2+i), username)
		for n := range known {
			if other[n] != known[n] {
				t.Errorf("try %d with the name %q:\n%s\nwith a known one:\n%s", n+1, username, other[n], known[n])
			}
		}
	}
}

// C9: the account's ceiling is the same for all names.
func TestAllNamesHaveTheSameCeiling(t *testing.T) {
	s := harness.StartThrottle(t, "throttle {\nfailures 2\naccount_ceiling 4\n}")
	var known harness.Answer
	for _, username := range []string{"alice", "nobody", "carol"} {
		for peer := range 2 {
			harness.WrongLogins(t, 2, func(password string) harness.Answer {
				return s.AppLogin(harness.StrangerAddress(peer), username, password)
			})
		}
		a := s.AppLogin(harness.StrangerAddress(9), username, "correct horse")
		a.Throttled(t, 3600)
		s.WantLimit("account")
		if known.Body == nil {
			known = a
		}
		if a.Comparable() != known.Comparable() {
			t.Errorf("%s:\n%s\nwith a known one:\n%s", username, a.Comparable(), known.Comparable())
		}
	}
}

// C6: the wait grows, and ends.
func TestTheWaitGrowsAndEnds(t *testing.T) {
	t.Parallel()
	s := harness.ApartWith(t, harness.ThrottleOptions, harness.ThrottleConfig(t, "throttle {\nfailures 1\ndelay 1s 2s\n}"))
	fails := func() func() bool {
		return func() bool { return s.AppLogin(harness.HomeAddress, "alice", harness.WrongPassword()).Status == 400 }
	}
	harness.WrongLogins(t, 1, func(password string) harness.Answer { return s.AppLogin(harness.HomeAddress, "alice", password) })
	s.AppLogin(harness.HomeAddress, "alice", "wrong").Throttled(t, 1)
	harness.Eventually(t, "the first wait is over", fails())
	s.AppLogin(harness.HomeAddress, "alice", "wrong").Throttled(t, 2)
	harness.Eventually(t, "the second wait is over", fails())
	s.AppLogin(harness.HomeAddress, "alice", "wrong").Throttled(t, 2) // the longest
	harness.Eventually(t, "the owner gets in", func() bool { return s.AppLogin(harness.HomeAddress, "alice", "correct horse").Status == 200 })
	harness.WrongLogins(t, 1, func(password string) harness.Answer { return s.AppLogin(harness.HomeAddress, "alice", password) })
	s.AppLogin(harness.HomeAddress, "alice", "wrong").Throttled(t, 1) // all over again
}

// C7
func TestASuccessClearsTheFailuresOfTheUserNotOfTheAddress(t *testing.T) {
	s := harness.StartThrottle(t, "throttle {\nfailures 2\n}") // an address has 20
	name := 0
	mistype := func(n int) {
		t.Helper()
		for range n {
			name++
			s.AppLogin(harness.HomeAddress, fmt.Sprint("nobody", name), "wrong").Want(t, 400, "invalid_grant")
		}
	}
	mistype(9)
	harness.WrongLogins(t, 1, func(password string) harness.Answer { return s.AppLogin(harness.HomeAddress, "alice", password) })
	s.AppLogin(harness.HomeAddress, "alice", "correct horse").Want(t, 200, "")
	harness.WrongLogins(t, 1, func(password string) harness.Answer { return s.AppLogin(harness.HomeAddress, "alice", password) })
	s.AppLogin(harness.HomeAddress, "alice", "correct horse").Want(t, 200, "") // or it would be the second in a row
	mistype(10)                                                                // ten failures before that success
	s.AppLogin(harness.HomeAddress, "nobody", "wrong").Throttled(t, 30)
	s.WantLimit("address")
	s.AppLogin(harness.HomeAddress, "bob", "correct horse").Throttled(t, 30) // who has not logged in there yet
	s.AppLogin(harness.HomeAddress, "alice", "correct horse").Want(t, 200, "")
	s.AppLogin(harness.StrangerAddress(1), "bob", "correct horse").Want(t, 200, "")
}

// C8, C10: who has a refresh token goes on, and that says nothing about the password.
func TestARefreshGoesOnAndClearsNoFailures(t *testing.T) {
	s := harness.StartThrottle(t, "")
	refresh := s.AppLogin(harness.HomeAddress, "alice", "correct horse").Text(t, "refresh_token")
	renew := func(peer string) {
		t.Helper()
		a := s.From(peer, "grant_type=refresh_token&client_id=app&refresh_token="+refresh)
		a.Want(t, 200, "")
		refresh = a.Text(t, "refresh_token")
	}
	for _, peer := range []string{harness.HomeAddress, harness.StrangerAddress(1)} {
		harness.WrongLogins(t, 4, func(password string) harness.Answer { return s.AppLogin(peer, "alice", password) })
		renew(peer)
		harness.WrongLogins(t, 1, func(password string) harness.Answer { return s.AppLogin(peer, "alice", password) })
		s.AppLogin(peer, "alice", "correct horse").Throttled(t, 30)
		renew(peer)
		s.AppLogin(peer, "alice", "correct horse").Throttled(t, 30)
	}
}

func TestADisabledUserNeverSucceeds(t *testing.T) {
	s := harness.StartThrottle(t, "")
	for range 5 { // a right password clears nothing, and makes no address known good
		s.AppLogin(harness.HomeAddress, "carol", "correct horse").Want(t, 400, "invalid_grant")
	}
	harness.WrongLogins(t, 4, func(password string) harness.Answer { return s.AppLogin(harness.HomeAddress, "carol", password) })
	s.AppLogin(harness.HomeAddress, "carol", "correct horse").Throttled(t, 30)
}

func TestThrottleOff(t *testing.T) {
	s := harness.StartThrottle(t, "throttle off")
	harness.WrongLogins(t, 60, func(password string) harness.Answer { return s.AppLogin(harness.HomeAddress, "alice", password) })
	for range 20 {
		s.From(harness.HomeAddress, harness.LoginForm("client_secret", "wrong")).Want(t, 400, "invalid_client")
	}
	s.AppLogin(harness.HomeAddress, "alice", "correct horse").Want(t, 200, "")
	s.From(harness.HomeAddress, harness.LoginForm()).Want(t, 200, "")
}

// C16
func TestTheLogSaysThatAndWhyAUserIsThrottled(t *testing.T) {
	s := harness.StartThrottle(t, "throttle {\nfailures 1\n}")
	before := len(s.RawLog())
	const secret = "hunter2-in-clear"
	portalLogin(s, "nobody-"+secret, secret, "192.0.2.7").Want(t, 400, "invalid_grant")
	portalLogin(s, "nobody-"+secret, secret, "192.0.2.7").Throttled(t, 30)
	line := s.LastRefusal()
	for field, value := range map[string]any{
		"level": "info", "reason": "throttled", "limit": "pair", "status": 429.0, "oauth_error": "temporarily_unavailable",
		"client_ip": harness.BackEndAddress, "end_user_ip": "192.0.2.7", "client_id": "portal", "grant_type": "password",
		"username": nil, "user_id": nil, "remedy": nil,
	} {
		if line[field] != value {
			t.Errorf("%s is %v, want %v", field, line[field], value)
		}
	}
	s.AppLogin(harness.HomeAddress, "alice", secret).Want(t, 400, "invalid_grant")
	s.AppLogin(harness.HomeAddress, "alice", secret).Throttled(t, 30)
	if line := s.LastRefusal(); line["user_id"] != "alice" || line["client_ip"] != harness.HomeAddress {
		t.Errorf("a user who exists: %v", line)
	}
	for _, text := range []string{secret, "nobody-", "portal-secret"} {
		if log := s.RawLog()[before:]; strings.Contains(log, text) {
			t.Errorf("%s is in the log: %s", text, log)
		}
	}
}
