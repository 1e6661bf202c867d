package throttle

import (
	"fmt"
	"strconv"
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
)

// C9: where a stranger has to wait, the answer to a wrong password says nothing about
// who has logged in from there, and so nothing about who exists.

// wantAlike fails the test unless a client sees the same in two answers. What is left
// of a wait may have become a second less meanwhile.
func wantAlike(t *testing.T, got, want harness.Answer) {
	t.Helper()
	if got.Comparable() != want.Comparable() {
		t.Errorf("got\n%s\nwant\n%s", got.Comparable(), want.Comparable())
	}
	left := func(a harness.Answer) int {
		seconds, err := strconv.Atoi(a.Header.Get("Retry-After"))
		if err != nil {
			t.Error(err)
		}
		return seconds
	}
	if got, want := left(got), left(want); got > want || got < want-2 {
		t.Errorf("Retry-After is %d, a stranger's is %d", got, want)
	}
}

func TestAWrongPasswordAtAKnownSourceIsAnsweredAsAStrangersIs(t *testing.T) {
	const home6 = "2001:db8:0:1::1"
	names := func(s *harness.Site, n int, peer func(i int) string) {
		for i := range n {
			s.AppLogin(peer(i), fmt.Sprint("nobody", i), "wrong").Want(s.T, 400, "invalid_grant")
		}
	}
	at := func(peer string) func(int) string { return func(int) string { return peer } }
	for _, test := range []struct {
		name, setting, limit string
		owner                func(s *harness.Site, password string) harness.Answer
		run                  func(s *harness.Site)                                 // out
		stranger             func(s *harness.Site, password string) harness.Answer // who is told to wait
	}{
		{"the address", "failures 2", "address",
			func(s *harness.Site, password string) harness.Answer {
				return s.AppLogin(harness.HomeAddress, "alice", password)
			},
			func(s *harness.Site) { names(s, 20, at(harness.HomeAddress)) },
			func(s *harness.Site, password string) harness.Answer {
				return s.AppLogin(harness.HomeAddress, "somebody", password)
			}},
		{"the address that a client names", "failures 2", "address",
			func(s *harness.Site, password string) harness.Answer {
				return portalLogin(s, "alice", password, harness.HomeAddress)
			},
			func(s *harness.Site) { names(s, 20, at(harness.HomeAddress)) },
			func(s *harness.Site, password string) harness.Answer {
				return portalLogin(s, "bob", password, harness.HomeAddress)
			}},
		{"the /64", "failures 2", "address",
			func(s *harness.Site, password string) harness.Answer { return s.AppLogin(home6, "alice", password) },
			func(s *harness.Site) { names(s, 20, at("2001:db8:0:1::2")) },
			func(s *harness.Site, password string) harness.Answer {
				return s.AppLogin("2001:db8:0:1::3", "bob", password)
			}},
		{"the /48", "failures 2", "network",
			func(s *harness.Site, password string) harness.Answer { return s.AppLogin(home6, "alice", password) },
			func(s *harness.Site) {
				names(s, 200, func(i int) string { return fmt.Sprintf("2001:db8:0:%x::1", 100+i/10) })
			},
			func(s *harness.Site, password string) harness.Answer {
				return s.AppLogin("2001:db8:0:1::1", "bob", password)
			}},
		{"the address of a back end, for its secret", "failures 2", "address",
			func(s *harness.Site, password string) harness.Answer {
				if password == "correct horse" {
					password = "web-secret"
				}
				return s.From(harness.BackEndAddress, harness.LoginForm("client_secret", password))
			},
			func(s *harness.Site) { names(s, 20, at(harness.BackEndAddress)) },
			func(s *harness.Site, password string) harness.Answer {
				return s.From(harness.BackEndAddress, harness.LoginForm("client_id", "nobody", "client_secret", password))
			}},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := harness.StartThrottle(t, "throttle {\n"+test.setting+"\n}")
			test.owner(s, "correct horse").Want(t, 200, "")
			test.run(s)
			typo := harness.WrongPassword()
			refused := test.stranger(s, typo)
			refused.Want(t, 429, "temporarily_unavailable")
			s.WantLimit(test.limit)
			for n := range 3 { // from the second time on it is a repetition
				wantAlike(t, test.owner(s, typo), refused)
				s.WantLimit(test.limit)
				if line := s.LastRefusal(); (line["repeated"] == true) != (n > 0) || line["status"] != 429.0 {
					t.Errorf("the log has %v", line)
				}
			}
			test.owner(s, "correct horse").Want(t, 200, "") // the right one gets in

			refused = test.stranger(s, harness.WrongPassword())
			for range 2 {
				wantAlike(t, test.owner(s, harness.WrongPassword()), refused)
				s.WantLimit(test.limit)
			}
			// now the known source has to wait by itself, which looks the same
			wantAlike(t, test.owner(s, harness.WrongPassword()), refused)
			s.WantLimit("pair")
			wantAlike(t, test.owner(s, "correct horse"), refused)
		})
	}
}

// What the operator sees is the truth: which limit it was, that the password was wrong,
// and whose it was.
func TestTheLogSaysThatAWrongPasswordAtAKnownSourceWasCompared(t *testing.T) {
	s := harness.StartThrottle(t, "throttle {\nfailures 1\n}")
	s.AppLogin(harness.HomeAddress, "alice", "correct horse").Want(t, 200, "")
	for i := range 10 {
		s.AppLogin(harness.HomeAddress, fmt.Sprint("nobody", i), "wrong").Want(t, 400, "invalid_grant")
	}
	s.AppLogin(harness.HomeAddress, "alice", harness.WrongPassword()).Throttled(t, 30)
	line := s.LastRefusal()
	for field, value := range map[string]any{
		"level": "info", "reason": "throttled", "limit": "address", "user_id": "alice", "repeated": nil,
		"remedy": "it was compared and is wrong; from this source, which is known, the right one is still accepted",
	} {
		if line[field] != value {
			t.Errorf("%s is %v, want %v", field, line[field], value)
		}
	}
}
