package integration

import (
	"fmt"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"
)

// atOnce logs in so many times at the same time and returns how often each status came.
func (s *site) atOnce(n int, login func(i int) (answer, error)) map[int]int {
	s.t.Helper()
	statuses := make(map[int]int)
	var mu sync.Mutex
	var all sync.WaitGroup
	begin := make(chan struct{})
	for i := range n {
		all.Go(func() {
			<-begin
			a, err := login(i)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				s.t.Error(err)
			}
			statuses[a.status]++
		})
	}
	close(begin)
	all.Wait()
	return statuses
}

// C4: a reservation is made before the password is looked at.
func TestABurstGetsNoMoreTriesThanTheLimit(t *testing.T) {
	s := startThrottle(t, "")
	for round, name := range []string{"alice", "nobody"} {
		got := s.atOnce(60, func(i int) (answer, error) { return s.attempt(name, fmt.Sprint("wrong", i)) })
		if got[400] != 5 || got[429] != 55 {
			t.Errorf("round %d: %v, want 5 tries and 55 refusals", round, got)
		}
	}
	got := s.atOnce(40, func(i int) (answer, error) {
		return s.attempt("bob", "correct horse", "client_id", "mobile", "client_secret", fmt.Sprint("wrong", i))
	})
	if got[400] != 5 || got[429] != 35 {
		t.Errorf("client secrets: %v, want 5 tries and 35 refusals", got)
	}
}

// A back end that logs one user in many times at the same time does not get in its own way:
// equal tries in flight are one.
func TestParallelRightLoginsOfOneUserAreNotThrottled(t *testing.T) {
	for _, setting := range []string{"", "password_checks {\ncache off\n}"} {
		s := startThrottle(t, "throttle {\nfailures 1\n}\n"+setting)
		for range 3 {
			if got := s.atOnce(60, func(int) (answer, error) { return s.attempt("alice", "correct horse") }); got[200] != 60 {
				t.Errorf("%q: %v, want 60 times 200", setting, got)
			}
		}
	}
}

// costlyHash takes long enough that something can happen meanwhile.
func costlyHash(t *testing.T, password string) string {
	t.Helper()
	hash, err := bcrypt.GenerateFromPassword([]byte(password), 12)
	if err != nil {
		t.Fatal(err)
	}
	return string(hash)
}

// C17: who is turned away since too many are waiting has not tried anything.
func TestATryThatIsShedDoesNotCount(t *testing.T) {
	s := newSite(t)
	s.reload("", webSite("user alice "+costlyHash(t, "correct horse")+"\npassword_checks {\nconcurrency 1\nqueue 1\nwait 50s\n}\nthrottle {\nfailures 2\n}"))
	const users = 10
	var shed [users]bool
	s.atOnce(users, func(i int) (answer, error) {
		a, err := s.attempt(fmt.Sprint("nobody", i), "wrong")
		if shed[i] = a.status == 503; !shed[i] && a.status != 400 || shed[i] && a.header.Get("Retry-After") == "" {
			t.Errorf("user %d: %d %v %s", i, a.status, a.header, a.body)
		}
		return a, err
	})
	for i, shed := range shed {
		if !shed {
			continue
		}
		wrongLogins(t, 2, func(password string) answer { return s.login(fmt.Sprint("nobody", i), password) })
		s.login(fmt.Sprint("nobody", i), "wrong").throttled(t, 30)
		return
	}
	t.Fatal("nobody was turned away")
}

// A guess that costs a hash counts, whether or not its maker waits for the answer.
func TestHangingUpIsNoFreeTry(t *testing.T) {
	s := startWith(t, throttleOptions, strings.ReplaceAll(throttleConfig(t, ""), "user alice ", "user dave "+costlyHash(t, "correct horse")+"\nuser alice "))
	n := 0
	eventually(t, "five tries are counted", func() bool {
		n++
		w := s.dialFrom(stranger(1))
		w.send(s.rawPost("/token", appForm("dave", fmt.Sprint("wrong", n))))
		time.Sleep(50 * time.Millisecond) // the hash is probably being made; if not, the next one will be
		w.Close()
		wrong := 0
		for _, line := range s.refusals() {
			if line["reason"] == "wrong_password" {
				wrong++
			}
		}
		return wrong >= 5
	})
	s.appLogin(stranger(1), "dave", "correct horse").throttled(t, 30)
	s.wantLimit("pair")
	s.appLogin(home, "dave", "correct horse").want(t, 200, "")
}

// What a user's clients can have written to storage is bounded.
func TestRevocationsOfAUserAreBounded(t *testing.T) {
	s := startThrottle(t, "")
	revoke := func(token string) answer {
		return s.post("/token/revoke", url.Values{"client_id": {"app"}, "token": {token}}.Encode())
	}
	login := func(username string) string {
		return s.login(username, "correct horse", "client_id", "app", "client_secret", "").text(t, "refresh_token")
	}
	first := login("alice")
	revoke(first).want(t, 200, "")
	for range 20 { // what is revoked already is not counted
		revoke(first).want(t, 200, "")
		revoke("not a token").want(t, 200, "")
	}
	for range 59 {
		revoke(login("alice")).want(t, 200, "")
	}
	last := login("alice")
	a := revoke(last)
	a.throttled(t, 60)
	if line := s.lastRefusal(); line["reason"] != "too_many_revocations" || line["limit"] != "rate" {
		t.Errorf("refused for %v, limit %v", line["reason"], line["limit"])
	}
	s.post("/token", url.Values{"grant_type": {"refresh_token"}, "client_id": {"app"}, "refresh_token": {last}}.Encode()).want(t, 200, "")
	revoke(first).want(t, 200, "")
	revoke(login("bob")).want(t, 200, "")
	s.reload(throttleOptions, throttleConfig(t, "log_usernames"))
	s.relogin("bob", "correct horse").want(t, 200, "")
	revoke(last).throttled(t, 60)
}
