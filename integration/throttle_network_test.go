package integration

import (
	"fmt"
	"testing"
)

// A host of IPv6 has a /64, and a subscriber often a /48.

func TestAnIPv6NetworkIsOneSource(t *testing.T) {
	s := startThrottle(t, "")
	for n := range 5 {
		s.appLogin(fmt.Sprintf("2001:db8:0:1::%x", n+1), "alice", wrong()).want(t, 400, "invalid_grant")
	}
	s.appLogin("2001:db8:0:1:ffff::1", "alice", "wrong").throttled(t, 30)
	s.wantLimit("pair")
	s.appLogin("2001:db8:0:2::1", "alice", "wrong").want(t, 400, "invalid_grant")
	s.appLogin("2001:db8:0:2::1", "alice", "correct horse").want(t, 200, "")
	wrongLogins(t, 5, func(password string) answer { return s.appLogin("2001:db8:0:2::2", "alice", password) })
	s.appLogin("2001:db8:0:2::1", "alice", "correct horse").throttled(t, 30) // known good is the whole network
}

func TestAnIPv6SubscriberHasAHundredTimesTheFailures(t *testing.T) {
	s := startThrottle(t, "throttle {\nfailures 1\naccount_ceiling 1000\n}")
	for n := range 100 { // each in a /64 of its own, with a name of its own
		s.appLogin(fmt.Sprintf("2001:db8:0:%x::1", n), fmt.Sprint("nobody", n), "wrong").want(t, 400, "invalid_grant")
	}
	s.appLogin("2001:db8:0:ffff::1", "alice", "correct horse").throttled(t, 30)
	s.wantLimit("network")
	s.appLogin("2001:db8:1::1", "alice", "correct horse").want(t, 200, "")
	s.appLogin(home, "alice", "correct horse").want(t, 200, "")
}

func TestTheNetworksCanBeSet(t *testing.T) {
	s := startThrottle(t, "throttle {\nfailures 2\nipv4_prefix 24\nipv6_prefix 56\n}")
	for _, test := range []struct{ one, other, same, another string }{
		{"192.0.2.1", "192.0.2.200", "192.0.2.255", "192.0.3.1"},
		{"2001:db8:0:100::1", "2001:db8:0:101::1", "2001:db8:0:1ff:1::1", "2001:db8:0:200::1"},
	} {
		for _, peer := range []string{test.one, test.other} {
			s.appLogin(peer, "alice", wrong()).want(t, 400, "invalid_grant")
		}
		s.appLogin(test.same, "alice", "wrong").throttled(t, 30)
		s.appLogin(test.another, "alice", "wrong").want(t, 400, "invalid_grant")
	}
}
