package integration

import (
	"fmt"
	"strconv"
	"testing"
)

// C9: where a stranger has to wait, the answer to a wrong password says nothing about who has
// logged in from there, and so nothing about who exists.

// wantAlike fails the test unless a client sees the same in two answers. What is left of a
// wait may have become a second less meanwhile.
func wantAlike(t *testing.T, got, want answer) {
	t.Helper()
	if got.comparable() != want.comparable() {
		t.Errorf("got\n%s\nwant\n%s", got.comparable(), want.comparable())
	}
	left := func(a answer) int {
		seconds, err := strconv.Atoi(a.header.Get("Retry-After"))
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
	names := func(s *site, n int, peer func(i int) string) {
		for i := range n {
			s.appLogin(peer(i), fmt.Sprint("nobody", i), "wrong").want(s.t, 400, "invalid_grant")
		}
	}
	at := func(peer string) func(int) string { return func(int) string { return peer } }
	for _, test := range []struct {
		name, setting, limit string
		owner                func(s *site, password string) answer
		run                  func(s *site)                         // out
		stranger             func(s *site, password string) answer // who is told to wait
	}{
		{"the address", "failures 2", "address",
			func(s *site, password string) answer { return s.appLogin(home, "alice", password) },
			func(s *site) { names(s, 20, at(home)) },
			func(s *site, password string) answer { return s.appLogin(home, "somebody", password) }},
		{"the address that a client names", "failures 2", "address",
			func(s *site, password string) answer { return s.portalLogin("alice", password, home) },
			func(s *site) { names(s, 20, at(home)) },
			func(s *site, password string) answer { return s.portalLogin("bob", password, home) }},
		{"the /64", "failures 2", "address",
			func(s *site, password string) answer { return s.appLogin(home6, "alice", password) },
			func(s *site) { names(s, 20, at("2001:db8:0:1::2")) },
			func(s *site, password string) answer { return s.appLogin("2001:db8:0:1::3", "bob", password) }},
		{"the /48", "failures 2", "network",
			func(s *site, password string) answer { return s.appLogin(home6, "alice", password) },
			func(s *site) {
				names(s, 200, func(i int) string { return fmt.Sprintf("2001:db8:0:%x::1", 100+i/10) })
			},
			func(s *site, password string) answer { return s.appLogin("2001:db8:0:1::1", "bob", password) }},
		{"the address of a back end, for its secret", "failures 2", "address",
			func(s *site, password string) answer {
				if password == "correct horse" {
					password = "web-secret"
				}
				return s.from(backEnd, loginForm("client_secret", password))
			},
			func(s *site) { names(s, 20, at(backEnd)) },
			func(s *site, password string) answer {
				return s.from(backEnd, loginForm("client_id", "nobody", "client_secret", password))
			}},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := startThrottle(t, "throttle {\n"+test.setting+"\n}")
			test.owner(s, "correct horse").want(t, 200, "")
			test.run(s)
			typo := wrong()
			refused := test.stranger(s, typo)
			refused.want(t, 429, "temporarily_unavailable")
			s.wantLimit(test.limit)
			for n := range 3 { // from the second time on it is a repetition
				wantAlike(t, test.owner(s, typo), refused)
				s.wantLimit(test.limit)
				if line := s.lastRefusal(); (line["repeated"] == true) != (n > 0) || line["status"] != 429.0 {
					t.Errorf("the log has %v", line)
				}
			}
			test.owner(s, "correct horse").want(t, 200, "") // the right one gets in

			refused = test.stranger(s, wrong())
			for range 2 {
				wantAlike(t, test.owner(s, wrong()), refused)
				s.wantLimit(test.limit)
			}
			// now the known source has to wait by itself, which looks the same
			wantAlike(t, test.owner(s, wrong()), refused)
			s.wantLimit("pair")
			wantAlike(t, test.owner(s, "correct horse"), refused)
		})
	}
}

// What the operator sees is the truth: which limit it was, that the password was wrong, and
// whose it was.
func TestTheLogSaysThatAWrongPasswordAtAKnownSourceWasCompared(t *testing.T) {
	s := startThrottle(t, "throttle {\nfailures 1\n}")
	s.appLogin(home, "alice", "correct horse").want(t, 200, "")
	for i := range 10 {
		s.appLogin(home, fmt.Sprint("nobody", i), "wrong").want(t, 400, "invalid_grant")
	}
	s.appLogin(home, "alice", wrong()).throttled(t, 30)
	line := s.lastRefusal()
	for field, value := range map[string]any{
		"level": "info", "reason": "throttled", "limit": "address", "user_id": "alice", "repeated": nil,
		"remedy": "it was compared and is wrong: from this source, which is known, the right one is accepted all the same",
	} {
		if line[field] != value {
			t.Errorf("%s is %v, want %v", field, line[field], value)
		}
	}
}
