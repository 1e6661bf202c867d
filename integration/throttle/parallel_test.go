package throttle

import (
	"fmt"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
)

// atOnce logs in so many times at the same time and returns how often each status came.
func atOnce(s *harness.Site, n int, login func(i int) (harness.Answer, error)) map[int]int {
	s.T.Helper()
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
				s.T.Error(err)
			}
			statuses[a.Status]++
		})
	}
	close(begin)
	all.Wait()
	return statuses
}

// C4: a reservation is made before the password is looked at.
func TestABurstGetsNoMoreTriesThanTheLimit(t *testing.T) {
	s := harness.StartThrottle(t, "")
	for round, name := range []string{"alice", "nobody"} {
		got := atOnce(s, 60, func(i int) (harness.Answer, error) { return s.Attempt(name, fmt.Sprint("wrong", i)) })
		if got[400] != 5 || got[429] != 55 {
			t.Errorf("round %d: %v, want 5 tries and 55 refusals", round, got)
		}
	}
	got := atOnce(s, 40, func(i int) (harness.Answer, error) {
		return s.Attempt("bob", "correct horse", "client_id", "mobile", "client_secret", fmt.Sprint("wrong", i))
	})
	if got[400] != 5 || got[429] != 35 {
		t.Errorf("client secrets: %v, want 5 tries and 35 refusals", got)
	}
}

// A back end that logs one user in many times at the same time does not get in its own
// way: equal attempts in flight count as one.
func TestParallelRightLoginsOfOneUserAreNotThrottled(t *testing.T) {
	for _, setting := range []string{"", "password_checks {\ncache off\n}"} {
		s := harness.StartThrottle(t, "throttle {\nfailures 1\n}\n"+setting)
		for range 3 {
			if got := atOnce(s, 60, func(int) (harness.Answer, error) { return s.Attempt("alice", "correct horse") }); got[200] != 60 {
				t.Errorf("%q: %v, want 60 times 200", setting, got)
			}
		}
	}
}

// costlyHash is one of "correct horse" that takes long enough that something can happen
// meanwhile.
const costlyHash = `$2a$12$UKICcCDX2oQJix96EK7ycu9LcmldTdAOHBTaRX.H7.yCcXjLm82Wi`

// C17: who is turned away since too many are waiting has not tried anything.
func TestATryThatIsShedDoesNotCount(t *testing.T) {
	s := harness.NewSite(t)
	s.Reload("", harness.WebSite("user alice "+costlyHash+"\npassword_checks {\nconcurrency 1\nqueue 1\nwait 50s\n}\nthrottle {\nfailures 2\n}"))
	const users = 10
	var shed [users]bool
	atOnce(s, users, func(i int) (harness.Answer, error) {
		a, err := s.Attempt(fmt.Sprint("nobody", i), "wrong")
		if shed[i] = a.Status == 503; !shed[i] && a.Status != 400 || shed[i] && a.Header.Get("Retry-After") == "" {
			t.Errorf("user %d: %d %v %s", i, a.Status, a.Header, a.Body)
		}
		return a, err
	})
	for i, shed := range shed {
		if !shed {
			continue
		}
		harness.WrongLogins(t, 2, func(password string) harness.Answer { return s.Login(fmt.Sprint("nobody", i), password) })
		s.Login(fmt.Sprint("nobody", i), "wrong").Throttled(t, 30)
		return
	}
	t.Fatal("no request was turned away")
}

// A guess that costs a hash counts, whether or not its maker waits for the answer.
func TestHangingUpIsNoFreeTry(t *testing.T) {
	s := harness.StartWith(t, harness.ThrottleOptions, strings.ReplaceAll(harness.ThrottleConfig(t, ""), "user alice ", "user dave "+costlyHash+"\nuser alice "))
	n := 0
	harness.Eventually(t, "five tries are counted", func() bool {
		n++
		w := s.DialFrom(harness.StrangerAddress(1))
		w.Send(s.RawPost("/token", harness.AppForm("dave", fmt.Sprint("wrong", n))))
		time.Sleep(50 * time.Millisecond) // the hash is probably being made; if not, the next one will be
		w.Close()
		wrong := 0
		for _, line := range s.Refusals() {
			if line["reason"] == "wrong_password" {
				wrong++
			}
		}
		return wrong >= 5
	})
	s.AppLogin(harness.StrangerAddress(1), "dave", "correct horse").Throttled(t, 30)
	s.WantLimit("pair")
	s.AppLogin(harness.HomeAddress, "dave", "correct horse").Want(t, 200, "")
}

// What a user's clients can have written to storage is bounded.
func TestRevocationsOfAUserAreBounded(t *testing.T) {
	s := harness.StartThrottle(t, "")
	revoke := func(token string) harness.Answer {
		return s.Post("/token/revoke", url.Values{"client_id": {"app"}, "token": {token}}.Encode())
	}
	login := func(username string) string {
		return s.Login(username, "correct horse", "client_id", "app", "client_secret", "").Text(t, "refresh_token")
	}
	first := login("alice")
	revoke(first).Want(t, 200, "")
	for range 20 { // what is revoked already is not counted
		revoke(first).Want(t, 200, "")
		revoke("not a token").Want(t, 200, "")
	}
	for range 59 {
		revoke(login("alice")).Want(t, 200, "")
	}
	last := login("alice")
	a := revoke(last)
	a.Throttled(t, 60)
	if line := s.LastRefusal(); line["reason"] != "too_many_revocations" || line["limit"] != "rate" {
		t.Errorf("refused for %v, limit %v", line["reason"], line["limit"])
	}
	s.Post("/token", url.Values{"grant_type": {"refresh_token"}, "client_id": {"app"}, "refresh_token": {last}}.Encode()).Want(t, 200, "")
	revoke(first).Want(t, 200, "")
	revoke(login("bob")).Want(t, 200, "")
	s.Reload(harness.ThrottleOptions, harness.ThrottleConfig(t, "log_usernames"))
	s.Relogin("bob", "correct horse").Want(t, 200, "")
	revoke(last).Throttled(t, 60)
}
