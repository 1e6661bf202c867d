package throttle

import (
	"net"
	"strings"
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
)

// Whoever is throttled waits for no reload.
func TestAReloadKeepsTheCounts(t *testing.T) {
	s := harness.StartThrottle(t, "")
	web := func(password string) harness.Answer { return s.Login("alice", password) }
	harness.WrongLogins(t, 4, web)
	s.Reload(harness.ThrottleOptions, harness.ThrottleConfig(t, ""))
	if a := s.Relogin("alice", "wrong"); a.Status != 400 {
		t.Fatalf("the fifth try: %d %s", a.Status, a.Body)
	}
	web("correct horse").Throttled(t, 30)
	s.Reload(harness.ThrottleOptions, harness.ThrottleConfig(t, "log_usernames"))
	s.Relogin("alice", "correct horse").Throttled(t, 30)

	// new limits hold for what was counted, and go by the number of failures
	s.Reload(harness.ThrottleOptions, harness.ThrottleConfig(t, "throttle {\nfailures 6\n}"))
	s.Relogin("alice", "wrong5").Want(t, 400, "invalid_grant")
	web("correct horse").Throttled(t, 30)
	s.Reload(harness.ThrottleOptions, harness.ThrottleConfig(t, "throttle off"))
	s.Relogin("alice", "correct horse").Want(t, 200, "") // which counts nothing, not even a success
	s.Reload(harness.ThrottleOptions, harness.ThrottleConfig(t, ""))
	s.Relogin("alice", "correct horse").Throttled(t, 60)
}

// What was counted is also in the storage, and only there once the last config has
// ended.
func TestWithoutItsObjectARestartForgetsTheCounts(t *testing.T) {
	s := harness.StartThrottle(t, "")
	harness.WrongLogins(t, 5, func(password string) harness.Answer { return s.Login("alice", password) })
	s.Login("alice", "correct horse").Throttled(t, 30)
	s.Restart(harness.ThrottleOptions, harness.ThrottleConfig(t, ""))
	s.Relogin("alice", "correct horse").Want(t, 200, "")
}

// A config that does not start leaves the limits of the one that goes on.
func TestAFailedReloadLeavesTheLimitsOfTheThrottle(t *testing.T) {
	s := harness.StartThrottle(t, "throttle {\nfailures 3\n}")
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	harness.WrongLogins(t, 1, func(password string) harness.Answer { return s.Login("alice", password) })
	for range 6 { // the order in which Caddy starts apps is that of a map
		for _, setting := range []string{"throttle {\nfailures 1000\n}", "throttle {\nfailures 1\n}", "throttle off"} {
			if err := s.TryReload(harness.ThrottleOptions, harness.ThrottleConfig(t, setting)+"http://"+busy.Addr().String()+" {\nrespond x\n}\n"); err == nil {
				t.Fatal("it loads")
			}
		}
	}
	for range 2 {
		if a := s.Relogin("alice", harness.WrongPassword()); a.Status != 400 {
			t.Fatalf("a lower limit applies: %d %s", a.Status, a.Body)
		}
	}
	s.Login("alice", "wrong").Throttled(t, 30)
}

// Servers of different names count on their own, also with the same users.
func TestServersOfDifferentNamesCountOnTheirOwn(t *testing.T) {
	hash := harness.CheapHash(t, "correct horse")
	block := "{\nname %NAME%\nclient web {\nsecret web-secret\n}\nuser alice " + hash + "\n}\n"
	s := harness.Start(t, "http://127.0.0.1:%PORT% {\ntoken_endpoint "+"/one "+strings.Replace(block, "%NAME%", "one", 1)+"token_endpoint /two "+strings.Replace(block, "%NAME%", "two", 1)+"}\n")
	for range 5 {
		s.Post("/one", harness.LoginForm("password", harness.WrongPassword())).Want(t, 400, "invalid_grant")
	}
	s.Post("/one", harness.LoginForm()).Throttled(t, 30)
	s.Post("/two", harness.LoginForm()).Want(t, 200, "")
}
