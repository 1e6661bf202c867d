package integration

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
)

// A page can have its visitors' browsers send what it likes, from where they are. Browsers
// say so, in headers that the page cannot change.

func fetchHeaders(site, mode string) []string {
	return []string{"Sec-Fetch-Site: " + site, "Sec-Fetch-Mode: " + mode, "Sec-Fetch-Dest: empty", "Origin: https://evil.example"}
}

// What a browser says of a form of another site's page, of its script with no-cors, and of
// what is no browser's at all.
var blindHeaders = map[string][]string{
	"a form":              fetchHeaders("cross-site", "navigate"),
	"no-cors":             fetchHeaders("cross-site", "no-cors"),
	"a form in a frame":   fetchHeaders("cross-site", "nested-navigate"),
	"other letters":       fetchHeaders("Cross-Site", "No-CORS"),
	"blanks":              fetchHeaders("  cross-site \t", " navigate "),
	"small names":         {"sec-fetch-site: cross-site", "sec-fetch-mode: navigate"},
	"no mode":             {"Sec-Fetch-Site: cross-site"},
	"two sites":           append(fetchHeaders("same-origin", "navigate"), "Sec-Fetch-Site: cross-site"),
	"the same site twice": append(fetchHeaders("same-origin", "navigate"), "Sec-Fetch-Site: same-origin"),
	"a list of sites":     fetchHeaders("same-origin, cross-site", "navigate"),
	"two modes":           append(fetchHeaders("cross-site", "cors"), "Sec-Fetch-Mode: no-cors"),
}

// C4: it is not looked at, and not counted, whatever it has.
func TestAPageOfAnotherSiteCannotSendALoginByAForm(t *testing.T) {
	s := startThrottle(t, "")
	wrongForm := func() string { return appForm("alice", wrong()) }
	for name, headers := range blindHeaders {
		for range 6 {
			a := s.from(home, wrongForm(), headers...)
			a.want(t, 403, "invalid_request")
			wellFormedError(t, a)
			if a.header.Get("Www-Authenticate") != "" || a.header.Get("Cache-Control") != "no-store" || a.header.Get("Retry-After") != "" {
				t.Errorf("%s: %v", name, a.header)
			}
			line := s.lastRefusal()
			for field, value := range map[string]any{"level": "info", "reason": "cross_site", "cross_site": true, "user_id": nil, "client_id": nil, "limit": nil} {
				if line[field] != value {
					t.Errorf("%s: %s is %v, want %v", name, field, line[field], value)
				}
			}
			if remedy, _ := line["remedy"].(string); remedy == "" {
				t.Errorf("%s: there is no remedy in %v", name, line)
			}
		}
		s.from(home, appForm("alice", "correct horse"), headers...).want(t, 403, "invalid_request")
		s.from(home, loginForm("client_secret", wrong()), headers...).want(t, 403, "invalid_request")
		s.from(home, userForm(), append(headers, basic("web", wrong()))...).want(t, 403, "invalid_request")
		s.from(home, "grant_type=refresh_token&client_id=app&refresh_token=x", headers...).want(t, 403, "invalid_request")
		s.fromTo(home, "/token/introspect", loginForm("client_secret", wrong(), "token", "x"), headers...).want(t, 403, "invalid_request")
	}
	// nothing was counted: neither for alice, nor for web, nor for the address
	wrongLogins(t, 4, func(password string) answer { return s.appLogin(home, "alice", password) })
	s.appLogin(home, "alice", "correct horse").want(t, 200, "")
	for range 4 {
		s.from(home, loginForm("client_secret", wrong())).want(t, 400, "invalid_client")
	}
	s.from(home, loginForm()).want(t, 200, "")
	for n := range 42 { // 50 with those above
		s.appLogin(home, fmt.Sprint("nobody", n), "wrong").want(t, 400, "invalid_grant")
	}
	s.appLogin(home, "bob", "wrong").throttled(t, 30)
	s.wantLimit("address")
}

// What a page of the same site sends, or the user, or a browser that says nothing.
func TestOtherRequestsOfBrowsersAreAnsweredAsEver(t *testing.T) {
	s := startThrottle(t, "")
	for name, headers := range map[string][]string{
		"a script of the same origin": fetchHeaders("same-origin", "cors"),
		"a form of the same origin":   fetchHeaders("same-origin", "navigate"),
		"a script of the same site":   fetchHeaders("same-site", "cors"),
		"a beacon of the same site":   fetchHeaders("same-site", "no-cors"),
		"an extension":                fetchHeaders("none", "cors"),
		"the user":                    fetchHeaders("none", "navigate"),
		"a browser of before":         {"Origin: https://evil.example"},
		"an empty header":             {"Sec-Fetch-Site:"},
		"a mode alone":                {"Sec-Fetch-Mode: no-cors"},
	} {
		s.from(home, appForm("alice", "correct horse"), headers...).want(t, 200, "")
		wrongLogins(t, 3, func(password string) answer { return s.from(home, appForm("alice", password), headers...) })
		if line := s.lastRefusal(); line["cross_site"] != nil {
			t.Errorf("%s: %v", name, line)
		}
		wrongLogins(t, 2, func(password string) answer { return s.appLogin(home, "alice", password) })
		s.from(home, appForm("alice", "correct horse"), headers...).throttled(t, 30)
		s.restart(throttleOptions, throttleConfig(t, "")) // which forgets the failures
	}
}

// A page logs out as it is closed, by a beacon; it has no secret.
func TestAPageOfAnotherSiteLogsOut(t *testing.T) {
	s := startThrottle(t, "")
	for name, headers := range blindHeaders {
		login := s.appLogin(home, "alice", "correct horse")
		token := login.text(t, "refresh_token")
		revoke := func(pairs ...string) answer {
			form := url.Values{"client_id": {"app"}, "token": {token}}
			for i := 0; i+1 < len(pairs); i += 2 {
				form.Set(pairs[i], pairs[i+1])
			}
			return s.fromTo(home, "/token/revoke", form.Encode(), headers...)
		}
		for _, secret := range []string{"web-secret", "wrong"} {
			revoke("client_id", "web", "client_secret", secret).want(t, 403, "invalid_request")
		}
		for _, authorization := range []string{basic("web", "web-secret"), basic("web", "wrong"), "authorization: x"} {
			s.fromTo(home, "/token/revoke", "token="+token, append(headers, authorization)...).want(t, 403, "invalid_request")
			if line := s.lastRefusal(); line["reason"] != "cross_site" {
				t.Errorf("%s: %v", name, line)
			}
		}
		refresh := "grant_type=refresh_token&client_id=app&refresh_token="
		s.from(home, refresh+token).want(t, 200, "")
		revoke().want(t, 200, "")
		s.from(home, refresh+token).want(t, 400, "invalid_grant")
	}
}

// By CORS a page is answered, since a form needs no pre-flight. It has tries of its own.
func TestAPageOfAnotherSiteTakesNothingFromTheOwner(t *testing.T) {
	s := startThrottle(t, "throttle {\nfailures 2\naccount_ceiling 6\n}") // an address has 20
	page := func(peer, form string) answer { return s.from(peer, form, fetchHeaders("cross-site", "cors")...) }
	s.appLogin(home, "alice", "correct horse").want(t, 200, "")
	wrongLogins(t, 2, func(password string) answer { return page(home, appForm("alice", password)) })
	if line := s.lastRefusal(); line["reason"] != "wrong_password" || line["cross_site"] != true {
		t.Errorf("the log has %v", line)
	}
	for range 5 {
		page(home, appForm("alice", wrong())).throttled(t, 30)
		s.wantLimit("pair")
	}
	page(home, appForm("alice", "correct horse")).throttled(t, 30)
	// the owner has all her tries
	wrongLogins(t, 1, func(password string) answer { return s.appLogin(home, "alice", password) })
	s.appLogin(home, "alice", "correct horse").want(t, 200, "")
	s.from(home, appForm("alice", "correct horse"), fetchHeaders("same-site", "cors")...).want(t, 200, "")
	page(home, appForm("alice", "correct horse")).throttled(t, 30) // and gives the page none

	// it is counted for the account and for the address
	for n := range 3 {
		wrongLogins(t, 2, func(password string) answer { return page(stranger(n), appForm("alice", password)) })
	}
	s.appLogin(stranger(9), "alice", "correct horse").throttled(t, 3600)
	s.wantLimit("account")
	s.appLogin(home, "alice", "correct horse").want(t, 200, "")
	for n := range 18 {
		page(home, appForm(fmt.Sprint("nobody", n), "wrong")).want(t, 400, "invalid_grant")
	}
	page(home, appForm("somebody", "wrong")).throttled(t, 30)
	s.wantLimit("address")
	s.appLogin(home, "bob", "correct horse").throttled(t, 30) // as behind any shared address
	s.wantLimit("address")
	s.appLogin(home, "alice", "correct horse").want(t, 200, "")
	s.appLogin(home, "alice", wrong()).throttled(t, 30)
	s.appLogin(home, "alice", "correct horse").want(t, 200, "")
}

// A page that may use the API logs in. That makes nobody known but such pages at the address.
func TestAPageOfAnotherSiteLogsIn(t *testing.T) {
	s := startThrottle(t, "throttle {\nfailures 2\n}")
	page := func(form string) answer { return s.from(home, form, fetchHeaders("cross-site", "cors")...) }
	page(appForm("alice", "correct horse")).want(t, 200, "")
	page(loginForm()).want(t, 200, "") // by a client with a secret
	for n := range 20 {
		s.appLogin(home, fmt.Sprint("nobody", n), "wrong").want(t, 400, "invalid_grant")
	}
	page(appForm("alice", "correct horse")).want(t, 200, "")
	s.appLogin(home, "alice", "correct horse").throttled(t, 30)
	s.wantLimit("address")
	// nor has its success, or the owner's, taken the failures of the other away
	s.restart(throttleOptions, throttleConfig(t, "throttle {\nfailures 2\n}"))
	wrongLogins(t, 2, func(password string) answer { return s.appLogin(home, "alice", password) })
	page(appForm("alice", "correct horse")).want(t, 200, "")
	s.appLogin(home, "alice", "correct horse").throttled(t, 30)
	s.wantLimit("pair")
}

// B17: a page cannot make the owner's back end wait, which may be at the same address.
func TestAPageOfAnotherSiteTakesNothingFromAClient(t *testing.T) {
	for _, path := range []string{"/token", "/token/revoke", "/token/introspect"} {
		t.Run(path, func(t *testing.T) {
			s := startThrottle(t, "")
			cors := fetchHeaders("cross-site", "cors")
			for range 5 {
				s.fromTo(home, path, loginForm("client_secret", wrong(), "token", "x"), cors...).want(t, 400, "invalid_client")
			}
			s.fromTo(home, path, loginForm("token", "x"), cors...).throttled(t, 30)
			s.wantLimit("pair")
			s.from(home, loginForm()).want(t, 200, "")
		})
	}
}

// The users of a back end are one source; what its page of another site does is not theirs.
func TestAPageOfAnotherSiteWithASecretTakesNothingFromTheBackEnd(t *testing.T) {
	s := startThrottle(t, "")
	cors := fetchHeaders("cross-site", "cors")
	wrongLogins(t, 5, func(password string) answer { return s.from(home, loginForm("password", password), cors...) })
	s.from(home, loginForm(), cors...).throttled(t, 30)
	s.from(stranger(1), loginForm(), cors...).throttled(t, 30) // as wherever the client is
	s.from(home, loginForm()).want(t, 200, "")
	s.from(backEnd, loginForm()).want(t, 200, "")
}

// What needs no secret, and what the site answers for itself, is as it was.
func TestOtherEndpointsAnswerPagesOfOtherSites(t *testing.T) {
	s := start(t, `http://:%PORT% {
	@preflight {
		method OPTIONS
	}
	token_endpoint {
		issuer http://localhost
		allow_http
		client app {
			public
		}
		user alice `+hashBcrypt+`
	}
	respond @preflight 204
	respond app
}
`)
	for name, headers := range blindHeaders {
		for _, path := range []string{"/token/jwks", "/.well-known/oauth-authorization-server", "/app"} {
			if a := s.do(s.request("GET", path, "", headers...)); a.status != 200 {
				t.Errorf("%s, %s: %d", name, path, a.status)
			}
		}
		if a := s.do(s.request("OPTIONS", "/token", "", headers...)); a.status != 204 {
			t.Errorf("%s: a pre-flight: %d", name, a.status)
		}
		s.do(s.request("GET", "/token", "", headers...)).want(t, 405, "invalid_request")
		s.post("/token?password=x", appForm("alice", "x"), headers...).want(t, 400, "invalid_request")
	}
}

// The body of what is refused is not waited for.
func TestABodyOfAPageOfAnotherSiteIsNotRead(t *testing.T) {
	s := startThrottle(t, "")
	w := s.dialFrom(home)
	defer w.Close()
	w.send(strings.Replace(s.rawPost("/token", "", blindHeaders["no-cors"]...), "Content-Length: 0", "Content-Length: 1000", 1))
	w.receive().want(t, 403, "invalid_request")
}
