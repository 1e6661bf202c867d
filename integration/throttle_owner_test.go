package integration

import (
	"fmt"
	"testing"
)

// The first demand of all: whoever attacks an account must not lock its owner out.

// C5
func TestTheOwnerGetsInAtHomeWhileOthersBurnEverything(t *testing.T) {
	s := startThrottle(t, "throttle {\nfailures 2\naccount_ceiling 6\n}")
	s.appLogin(home, "alice", "correct horse").want(t, 200, "")

	for n := range 3 { // each stranger burns the pair, all of them together the account
		wrongLogins(t, 2, func(password string) answer { return s.appLogin(stranger(n), "alice", password) })
	}
	for n := range 10 {
		s.appLogin(stranger(n), "alice", "wrong").throttled(t, 3600)
		s.wantLimit("account")
		s.appLogin(stranger(n), "alice", "correct horse").throttled(t, 3600) // nor is the right password taken
	}
	s.appLogin(stranger(20), "bob", "wrong").want(t, 400, "invalid_grant") // another account
	wrongLogins(t, 1, func(password string) answer { return s.appLogin(home, "alice", password) })
	s.appLogin(home, "alice", "correct horse").want(t, 200, "")

	// that success ends the ceiling, and nothing else
	s.appLogin(stranger(0), "alice", "wrong").throttled(t, 30)
	s.wantLimit("pair")
	s.appLogin(stranger(30), "alice", "wrong").want(t, 400, "invalid_grant")
}

func TestTheOwnerGetsInAtAnAddressThatOthersBurn(t *testing.T) {
	s := startThrottle(t, "throttle {\nfailures 1\n}") // an address has 10
	s.appLogin(home, "alice", "correct horse").want(t, 200, "")
	for n := range 10 {
		s.appLogin(home, fmt.Sprint("nobody", n), "wrong").want(t, 400, "invalid_grant")
	}
	s.appLogin(home, "bob", "correct horse").throttled(t, 30)
	s.wantLimit("address")
	for range 3 {
		s.appLogin(home, "alice", "correct horse").want(t, 200, "")
	}
	s.appLogin(home, "alice", wrong()).throttled(t, 30) // as a stranger there
	s.wantLimit("address")
	s.appLogin(home, "alice", "correct horse").throttled(t, 30) // this budget is bounded, too
	s.wantLimit("pair")
}

// The ceiling holds for whoever sits at a known address as well, so that such an address is
// not worth more than another.
func TestAKnownAddressHasACeilingOfItsOwn(t *testing.T) {
	s := startThrottle(t, "throttle {\nfailures 2\naccount_ceiling 4\ndelay 1s 1s\n}")
	s.appLogin(home, "alice", "correct horse").want(t, 200, "")
	wrongLogins(t, 2, func(password string) answer { return s.appLogin(home, "alice", password) })
	for range 2 {
		eventually(t, "the wait is over", func() bool { return s.appLogin(home, "alice", wrong()).status == 400 })
	}
	// it is a stranger's now: what it fails counts for the account
	eventually(t, "the wait is over", func() bool { return s.appLogin(home, "alice", wrong()).status == 400 })
	wrongLogins(t, 2, func(password string) answer { return s.appLogin(stranger(1), "alice", password) })
	eventually(t, "a fourth failure is counted for the account", func() bool { return s.appLogin(stranger(2), "alice", "wrong").status == 400 })
	s.appLogin(stranger(3), "alice", "wrong").throttled(t, 1)
	s.wantLimit("account")
	eventually(t, "the owner gets in again", func() bool { return s.appLogin(home, "alice", "correct horse").status == 200 })
}

// C5: NIST's ceiling, 100 failures in a row from wherever.
func TestAnAccountHasAHundredFailuresFromAllStrangers(t *testing.T) {
	s := startThrottle(t, "")
	for n := range 20 {
		wrongLogins(t, 5, func(password string) answer { return s.appLogin(stranger(n), "alice", password) })
	}
	s.appLogin(stranger(99), "alice", "correct horse").throttled(t, 3600)
	s.wantLimit("account")
	s.appLogin(stranger(99), "bob", "correct horse").want(t, 200, "")
}
