// Package throttle tests what holds password guessing back, and the checks of passwords
// that it saves.
package throttle

import (
	"fmt"
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
)

// A back end has authenticated, and all its users have its address.

func TestTheUsersOfOneBackEndDoNotStopEachOther(t *testing.T) {
	s := harness.StartThrottle(t, "throttle {\nfailures 2\n}") // an address has 20
	web := func(username, password string) harness.Answer {
		return s.From(harness.BackEndAddress, harness.LoginForm("username", username, "password", password))
	}
	for n := range 50 { // more than an address may
		web(fmt.Sprint("mistyped", n), "wrong").Want(t, 400, "invalid_grant")
	}
	harness.WrongLogins(t, 2, func(password string) harness.Answer { return web("bob", password) })
	web("bob", "correct horse").Throttled(t, 30)
	s.WantLimit("pair")
	web("alice", "wrong").Want(t, 400, "invalid_grant")
	web("alice", "correct horse").Want(t, 200, "")
	s.From(harness.BackEndAddress, harness.LoginForm("client_id", "mobile", "client_secret", "mobile-secret", "username", "bob")).Want(t, 200, "")
	// nor were the failures counted for the address of the back end
	s.AppLogin(harness.BackEndAddress, "nobody", "wrong").Want(t, 400, "invalid_grant")
	// and which address the back end has at the moment makes no difference
	s.From(harness.StrangerAddress(1), harness.LoginForm("username", "bob")).Throttled(t, 30)
}

// Without addresses of its users the app is one source: an attacker who tries a
// password in its login form delays the owner there, which end_user_ip is for, but
// nowhere else.
func TestAnAttackerInTheLoginFormOfAnAppDelaysTheOwnerThereOnly(t *testing.T) {
	s := harness.StartThrottle(t, "throttle {\nfailures 2\naccount_ceiling 6\n}")
	web := func(password string) harness.Answer {
		return s.From(harness.BackEndAddress, harness.LoginForm("password", password))
	}
	web("correct horse").Want(t, 200, "")
	s.AppLogin(harness.HomeAddress, "alice", "correct horse").Want(t, 200, "")
	harness.WrongLogins(t, 2, web)
	web("correct horse").Throttled(t, 30)
	s.WantLimit("pair")
	s.From(harness.BackEndAddress, harness.LoginForm("client_id", "mobile", "client_secret", "mobile-secret")).Want(t, 200, "")
	s.AppLogin(harness.HomeAddress, "alice", "correct horse").Want(t, 200, "")
}

func TestAnAttackerInTheLoginFormOfAnAppThatNamesAddressesDelaysNoUser(t *testing.T) {
	s := harness.StartThrottle(t, "throttle {\nfailures 2\naccount_ceiling 6\n}")
	portalLogin(s, "alice", "correct horse", harness.HomeAddress).Want(t, 200, "")
	for n := range 3 {
		harness.WrongLogins(t, 2, func(password string) harness.Answer {
			return portalLogin(s, "alice", password, harness.StrangerAddress(n))
		})
	}
	portalLogin(s, "alice", "wrong", harness.StrangerAddress(0)).Throttled(t, 3600)
	portalLogin(s, "alice", "correct horse", harness.StrangerAddress(99)).Throttled(t, 3600)
	s.WantLimit("account")
	portalLogin(s, "alice", "correct horse", harness.HomeAddress).Want(t, 200, "")
	portalLogin(s, "bob", "correct horse", harness.StrangerAddress(0)).Want(t, 200, "")
}

// The address that a back end names is the address of the user who has it, by whatever
// way they come.
func TestANamedAddressIsCountedLikeThePeersAddress(t *testing.T) {
	s := harness.StartThrottle(t, "throttle {\nfailures 2\n}")
	harness.WrongLogins(t, 1, func(password string) harness.Answer {
		return portalLogin(s, "alice", password, harness.StrangerAddress(1))
	})
	harness.WrongLogins(t, 1, func(password string) harness.Answer { return s.AppLogin(harness.StrangerAddress(1), "alice", password) })
	s.AppLogin(harness.StrangerAddress(1), "alice", "wrong").Throttled(t, 30)
	for _, spelling := range []string{harness.StrangerAddress(1), " " + harness.StrangerAddress(1) + "\t", "::ffff:" + harness.StrangerAddress(1), "::FFFF:c000:0201"} {
		portalLogin(s, "alice", "wrong", spelling).Throttled(t, 30)
	}
	// and many names from it are too many (20), by whichever way
	for n := range 9 {
		portalLogin(s, fmt.Sprint("nobody", n), "wrong", harness.StrangerAddress(1)).Want(t, 400, "invalid_grant")
		s.AppLogin(harness.StrangerAddress(1), fmt.Sprint("somebody", n), "wrong").Want(t, 400, "invalid_grant")
	}
	portalLogin(s, "bob", "wrong", harness.StrangerAddress(1)).Throttled(t, 30)
	s.WantLimit("address")
	portalLogin(s, "bob", "correct horse", harness.StrangerAddress(2)).Want(t, 200, "")

	for n := range 2 {
		portalLogin(s, "alice", harness.WrongPassword(), fmt.Sprintf("2001:db8::%d1", n)).Want(t, 400, "invalid_grant")
	}
	portalLogin(s, "alice", "wrong", "2001:db8::ffff").Throttled(t, 30)
	portalLogin(s, "alice", "wrong", "2001:db8:0:1::1").Want(t, 400, "invalid_grant")
}

// Otherwise an attacker would have another address for each password.
func TestOnlyAClientThatMayAndHasAuthenticatedNamesAnAddress(t *testing.T) {
	header := func(n int) string { return "X-End-User-IP: " + fmt.Sprintf("198.51.100.%d", n) }
	for _, test := range []struct {
		name, peer string
		form       func(password string) string
	}{
		{"a public client", harness.StrangerAddress(1), func(password string) string { return harness.AppForm("alice", password) }},
		{"a client without end_user_ip", harness.BackEndAddress, func(password string) string { return harness.LoginForm("password", password) }},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := harness.StartThrottle(t, "")
			for n := range 5 {
				s.From(test.peer, test.form(fmt.Sprint("wrong", n)), header(n)).Want(t, 400, "invalid_grant")
			}
			for n := range 10 {
				s.From(test.peer, test.form("wrong"), header(n)).Throttled(t, 30)
			}
			s.AppLogin("198.51.100.3", "alice", "correct horse").Want(t, 200, "")
		})
	}
	t.Run("a client with end_user_ip and a wrong secret", func(t *testing.T) {
		s := harness.StartThrottle(t, "")
		form := func() string {
			return harness.LoginForm("client_id", "portal", "client_secret", harness.WrongPassword())
		}
		for n := range 5 {
			s.From(harness.StrangerAddress(1), form(), header(n)).Want(t, 400, "invalid_client")
			if line := s.LastRefusal(); line["end_user_ip"] != nil {
				t.Errorf("it is in the log: %v", line)
			}
		}
		for n := range 10 {
			s.From(harness.StrangerAddress(1), form(), header(n)).Throttled(t, 30)
		}
	})
	t.Run("one without a secret", func(t *testing.T) {
		s := harness.StartThrottle(t, "")
		s.From(harness.StrangerAddress(1), harness.LoginForm("client_id", "portal", "client_secret", ""), header(1)).Want(t, 400, "invalid_client")
		if line := s.LastRefusal(); line["end_user_ip"] != nil {
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
			s := harness.StartThrottle(t, "throttle {\nfailures 2\n}")
			harness.WrongLogins(t, 1, func(password string) harness.Answer { return portalLogin(s, "alice", password, values...) })
			harness.WrongLogins(t, 1, func(password string) harness.Answer { return portalLogin(s, "alice", password) })
			portalLogin(s, "alice", "wrong", values...).Throttled(t, 30)
			if line := s.LastRefusal(); line["end_user_ip"] != nil {
				t.Errorf("it is in the log: %v", line)
			}
			portalLogin(s, "alice", "correct horse", harness.HomeAddress).Want(t, 200, "")
		})
	}
}

// B17
func TestGuessesOfAClientSecretAreThrottled(t *testing.T) {
	for _, path := range []string{"/token", "/token/revoke", "/token/introspect"} {
		t.Run(path, func(t *testing.T) {
			s := harness.StartThrottle(t, "")
			for n := range 5 {
				a := s.FromTo(harness.StrangerAddress(1), path, harness.LoginForm("client_secret", fmt.Sprint("wrong", n), "token", "x"))
				a.Want(t, 400, "invalid_client")
			}
			s.From(harness.StrangerAddress(1), harness.LoginForm("client_secret", "wrong")).Throttled(t, 30)
			s.WantLimit("pair")
			s.From(harness.StrangerAddress(1), harness.UserForm(), harness.Basic("web", "web-secret")).Throttled(t, 30)
			s.FromTo(harness.StrangerAddress(1), "/token/revoke", harness.LoginForm("token", "x")).Throttled(t, 30)
			s.FromTo(harness.StrangerAddress(1), "/token/introspect", harness.LoginForm("token", "x")).Throttled(t, 30)
			s.From(harness.StrangerAddress(1), harness.LoginForm("client_id", "mobile", "client_secret", "mobile-secret")).Want(t, 200, "")
			s.From(harness.BackEndAddress, harness.LoginForm()).Want(t, 200, "")
			s.AppLogin(harness.StrangerAddress(1), "alice", "correct horse").Want(t, 200, "")
		})
	}
}

// B17: a client has no ceiling, or a stranger could close it for all its users.
func TestGuessesOfAClientSecretDoNotCloseTheClient(t *testing.T) {
	s := harness.StartThrottle(t, "throttle {\nfailures 2\naccount_ceiling 3\n}")
	for n := range 20 {
		for range 2 {
			s.From(harness.StrangerAddress(n), harness.LoginForm("client_secret", harness.WrongPassword())).Want(t, 400, "invalid_client")
		}
		s.From(harness.StrangerAddress(n), harness.LoginForm()).Throttled(t, 30)
	}
	s.From(harness.BackEndAddress, harness.LoginForm()).Want(t, 200, "")
	s.From(harness.StrangerAddress(30), harness.LoginForm()).Want(t, 200, "")
	// where it has authenticated, nor does a burnt address
	for n := range 20 {
		s.From(harness.BackEndAddress, harness.LoginForm("client_id", fmt.Sprint("nobody", n), "client_secret", "wrong")).Want(t, 400, "invalid_client")
	}
	s.From(harness.BackEndAddress, harness.LoginForm("client_id", "mobile", "client_secret", "mobile-secret")).Throttled(t, 30)
	s.WantLimit("address")
	s.From(harness.BackEndAddress, harness.LoginForm()).Want(t, 200, "")
}

// B9, C9: a public client that sends a secret is as good as an unknown one.
func TestAllClientsAreThrottledAlike(t *testing.T) {
	s := harness.StartThrottle(t, "")
	play := func(peer, id string) (answers []string) {
		for range 5 {
			a := s.From(peer, harness.LoginForm("client_id", id, "client_secret", harness.WrongPassword()))
			a.Want(t, 400, "invalid_client")
			answers = append(answers, a.Comparable())
		}
		a := s.From(peer, harness.LoginForm("client_id", id, "client_secret", "wrong"))
		a.Throttled(t, 30)
		return append(answers, a.Comparable())
	}
	known := play(harness.StrangerAddress(1), "web")
	for i, id := range []string{"nobody", "app", "portal"} {
		other := play(harness.StrangerAddress(2+i), id)
		for n := range known {
			if other[n] != known[n] {
				t.Errorf("try %d of client %q:\n%s\nof a known one:\n%s", n+1, id, other[n], known[n])
			}
		}
	}
}

// A user and a client of one name are two.
func TestAClientAndAUserOfOneNameAreNotOne(t *testing.T) {
	s := harness.StartThrottle(t, "")
	harness.WrongLogins(t, 5, func(password string) harness.Answer { return s.AppLogin(harness.BackEndAddress, "web", password) })
	s.AppLogin(harness.BackEndAddress, "web", "wrong").Throttled(t, 30)
	s.From(harness.BackEndAddress, harness.LoginForm()).Want(t, 200, "")
	for range 5 {
		s.From(harness.HomeAddress, harness.LoginForm("client_id", "alice", "client_secret", harness.WrongPassword())).Want(t, 400, "invalid_client")
	}
	s.AppLogin(harness.HomeAddress, "alice", "correct horse").Want(t, 200, "")
}
