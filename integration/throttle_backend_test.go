package integration

import (
	"fmt"
	"testing"
)

// A back end has authenticated, and all its users have its address.

func TestTheUsersOfOneBackEndDoNotStopEachOther(t *testing.T) {
	s := startThrottle(t, "throttle {\nfailures 2\n}") // an address has 20
	web := func(username, password string) answer {
		return s.from(backEnd, loginForm("username", username, "password", password))
	}
	for n := range 50 { // more than an address may
		web(fmt.Sprint("mistyped", n), "wrong").want(t, 400, "invalid_grant")
	}
	wrongLogins(t, 2, func(password string) answer { return web("bob", password) })
	web("bob", "correct horse").throttled(t, 30)
	s.wantLimit("pair")
	web("alice", "wrong").want(t, 400, "invalid_grant")
	web("alice", "correct horse").want(t, 200, "")
	s.from(backEnd, loginForm("client_id", "mobile", "client_secret", "mobile-secret", "username", "bob")).want(t, 200, "")
	// nor were the failures counted for the address of the back end
	s.appLogin(backEnd, "nobody", "wrong").want(t, 400, "invalid_grant")
	// and which address the back end has at the moment makes no difference
	s.from(stranger(1), loginForm("username", "bob")).throttled(t, 30)
}

// Without addresses of its users the app is one source: who tries a password in its login
// form delays the owner there, which end_user_ip is for, but nowhere else.
func TestAnAttackerInTheLoginFormOfAnAppDelaysTheOwnerThereOnly(t *testing.T) {
	s := startThrottle(t, "throttle {\nfailures 2\naccount_ceiling 6\n}")
	web := func(password string) answer { return s.from(backEnd, loginForm("password", password)) }
	web("correct horse").want(t, 200, "")
	s.appLogin(home, "alice", "correct horse").want(t, 200, "")
	wrongLogins(t, 2, web)
	web("correct horse").throttled(t, 30)
	s.wantLimit("pair")
	s.from(backEnd, loginForm("client_id", "mobile", "client_secret", "mobile-secret")).want(t, 200, "")
	s.appLogin(home, "alice", "correct horse").want(t, 200, "")
}

func TestAnAttackerInTheLoginFormOfAnAppThatNamesAddressesDelaysNobody(t *testing.T) {
	s := startThrottle(t, "throttle {\nfailures 2\naccount_ceiling 6\n}")
	s.portalLogin("alice", "correct horse", home).want(t, 200, "")
	for n := range 3 {
		wrongLogins(t, 2, func(password string) answer { return s.portalLogin("alice", password, stranger(n)) })
	}
	s.portalLogin("alice", "wrong", stranger(0)).throttled(t, 3600)
	s.portalLogin("alice", "correct horse", stranger(99)).throttled(t, 3600)
	s.wantLimit("account")
	s.portalLogin("alice", "correct horse", home).want(t, 200, "")
	s.portalLogin("bob", "correct horse", stranger(0)).want(t, 200, "")
}

// The address that a back end names is the address of whoever has it, however he comes.
func TestANamedAddressIsCountedLikeThePeersAddress(t *testing.T) {
	s := startThrottle(t, "throttle {\nfailures 2\n}")
	wrongLogins(t, 1, func(password string) answer { return s.portalLogin("alice", password, stranger(1)) })
	wrongLogins(t, 1, func(password string) answer { return s.appLogin(stranger(1), "alice", password) })
	s.appLogin(stranger(1), "alice", "wrong").throttled(t, 30)
	for _, spelling := range []string{stranger(1), " " + stranger(1) + "\t", "::ffff:" + stranger(1), "::FFFF:c000:0201"} {
		s.portalLogin("alice", "wrong", spelling).throttled(t, 30)
	}
	// and many names from it are too many (20), by whichever way
	for n := range 9 {
		s.portalLogin(fmt.Sprint("nobody", n), "wrong", stranger(1)).want(t, 400, "invalid_grant")
		s.appLogin(stranger(1), fmt.Sprint("somebody", n), "wrong").want(t, 400, "invalid_grant")
	}
	s.portalLogin("bob", "wrong", stranger(1)).throttled(t, 30)
	s.wantLimit("address")
	s.portalLogin("bob", "correct horse", stranger(2)).want(t, 200, "")

	for n := range 2 {
		s.portalLogin("alice", wrong(), fmt.Sprintf("2001:db8::%d1", n)).want(t, 400, "invalid_grant")
	}
	s.portalLogin("alice", "wrong", "2001:db8::ffff").throttled(t, 30)
	s.portalLogin("alice", "wrong", "2001:db8:0:1::1").want(t, 400, "invalid_grant")
}

// Else whoever tries passwords would have another address for each.
func TestOnlyAClientThatMayAndHasAuthenticatedNamesAnAddress(t *testing.T) {
	header := func(n int) string { return "X-End-User-IP: " + fmt.Sprintf("198.51.100.%d", n) }
	for _, test := range []struct {
		name, peer string
		form       func(password string) string
	}{
		{"a public client", stranger(1), func(password string) string { return appForm("alice", password) }},
		{"a client without end_user_ip", backEnd, func(password string) string { return loginForm("password", password) }},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := startThrottle(t, "")
			for n := range 5 {
				s.from(test.peer, test.form(fmt.Sprint("wrong", n)), header(n)).want(t, 400, "invalid_grant")
			}
			for n := range 10 {
				s.from(test.peer, test.form("wrong"), header(n)).throttled(t, 30)
			}
			s.appLogin("198.51.100.3", "alice", "correct horse").want(t, 200, "")
		})
	}
	t.Run("a client with end_user_ip and a wrong secret", func(t *testing.T) {
		s := startThrottle(t, "")
		form := func() string { return loginForm("client_id", "portal", "client_secret", wrong()) }
		for n := range 5 {
			s.from(stranger(1), form(), header(n)).want(t, 400, "invalid_client")
			if line := s.lastRefusal(); line["end_user_ip"] != nil {
				t.Errorf("it is in the log: %v", line)
			}
		}
		for n := range 10 {
			s.from(stranger(1), form(), header(n)).throttled(t, 30)
		}
	})
	t.Run("one without a secret", func(t *testing.T) {
		s := startThrottle(t, "")
		s.from(stranger(1), loginForm("client_id", "portal", "client_secret", ""), header(1)).want(t, 400, "invalid_client")
		if line := s.lastRefusal(); line["end_user_ip"] != nil {
			t.Errorf("it is in the log: %v", line)
		}
	})
}

// Such a login counts for the client, like that of a client which names none.
func TestAnAddressThatIsNoneIsNotBelieved(t *testing.T) {
	for name, values := range map[string][]string{
		"none":                  nil,
		"an empty one":          {""},
		"a word":                {"unknown"},
		"a list":                {"192.0.2.1, 192.0.2.2"},
		"two headers":           {"192.0.2.1", "192.0.2.2"},
		"the same twice":        {"192.0.2.1", "192.0.2.1"},
		"an address with port":  {"192.0.2.1:1234"},
		"one in brackets":       {"[2001:db8::1]"},
		"a network":             {"192.0.2.0/24"},
		"leading zeros":         {"192.0.2.001"},
		"a number":              {"3221225985"},
		"quoted":                {`"192.0.2.1"`},
		"a name":                {"localhost"},
		"a very long one":       {"192.0.2.1" + fmt.Sprintf("%4000s", "x")},
		"an address and a word": {"192.0.2.1 x"},
	} {
		t.Run(name, func(t *testing.T) {
			s := startThrottle(t, "throttle {\nfailures 2\n}")
			wrongLogins(t, 1, func(password string) answer { return s.portalLogin("alice", password, values...) })
			wrongLogins(t, 1, func(password string) answer { return s.portalLogin("alice", password) })
			s.portalLogin("alice", "wrong", values...).throttled(t, 30)
			if line := s.lastRefusal(); line["end_user_ip"] != nil {
				t.Errorf("it is in the log: %v", line)
			}
			s.portalLogin("alice", "correct horse", home).want(t, 200, "")
		})
	}
}

// B17
func TestGuessesOfAClientSecretAreThrottled(t *testing.T) {
	for _, path := range []string{"/token", "/token/revoke", "/token/introspect"} {
		t.Run(path, func(t *testing.T) {
			s := startThrottle(t, "")
			for n := range 5 {
				a := s.fromTo(stranger(1), path, loginForm("client_secret", fmt.Sprint("wrong", n), "token", "x"))
				a.want(t, 400, "invalid_client")
			}
			s.from(stranger(1), loginForm("client_secret", "wrong")).throttled(t, 30)
			s.wantLimit("pair")
			s.from(stranger(1), userForm(), basic("web", "web-secret")).throttled(t, 30)
			s.fromTo(stranger(1), "/token/revoke", loginForm("token", "x")).throttled(t, 30)
			s.fromTo(stranger(1), "/token/introspect", loginForm("token", "x")).throttled(t, 30)
			s.from(stranger(1), loginForm("client_id", "mobile", "client_secret", "mobile-secret")).want(t, 200, "")
			s.from(backEnd, loginForm()).want(t, 200, "")
			s.appLogin(stranger(1), "alice", "correct horse").want(t, 200, "")
		})
	}
}

// B17: a client has no ceiling, or a stranger could close it for all its users.
func TestGuessesOfAClientSecretDoNotCloseTheClient(t *testing.T) {
	s := startThrottle(t, "throttle {\nfailures 2\naccount_ceiling 3\n}")
	for n := range 20 {
		for range 2 {
			s.from(stranger(n), loginForm("client_secret", wrong())).want(t, 400, "invalid_client")
		}
		s.from(stranger(n), loginForm()).throttled(t, 30)
	}
	s.from(backEnd, loginForm()).want(t, 200, "")
	s.from(stranger(30), loginForm()).want(t, 200, "")
	// where it has authenticated, nor does a burnt address
	for n := range 20 {
		s.from(backEnd, loginForm("client_id", fmt.Sprint("nobody", n), "client_secret", "wrong")).want(t, 400, "invalid_client")
	}
	s.from(backEnd, loginForm("client_id", "mobile", "client_secret", "mobile-secret")).throttled(t, 30)
	s.wantLimit("address")
	s.from(backEnd, loginForm()).want(t, 200, "")
}

// B9, C9: a public client that sends a secret is as good as an unknown one.
func TestAllClientsAreThrottledAlike(t *testing.T) {
	s := startThrottle(t, "")
	play := func(peer, id string) (answers []string) {
		for range 5 {
			a := s.from(peer, loginForm("client_id", id, "client_secret", wrong()))
			a.want(t, 400, "invalid_client")
			answers = append(answers, a.comparable())
		}
		a := s.from(peer, loginForm("client_id", id, "client_secret", "wrong"))
		a.throttled(t, 30)
		return append(answers, a.comparable())
	}
	known := play(stranger(1), "web")
	for i, id := range []string{"nobody", "app", "portal"} {
		other := play(stranger(2+i), id)
		for n := range known {
			if other[n] != known[n] {
				t.Errorf("try %d of client %q:\n%s\nof a known one:\n%s", n+1, id, other[n], known[n])
			}
		}
	}
}

// A user and a client of one name are two.
func TestAClientAndAUserOfOneNameAreNotOne(t *testing.T) {
	s := startThrottle(t, "")
	wrongLogins(t, 5, func(password string) answer { return s.appLogin(backEnd, "web", password) })
	s.appLogin(backEnd, "web", "wrong").throttled(t, 30)
	s.from(backEnd, loginForm()).want(t, 200, "")
	for range 5 {
		s.from(home, loginForm("client_id", "alice", "client_secret", wrong())).want(t, 400, "invalid_client")
	}
	s.appLogin(home, "alice", "correct horse").want(t, 200, "")
}
