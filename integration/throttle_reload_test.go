package integration

import (
	"net"
	"strings"
	"testing"
)

// Whoever is throttled waits for no reload.
func TestAReloadKeepsTheCounts(t *testing.T) {
	s := startThrottle(t, "")
	web := func(password string) answer { return s.login("alice", password) }
	wrongLogins(t, 4, web)
	s.reload(throttleOptions, throttleConfig(t, ""))
	if a := s.relogin("alice", "wrong"); a.status != 400 {
		t.Fatalf("the fifth try: %d %s", a.status, a.body)
	}
	web("correct horse").throttled(t, 30)
	s.reload(throttleOptions, throttleConfig(t, "log_usernames"))
	s.relogin("alice", "correct horse").throttled(t, 30)

	// new limits hold for what was counted, and go by the number of failures
	s.reload(throttleOptions, throttleConfig(t, "throttle {\nfailures 6\n}"))
	s.relogin("alice", "wrong5").want(t, 400, "invalid_grant")
	web("correct horse").throttled(t, 30)
	s.reload(throttleOptions, throttleConfig(t, "throttle off"))
	s.relogin("alice", "correct horse").want(t, 200, "") // which counts nothing, not even a success
	s.reload(throttleOptions, throttleConfig(t, ""))
	s.relogin("alice", "correct horse").throttled(t, 60)
}

// What is documented: counts are kept in memory, and end with the process. Here they end with
// the last config.
func TestARestartForgetsTheCounts(t *testing.T) {
	s := startThrottle(t, "")
	wrongLogins(t, 5, func(password string) answer { return s.login("alice", password) })
	s.login("alice", "correct horse").throttled(t, 30)
	s.restart(throttleOptions, throttleConfig(t, ""))
	s.relogin("alice", "correct horse").want(t, 200, "")
}

// A config that does not start leaves the limits of the one that goes on.
func TestAFailedReloadLeavesTheLimitsOfTheThrottle(t *testing.T) {
	s := startThrottle(t, "throttle {\nfailures 3\n}")
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	wrongLogins(t, 1, func(password string) answer { return s.login("alice", password) })
	for range 6 { // the order in which Caddy starts apps is that of a map
		for _, setting := range []string{"throttle {\nfailures 1000\n}", "throttle {\nfailures 1\n}", "throttle off"} {
			if err := s.tryReload(throttleOptions, throttleConfig(t, setting)+"http://"+busy.Addr().String()+" {\nrespond x\n}\n"); err == nil {
				t.Fatal("it loads")
			}
		}
	}
	for range 2 {
		if a := s.relogin("alice", wrong()); a.status != 400 {
			t.Fatalf("a lower limit is in force: %d %s", a.status, a.body)
		}
	}
	s.login("alice", "wrong").throttled(t, 30)
}

// Servers of different names count on their own, also with the same users.
func TestServersOfDifferentNamesCountOnTheirOwn(t *testing.T) {
	hash := cheapHash(t, "correct horse")
	block := "{\nname %NAME%\nclient web {\nsecret web-secret\n}\nuser alice " + hash + "\n}\n"
	s := start(t, "http://127.0.0.1:%PORT% {\ntoken_endpoint "+"/one "+strings.Replace(block, "%NAME%", "one", 1)+"token_endpoint /two "+strings.Replace(block, "%NAME%", "two", 1)+"}\n")
	for range 5 {
		s.post("/one", loginForm("password", wrong())).want(t, 400, "invalid_grant")
	}
	s.post("/one", loginForm()).throttled(t, 30)
	s.post("/two", loginForm()).want(t, 200, "")
}
