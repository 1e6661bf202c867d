package throttle

import (
	"fmt"
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
)

// A host of IPv6 has a /64, and a subscriber often a /48.

func TestAnIPv6NetworkIsOneSource(t *testing.T) {
	s := harness.StartThrottle(t, "")
	for n := range 5 {
		s.AppLogin(fmt.Sprintf("2001:db8:0:1::%x", n+1), "alice", harness.WrongPassword()).Want(t, 400, "invalid_grant")
	}
	s.AppLogin("2001:db8:0:1:ffff::1", "alice", "wrong").Throttled(t, 30)
	s.WantLimit("pair")
	s.AppLogin("2001:db8:0:2::1", "alice", "wrong").Want(t, 400, "invalid_grant")
	s.AppLogin("2001:db8:0:2::1", "alice", "correct horse").Want(t, 200, "")
	harness.WrongLogins(t, 5, func(password string) harness.Answer { return s.AppLogin("2001:db8:0:2::2", "alice", password) })
	s.AppLogin("2001:db8:0:2::1", "alice", "correct horse").Throttled(t, 30) // known good is the whole network
}

func TestAnIPv6SubscriberHasAHundredTimesTheFailures(t *testing.T) {
	s := harness.StartThrottle(t, "throttle {\nfailures 1\naccount_ceiling 1000\n}")
	for n := range 100 { // each in a /64 of its own, with a name of its own
		s.AppLogin(fmt.Sprintf("2001:db8:0:%x::1", n), fmt.Sprint("nobody", n), "wrong").Want(t, 400, "invalid_grant")
	}
	s.AppLogin("2001:db8:0:ffff::1", "alice", "correct horse").Throttled(t, 30)
	s.WantLimit("network")
	s.AppLogin("2001:db8:1::1", "alice", "correct horse").Want(t, 200, "")
	s.AppLogin(harness.HomeAddress, "alice", "correct horse").Want(t, 200, "")
}

func TestTheNetworksCanBeSet(t *testing.T) {
	s := harness.StartThrottle(t, "throttle {\nfailures 2\nipv4_prefix 24\nipv6_prefix 56\n}")
	for _, test := range []struct{ one, other, same, another string }{
		{"192.0.2.1", "192.0.2.200", "192.0.2.255", "192.0.3.1"},
		{"2001:db8:0:100::1", "2001:db8:0:101::1", "2001:db8:0:1ff:1::1", "2001:db8:0:200::1"},
	} {
		for _, peer := range []string{test.one, test.other} {
			s.AppLogin(peer, "alice", harness.WrongPassword()).Want(t, 400, "invalid_grant")
		}
		s.AppLogin(test.same, "alice", "wrong").Throttled(t, 30)
		s.AppLogin(test.another, "alice", "wrong").Want(t, 400, "invalid_grant")
	}
}
