package throttle

import (
	"fmt"
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
)

// The first requirement: an attacker of an account must not lock its owner out.

// C5
func TestTheOwnerGetsInAtHomeWhileOthersBurnEverything(t *testing.T) {
	s := harness.StartThrottle(t, "throttle {\nfailures 2\naccount_ceiling 6\n}")
	s.AppLogin(harness.HomeAddress, "alice", "correct horse").Want(t, 200, "")

	for n := range 3 { // each stranger burns the pair, all of them together the account
		harness.WrongLogins(t, 2, func(password string) harness.Answer { return s.AppLogin(harness.StrangerAddress(n), "alice", password) })
	}
	for n := range 10 {
		s.AppLogin(harness.StrangerAddress(n), "alice", "wrong").Throttled(t, 3600)
		s.WantLimit("account")
		s.AppLogin(harness.StrangerAddress(n), "alice", "correct horse").Throttled(t, 3600) // nor is the right password taken
	}
	s.AppLogin(harness.StrangerAddress(20), "bob", "wrong").Want(t, 400, "invalid_grant") // another account
	harness.WrongLogins(t, 1, func(password string) harness.Answer { return s.AppLogin(harness.HomeAddress, "alice", password) })
	s.AppLogin(harness.HomeAddress, "alice", "correct horse").Want(t, 200, "")

	// that success ends the ceiling, and nothing else
	s.AppLogin(harness.StrangerAddress(0), "alice", "wrong").Throttled(t, 30)
	s.WantLimit("pair")
	s.AppLogin(harness.StrangerAddress(30), "alice", "wrong").Want(t, 400, "invalid_grant")
}

func TestTheOwnerGetsInAtAnAddressThatOthersBurn(t *testing.T) {
	s := harness.StartThrottle(t, "throttle {\nfailures 1\n}") // an address has 10
	s.AppLogin(harness.HomeAddress, "alice", "correct horse").Want(t, 200, "")
	for n := range 10 {
		s.AppLogin(harness.HomeAddress, fmt.Sprint("nobody", n), "wrong").Want(t, 400, "invalid_grant")
	}
	s.AppLogin(harness.HomeAddress, "bob", "correct horse").Throttled(t, 30)
	s.WantLimit("address")
	for range 3 {
		s.AppLogin(harness.HomeAddress, "alice", "correct horse").Want(t, 200, "")
	}
	s.AppLogin(harness.HomeAddress, "alice", harness.WrongPassword()).Throttled(t, 30) // as a stranger there
	s.WantLimit("address")
	s.AppLogin(harness.HomeAddress, "alice", "correct horse").Throttled(t, 30) // this budget is bounded, too
	s.WantLimit("pair")
}

// The ceiling holds for an attacker at a known address as well, so that such an address
// is not worth more than another.
func TestAKnownAddressHasACeilingOfItsOwn(t *testing.T) {
	t.Parallel()
	s := harness.ApartWith(t, harness.ThrottleOptions, harness.ThrottleConfig(t, "throttle {\nfailures 2\naccount_ceiling 4\ndelay 1s 1s\n}"))
	s.AppLogin(harness.HomeAddress, "alice", "correct horse").Want(t, 200, "")
	harness.WrongLogins(t, 2, func(password string) harness.Answer { return s.AppLogin(harness.HomeAddress, "alice", password) })
	for range 2 {
		harness.Eventually(t, "the wait is over", func() bool { return s.AppLogin(harness.HomeAddress, "alice", harness.WrongPassword()).Status == 400 })
	}
	// it is a stranger's now: what it fails counts for the account
	harness.Eventually(t, "the wait is over", func() bool { return s.AppLogin(harness.HomeAddress, "alice", harness.WrongPassword()).Status == 400 })
	harness.WrongLogins(t, 2, func(password string) harness.Answer { return s.AppLogin(harness.StrangerAddress(1), "alice", password) })
	harness.Eventually(t, "a fourth failure is counted for the account", func() bool { return s.AppLogin(harness.StrangerAddress(2), "alice", "wrong").Status == 400 })
	s.AppLogin(harness.StrangerAddress(3), "alice", "wrong").Throttled(t, 1)
	s.WantLimit("account")
	harness.Eventually(t, "the owner gets in again", func() bool { return s.AppLogin(harness.HomeAddress, "alice", "correct horse").Status == 200 })
}

// C5: NIST's ceiling, 100 failures in a row from wherever.
func TestAnAccountHasAHundredFailuresFromAllStrangers(t *testing.T) {
	s := harness.StartThrottle(t, "")
	for n := range 20 {
		harness.WrongLogins(t, 5, func(password string) harness.Answer { return s.AppLogin(harness.StrangerAddress(n), "alice", password) })
	}
	s.AppLogin(harness.StrangerAddress(99), "alice", "correct horse").Throttled(t, 3600)
	s.WantLimit("account")
	s.AppLogin(harness.StrangerAddress(99), "bob", "correct horse").Want(t, 200, "")
}
