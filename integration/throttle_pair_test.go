package integration

import (
	"fmt"
	"strings"
	"testing"
)

// C4, C6: five tries, then a wait.
func TestAUserAtAnAddressHasFiveWrongTries(t *testing.T) {
	s := startThrottle(t, "")
	wrongLogins(t, 5, func(password string) answer { return s.appLogin(home, "alice", password) })
	a := s.appLogin(home, "alice", "wrong")
	a.throttled(t, 30)
	wellFormedError(t, a)
	s.wantLimit("pair")
	s.appLogin(home, "alice", "correct horse").throttled(t, 30) // no password is looked at
	for range 20 {
		s.appLogin(home, "alice", "wrong").throttled(t, 30) // and no wait gets longer
	}
	s.appLogin(home, "bob", "wrong").want(t, 400, "invalid_grant")
	s.appLogin(home, "bob", "correct horse").want(t, 200, "")
	s.appLogin(stranger(1), "alice", "wrong").want(t, 400, "invalid_grant")
	s.appLogin(stranger(1), "alice", "correct horse").want(t, 200, "")
	s.appLogin(home, "alice", "correct horse").throttled(t, 30) // nor does a success elsewhere help there
}

// C9: whether there is such a user, nobody learns from the throttle.
func TestAllNamesAreThrottledAlike(t *testing.T) {
	s := startThrottle(t, "")
	play := func(peer, username string, headers ...string) (answers []string) {
		for range 5 {
			a := s.from(peer, appForm(username, wrong()), headers...)
			a.want(t, 400, "invalid_grant")
			answers = append(answers, a.comparable())
		}
		for _, password := range []string{"wrong", "correct horse"} {
			a := s.from(peer, appForm(username, password), headers...)
			a.throttled(t, 30)
			answers = append(answers, a.comparable())
		}
		return answers
	}
	known := play(stranger(1), "alice")
	for i, username := range []string{"nobody", "carol", "bob", "al\u00efce\x01", "Alice"} {
		other := play(stranger(2+i), username)
		for n := range known {
			if other[n] != known[n] {
				t.Errorf("try %d with the name %q:\n%s\nwith a known one:\n%s", n+1, username, other[n], known[n])
			}
		}
	}
}

// C9: the account's ceiling is the same for all names.
func TestAllNamesHaveTheSameCeiling(t *testing.T) {
	s := startThrottle(t, "throttle {\nfailures 2\naccount_ceiling 4\n}")
	var known answer
	for _, username := range []string{"alice", "nobody", "carol"} {
		for peer := range 2 {
			wrongLogins(t, 2, func(password string) answer { return s.appLogin(stranger(peer), username, password) })
		}
		a := s.appLogin(stranger(9), username, "correct horse")
		a.throttled(t, 3600)
		s.wantLimit("account")
		if known.body == nil {
			known = a
		}
		if a.comparable() != known.comparable() {
			t.Errorf("%s:\n%s\nwith a known one:\n%s", username, a.comparable(), known.comparable())
		}
	}
}

// C6: the wait grows, and ends.
func TestTheWaitGrowsAndEnds(t *testing.T) {
	s := startThrottle(t, "throttle {\nfailures 1\ndelay 1s 2s\n}")
	fails := func() func() bool {
		return func() bool { return s.appLogin(home, "alice", wrong()).status == 400 }
	}
	wrongLogins(t, 1, func(password string) answer { return s.appLogin(home, "alice", password) })
	s.appLogin(home, "alice", "wrong").throttled(t, 1)
	eventually(t, "the first wait is over", fails())
	s.appLogin(home, "alice", "wrong").throttled(t, 2)
	eventually(t, "the second wait is over", fails())
	s.appLogin(home, "alice", "wrong").throttled(t, 2) // the longest
	eventually(t, "the owner gets in", func() bool { return s.appLogin(home, "alice", "correct horse").status == 200 })
	wrongLogins(t, 1, func(password string) answer { return s.appLogin(home, "alice", password) })
	s.appLogin(home, "alice", "wrong").throttled(t, 1) // all over again
}

// C7
func TestASuccessClearsTheFailuresOfTheUserNotOfTheAddress(t *testing.T) {
	s := startThrottle(t, "throttle {\nfailures 2\n}") // an address has 20
	name := 0
	mistype := func(n int) {
		t.Helper()
		for range n {
			name++
			s.appLogin(home, fmt.Sprint("nobody", name), "wrong").want(t, 400, "invalid_grant")
		}
	}
	mistype(9)
	wrongLogins(t, 1, func(password string) answer { return s.appLogin(home, "alice", password) })
	s.appLogin(home, "alice", "correct horse").want(t, 200, "")
	wrongLogins(t, 1, func(password string) answer { return s.appLogin(home, "alice", password) })
	s.appLogin(home, "alice", "correct horse").want(t, 200, "") // or it would be the second in a row
	mistype(10)                                                 // ten failures before that success
	s.appLogin(home, "nobody", "wrong").throttled(t, 30)
	s.wantLimit("address")
	s.appLogin(home, "bob", "correct horse").throttled(t, 30) // who has not logged in there yet
	s.appLogin(home, "alice", "correct horse").want(t, 200, "")
	s.appLogin(stranger(1), "bob", "correct horse").want(t, 200, "")
}

// C8, C10: who has a refresh token goes on, and that says nothing about the password.
func TestARefreshGoesOnAndClearsNoFailures(t *testing.T) {
	s := startThrottle(t, "")
	refresh := s.appLogin(home, "alice", "correct horse").text(t, "refresh_token")
	renew := func(peer string) {
		t.Helper()
		a := s.from(peer, "grant_type=refresh_token&client_id=app&refresh_token="+refresh)
		a.want(t, 200, "")
		refresh = a.text(t, "refresh_token")
	}
	for _, peer := range []string{home, stranger(1)} {
		wrongLogins(t, 4, func(password string) answer { return s.appLogin(peer, "alice", password) })
		renew(peer)
		wrongLogins(t, 1, func(password string) answer { return s.appLogin(peer, "alice", password) })
		s.appLogin(peer, "alice", "correct horse").throttled(t, 30)
		renew(peer)
		s.appLogin(peer, "alice", "correct horse").throttled(t, 30)
	}
}

func TestADisabledUserNeverSucceeds(t *testing.T) {
	s := startThrottle(t, "")
	for range 5 { // a right password clears nothing, and makes no address known good
		s.appLogin(home, "carol", "correct horse").want(t, 400, "invalid_grant")
	}
	wrongLogins(t, 4, func(password string) answer { return s.appLogin(home, "carol", password) })
	s.appLogin(home, "carol", "correct horse").throttled(t, 30)
}

func TestThrottleOff(t *testing.T) {
	s := startThrottle(t, "throttle off")
	wrongLogins(t, 60, func(password string) answer { return s.appLogin(home, "alice", password) })
	for range 20 {
		s.from(home, loginForm("client_secret", "wrong")).want(t, 400, "invalid_client")
	}
	s.appLogin(home, "alice", "correct horse").want(t, 200, "")
	s.from(home, loginForm()).want(t, 200, "")
}

// C16
func TestTheLogSaysThatAndWhySomebodyIsThrottled(t *testing.T) {
	s := startThrottle(t, "throttle {\nfailures 1\n}")
	before := len(s.rawLog())
	const secret = "hunter2-in-clear"
	s.portalLogin("nobody-"+secret, secret, "192.0.2.7").want(t, 400, "invalid_grant")
	s.portalLogin("nobody-"+secret, secret, "192.0.2.7").throttled(t, 30)
	line := s.lastRefusal()
	for field, value := range map[string]any{
		"level": "info", "reason": "throttled", "limit": "pair", "status": 429.0, "oauth_error": "temporarily_unavailable",
		"client_ip": backEnd, "end_user_ip": "192.0.2.7", "client_id": "portal", "grant_type": "password",
		"username": nil, "user_id": nil, "remedy": nil,
	} {
		if line[field] != value {
			t.Errorf("%s is %v, want %v", field, line[field], value)
		}
	}
	s.appLogin(home, "alice", secret).want(t, 400, "invalid_grant")
	s.appLogin(home, "alice", secret).throttled(t, 30)
	if line := s.lastRefusal(); line["user_id"] != "alice" || line["client_ip"] != home {
		t.Errorf("a user who exists: %v", line)
	}
	for _, text := range []string{secret, "nobody-", "portal-secret"} {
		if log := s.rawLog()[before:]; strings.Contains(log, text) {
			t.Errorf("%s is in the log: %s", text, log)
		}
	}
}
