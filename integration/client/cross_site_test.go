package client

import (
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
)

// A page can have its visitors' browsers send what it likes, from where they are.
// Browsers say so, in headers that the page cannot change.

// What a browser says of a form of another site's page, of its script with no-cors, and
// of what does not come from a browser at all.
var blindHeaders = map[string][]string{
	"a form":              harness.FetchHeaders("cross-site", "navigate"),
	"no-cors":             harness.FetchHeaders("cross-site", "no-cors"),
	"a form in a frame":   harness.FetchHeaders("cross-site", "nested-navigate"),
	"other letters":       harness.FetchHeaders("Cross-Site", "No-CORS"),
	"blanks":              harness.FetchHeaders("  cross-site \t", " navigate "),
	"small names":         {"sec-fetch-site: cross-site", "sec-fetch-mode: navigate"},
	"no mode":             {"Sec-Fetch-Site: cross-site"},
	"two sites":           append(harness.FetchHeaders("same-origin", "navigate"), "Sec-Fetch-Site: cross-site"),
	"the same site twice": append(harness.FetchHeaders("same-origin", "navigate"), "Sec-Fetch-Site: same-origin"),
	"a list of sites":     harness.FetchHeaders("same-origin, cross-site", "navigate"),
	"two modes":           append(harness.FetchHeaders("cross-site", "cors"), "Sec-Fetch-Mode: no-cors"),
}

// C4: it is not looked at, and not counted, whatever it has.
func TestAPageOfAnotherSiteCannotSendALoginByAForm(t *testing.T) {
	s := harness.StartThrottle(t, "")
	wrongForm := func() string { return harness.AppForm("alice", harness.WrongPassword()) }
	for name, headers := range blindHeaders {
		for range 6 {
			a := s.From(harness.HomeAddress, wrongForm(), headers...)
			a.Want(t, 403, "invalid_request")
			harness.WellFormedError(t, a)
			if a.Header.Get("Www-Authenticate") != "" || a.Header.Get("Cache-Control") != "no-store" || a.Header.Get("Retry-After") != "" {
				t.Errorf("%s: %v", name, a.Header)
			}
			line := s.LastRefusal()
			for field, value := range map[string]any{"level": "info", "reason": "cross_site", "cross_site": true, "user_id": nil, "client_id": nil, "limit": nil} {
				if line[field] != value {
					t.Errorf("%s: %s is %v, want %v", name, field, line[field], value)
				}
			}
			if remedy, _ := line["remedy"].(string); remedy == "" {
				t.Errorf("%s: there is no remedy in %v", name, line)
			}
		}
		s.From(harness.HomeAddress, harness.AppForm("alice", "correct horse"), headers...).Want(t, 403, "invalid_request")
		s.From(harness.HomeAddress, harness.LoginForm("client_secret", harness.WrongPassword()), headers...).Want(t, 403, "invalid_request")
		s.From(harness.HomeAddress, harness.UserForm(), append(headers, harness.Basic("web", harness.WrongPassword()))...).Want(t, 403, "invalid_request")
		s.From(harness.HomeAddress, "grant_type=refresh_token&client_id=app&refresh_token=x", headers...).Want(t, 403, "invalid_request")
		s.FromTo(harness.HomeAddress, "/token/introspect", harness.LoginForm("client_secret", harness.WrongPassword(), "token", "x"), headers...).Want(t, 403, "invalid_request")
	}
	// nothing was counted: neither for alice, nor for web, nor for the address
	harness.WrongLogins(t, 4, func(password string) harness.Answer { return s.AppLogin(harness.HomeAddress, "alice", password) })
	s.AppLogin(harness.HomeAddress, "alice", "correct horse").Want(t, 200, "")
	for range 4 {
		s.From(harness.HomeAddress, harness.LoginForm("client_secret", harness.WrongPassword())).Want(t, 400, "invalid_client")
	}
	s.From(harness.HomeAddress, harness.LoginForm()).Want(t, 200, "")
	for n := range 42 { // 50 with those above
		s.AppLogin(harness.HomeAddress, fmt.Sprint("nobody", n), "wrong").Want(t, 400, "invalid_grant")
	}
	s.AppLogin(harness.HomeAddress, "bob", "wrong").Throttled(t, 30)
	s.WantLimit("address")
}

// What a page of the same site sends, or the user, or a browser that says nothing.
func TestOtherRequestsOfBrowsersAreAnsweredAsEver(t *testing.T) {
	s := harness.StartThrottle(t, "")
	for name, headers := range map[string][]string{
		"a script of the same origin": harness.FetchHeaders("same-origin", "cors"),
		"a form of the same origin":   harness.FetchHeaders("same-origin", "navigate"),
		"a script of the same site":   harness.FetchHeaders("same-site", "cors"),
		"a beacon of the same site":   harness.FetchHeaders("same-site", "no-cors"),
		"an extension":                harness.FetchHeaders("none", "cors"),
		"the user":                    harness.FetchHeaders("none", "navigate"),
		"a browser of before":         {"Origin: https://evil.example"},
		"an empty header":             {"Sec-Fetch-Site:"},
		"a mode alone":                {"Sec-Fetch-Mode: no-cors"},
	} {
		s.From(harness.HomeAddress, harness.AppForm("alice", "correct horse"), headers...).Want(t, 200, "")
		harness.WrongLogins(t, 3, func(password string) harness.Answer {
			return s.From(harness.HomeAddress, harness.AppForm("alice", password), headers...)
		})
		if line := s.LastRefusal(); line["cross_site"] != nil {
			t.Errorf("%s: %v", name, line)
		}
		harness.WrongLogins(t, 2, func(password string) harness.Answer { return s.AppLogin(harness.HomeAddress, "alice", password) })
		s.From(harness.HomeAddress, harness.AppForm("alice", "correct horse"), headers...).Throttled(t, 30)
		s.Restart(harness.ThrottleOptions, harness.ThrottleConfig(t, "")) // which forgets the failures
	}
}

// A page logs out as it is closed, by a beacon; it has no secret.
func TestAPageOfAnotherSiteLogsOut(t *testing.T) {
	s := harness.StartThrottle(t, "")
	for name, headers := range blindHeaders {
		login := s.AppLogin(harness.HomeAddress, "alice", "correct horse")
		token := login.Text(t, "refresh_token")
		revoke := func(pairs ...string) harness.Answer {
			form := url.Values{"client_id": {"app"}, "token": {token}}
			for i := 0; i+1 < len(pairs); i += 2 {
				form.Set(pairs[i], pairs[i+1])
			}
			return s.FromTo(harness.HomeAddress, "/token/revoke", form.Encode(), headers...)
		}
		for _, secret := range []string{"web-secret", "wrong"} {
			revoke("client_id", "web", "client_secret", secret).Want(t, 403, "invalid_request")
		}
		for _, authorization := range []string{harness.Basic("web", "web-secret"), harness.Basic("web", "wrong"), "authorization: x"} {
			s.FromTo(harness.HomeAddress, "/token/revoke", "token="+token, append(headers, authorization)...).Want(t, 403, "invalid_request")
			if line := s.LastRefusal(); line["reason"] != "cross_site" {
				t.Errorf("%s: %v", name, line)
			}
		}
		refresh := "grant_type=refresh_token&client_id=app&refresh_token="
		s.From(harness.HomeAddress, refresh+token).Want(t, 200, "")
		revoke().Want(t, 200, "")
		s.From(harness.HomeAddress, refresh+token).Want(t, 400, "invalid_grant")
	}
}

// By CORS a page is answered, since a form needs no pre-flight. It has attempts of its
// own.
func TestAPageOfAnotherSiteTakesNothingFromTheOwner(t *testing.T) {
	s := harness.StartThrottle(t, "throttle {\nfailures 2\naccount_ceiling 6\n}") // an address has 20
	page := func(peer, form string) harness.Answer {
		return s.From(peer, form, harness.FetchHeaders("cross-site", "cors")...)
	}
	s.AppLogin(harness.HomeAddress, "alice", "correct horse").Want(t, 200, "")
	harness.WrongLogins(t, 2, func(password string) harness.Answer {
		return page(harness.HomeAddress, harness.AppForm("alice", password))
	})
	if line := s.LastRefusal(); line["reason"] != "wrong_password" || line["cross_site"] != true {
		t.Errorf("the log has %v", line)
	}
	for range 5 {
		page(harness.HomeAddress, harness.AppForm("alice", harness.WrongPassword())).Throttled(t, 30)
		s.WantLimit("pair")
	}
	page(harness.HomeAddress, harness.AppForm("alice", "correct horse")).Throttled(t, 30)
	// the owner has all her attempts
	harness.WrongLogins(t, 1, func(password string) harness.Answer { return s.AppLogin(harness.HomeAddress, "alice", password) })
	s.AppLogin(harness.HomeAddress, "alice", "correct horse").Want(t, 200, "")
	s.From(harness.HomeAddress, harness.AppForm("alice", "correct horse"), harness.FetchHeaders("same-site", "cors")...).Want(t, 200, "")
	page(harness.HomeAddress, harness.AppForm("alice", "correct horse")).Throttled(t, 30) // and gives the page none

	// it is counted for the account and for the address
	for n := range 3 {
		harness.WrongLogins(t, 2, func(password string) harness.Answer {
			return page(harness.StrangerAddress(n), harness.AppForm("alice", password))
		})
	}
	s.AppLogin(harness.StrangerAddress(9), "alice", "correct horse").Throttled(t, 3600)
	s.WantLimit("account")
	s.AppLogin(harness.HomeAddress, "alice", "correct horse").Want(t, 200, "")
	for n := range 18 {
		page(harness.HomeAddress, harness.AppForm(fmt.Sprint("nobody", n), "wrong")).Want(t, 400, "invalid_grant")
	}
	page(harness.HomeAddress, harness.AppForm("somebody", "wrong")).Throttled(t, 30)
	s.WantLimit("address")
	s.AppLogin(harness.HomeAddress, "bob", "correct horse").Throttled(t, 30) // as behind any shared address
	s.WantLimit("address")
	s.AppLogin(harness.HomeAddress, "alice", "correct horse").Want(t, 200, "")
	s.AppLogin(harness.HomeAddress, "alice", harness.WrongPassword()).Throttled(t, 30)
	s.AppLogin(harness.HomeAddress, "alice", "correct horse").Want(t, 200, "")
}

// A page that may use the API logs in. That makes only such pages known at the address.
func TestAPageOfAnotherSiteLogsIn(t *testing.T) {
	s := harness.StartThrottle(t, "throttle {\nfailures 2\n}")
	page := func(form string) harness.Answer {
		return s.From(harness.HomeAddress, form, harness.FetchHeaders("cross-site", "cors")...)
	}
	page(harness.AppForm("alice", "correct horse")).Want(t, 200, "")
	page(harness.LoginForm()).Want(t, 200, "") // by a client with a secret
	for n := range 20 {
		s.AppLogin(harness.HomeAddress, fmt.Sprint("nobody", n), "wrong").Want(t, 400, "invalid_grant")
	}
	page(harness.AppForm("alice", "correct horse")).Want(t, 200, "")
	s.AppLogin(harness.HomeAddress, "alice", "correct horse").Throttled(t, 30)
	s.WantLimit("address")
	// nor has its success, or the owner's, taken the failures of the other away
	s.Restart(harness.ThrottleOptions, harness.ThrottleConfig(t, "throttle {\nfailures 2\n}"))
	harness.WrongLogins(t, 2, func(password string) harness.Answer { return s.AppLogin(harness.HomeAddress, "alice", password) })
	page(harness.AppForm("alice", "correct horse")).Want(t, 200, "")
	s.AppLogin(harness.HomeAddress, "alice", "correct horse").Throttled(t, 30)
	s.WantLimit("pair")
}

// B17: a page cannot make the owner's back end wait, which may be at the same address.
func TestAPageOfAnotherSiteTakesNothingFromAClient(t *testing.T) {
	for _, path := range []string{"/token", "/token/revoke", "/token/introspect"} {
		t.Run(path, func(t *testing.T) {
			s := harness.StartThrottle(t, "")
			cors := harness.FetchHeaders("cross-site", "cors")
			for range 5 {
				s.FromTo(harness.HomeAddress, path, harness.LoginForm("client_secret", harness.WrongPassword(), "token", "x"), cors...).Want(t, 400, "invalid_client")
			}
			s.FromTo(harness.HomeAddress, path, harness.LoginForm("token", "x"), cors...).Throttled(t, 30)
			s.WantLimit("pair")
			s.From(harness.HomeAddress, harness.LoginForm()).Want(t, 200, "")
		})
	}
}

// The users of a back end are one source; what its page of another site does is not
// theirs.
func TestAPageOfAnotherSiteWithASecretTakesNothingFromTheBackEnd(t *testing.T) {
	s := harness.StartThrottle(t, "")
	cors := harness.FetchHeaders("cross-site", "cors")
	harness.WrongLogins(t, 5, func(password string) harness.Answer {
		return s.From(harness.HomeAddress, harness.LoginForm("password", password), cors...)
	})
	s.From(harness.HomeAddress, harness.LoginForm(), cors...).Throttled(t, 30)
	s.From(harness.StrangerAddress(1), harness.LoginForm(), cors...).Throttled(t, 30) // as wherever the client is
	s.From(harness.HomeAddress, harness.LoginForm()).Want(t, 200, "")
	s.From(harness.BackEndAddress, harness.LoginForm()).Want(t, 200, "")
}

// What needs no secret, and what the site answers for itself, is as it was.
func TestOtherEndpointsAnswerPagesOfOtherSites(t *testing.T) {
	s := harness.Start(t, `http://:%PORT% {
	@preflight {
		method OPTIONS
	}
	token_endpoint {
		issuer http://localhost
		allow_http
		client app {
			public
		}
		user alice `+harness.HashBcrypt+`
	}
	respond @preflight 204
	respond app
}
`)
	for name, headers := range blindHeaders {
		for _, path := range []string{"/token/jwks", "/.well-known/oauth-authorization-server", "/app"} {
			if a := s.Do(s.Request("GET", path, "", headers...)); a.Status != 200 {
				t.Errorf("%s, %s: %d", name, path, a.Status)
			}
		}
		if a := s.Do(s.Request("OPTIONS", "/token", "", headers...)); a.Status != 204 {
			t.Errorf("%s: a pre-flight: %d", name, a.Status)
		}
		s.Do(s.Request("GET", "/token", "", headers...)).Want(t, 405, "invalid_request")
		s.Post("/token?password=x", harness.AppForm("alice", "x"), headers...).Want(t, 400, "invalid_request")
	}
}

// The body of what is refused is not waited for.
func TestABodyOfAPageOfAnotherSiteIsNotRead(t *testing.T) {
	s := harness.StartThrottle(t, "")
	w := s.DialFrom(harness.HomeAddress)
	defer w.Close()
	w.Send(strings.Replace(s.RawPost("/token", "", blindHeaders["no-cors"]...), "Content-Length: 0", "Content-Length: 1000", 1))
	w.Receive().Want(t, 403, "invalid_request")
}
