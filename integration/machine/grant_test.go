package machine

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
)

func TestAClientGetsATokenForItself(t *testing.T) {
	s := start(t, "")
	for name, ask := range map[string]func() harness.Answer{
		"RFC 6749 §4.4.2: in the body": func() harness.Answer { return itself(s.As("backup")) },
		"RFC 6749 §2.3.1: in the header": func() harness.Answer {
			return s.Post("/token", "grant_type=client_credentials", harness.Basic("backup", "backup-secret"))
		},
	} {
		t.Run(name, func(t *testing.T) {
			a := ask()
			a.Want(t, 200, "")
			if members := slices.Sorted(maps.Keys(a.JSON)); !slices.Equal(members, []string{"access_token", "expires_in", "scope", "token_type"}) {
				t.Errorf("RFC 6749 §4.4.3: the answer has %v", members)
			}
			if a.Text(t, "token_type") != "Bearer" || a.Text(t, "scope") != "read" || a.JSON["expires_in"] != float64(3600) || a.Header.Get("Cache-Control") != "no-store" {
				t.Errorf("RFC 6749 §5.1: got %s, Cache-Control %q", a.Body, a.Header.Get("Cache-Control"))
			}
			_, claims := s.Verified(a.Text(t, "access_token"), "/token")
			for name, want := range map[string]string{
				"sub": "backup", "client_id": "backup", "cid": "backup", "gty": "client-credentials",
				"iss": "https://api.example.com", "scope": "read",
			} {
				if claims[name] != want {
					t.Errorf("RFC 9068 §2.2: %s is %v, want %q", name, claims[name], want)
				}
			}
			names := []string{"aud", "cid", "client_id", "cver", "exp", "gty", "iat", "iss", "jti", "nbf", "scope", "sid", "srv", "sub"}
			if has := slices.Sorted(maps.Keys(claims)); !slices.Equal(has, names) {
				t.Errorf("it has the claims %v, want %v", has, names)
			}
		})
	}
}

func TestTheTokenOfAUserSaysNothingOfAGrant(t *testing.T) {
	s := start(t, "")
	for _, id := range []string{"web", "both"} {
		_, claims := s.Verified(s.As(id).Login(t, "alice").Access, "/token")
		if _, there := claims["gty"]; there || claims["username"] != "alice" {
			t.Errorf("%s: the claims are %v", id, claims)
		}
	}
}

func TestScopesOfAClientThatActsForItself(t *testing.T) {
	s := start(t, "")
	for _, test := range []struct {
		client, asked, granted, code string
	}{
		{"backup", "", "read", ""},
		{"both", "", "read write", ""},
		{"backup", "write", "write", ""},
		{"backup", "write read", "write read", ""},
		{"backup", "admin", "", "invalid_scope"},
		{"backup", "read admin", "", "invalid_scope"},
		{"backup", "read\"", "", "invalid_scope"},
	} {
		a := itself(s.As(test.client), "scope", test.asked)
		if test.code != "" {
			a.Want(t, 400, test.code)
			continue
		}
		a.Want(t, 200, "")
		if got := a.Text(t, "scope"); got != test.granted || harness.TextClaim(t, a.Text(t, "access_token"), "scope") != test.granted {
			t.Errorf("%s asks for %q and gets %q, want %q", test.client, test.asked, got, test.granted)
		}
	}
}

func TestWhoGetsNoTokenForItself(t *testing.T) {
	s := start(t, "default_client cli")
	for _, test := range []struct {
		name, form, code, reason string
		status                   int
	}{
		{"RFC 6749 §5.2: a client without a list of grants", s.Web().Form(), "unauthorized_client", "grant_not_allowed", 400},
		{"RFC 6749 §5.2: a client whose list lacks the grant", s.As("monitor").Form(), "unauthorized_client", "grant_not_allowed", 400},
		{"RFC 6749 §4.4: a public client", "client_id=cli", "unauthorized_client", "grant_not_allowed", 400},
		{"RFC 6749 §4.4: a public client with a secret", "client_id=cli&client_secret=x", "invalid_client", "", 400},
		{"RFC 6749 §4.4: the default client", "x=y", "unauthorized_client", "grant_not_allowed", 400},
		{"RFC 6749 §5.2: a client that there is not", "client_id=no-such&client_secret=x", "invalid_client", "", 400},
		{"RFC 9700 §4.15: a user in the place of a client", "client_id=alice&client_secret=correct+horse", "invalid_client", "", 400},
		{"RFC 9700 §4.15: the login page", "client_id=login_page&client_secret=x", "invalid_client", "", 400},
		{"RFC 6749 §4.4.2: without a secret", "client_id=backup", "invalid_client", "no_client_secret", 400},
		{"RFC 6749 §2.3.1: with an empty secret", "client_id=backup&client_secret=", "invalid_client", "no_client_secret", 400},
		{"RFC 6749 §4.4.2: with a wrong secret", "client_id=backup&client_secret=wrong", "invalid_client", "wrong_client_secret", 400},
		{"RFC 6749 §4.4.2: with the secret of another client", "client_id=backup&client_secret=both-secret", "invalid_client", "wrong_client_secret", 400},
	} {
		t.Run(test.name, func(t *testing.T) {
			a := s.Post("/token", "grant_type=client_credentials&"+test.form)
			a.Want(t, test.status, test.code)
			harness.WellFormedError(t, a)
			if test.reason != "" && s.Reason() != test.reason {
				t.Errorf("the reason is %q, want %q", s.Reason(), test.reason)
			}
		})
	}
}

// RFC 6749 §3.2: parameters of another grant change nothing. There is no user, whatever
// they say.
func TestAUserInTheRequestIsIgnored(t *testing.T) {
	s := start(t, "")
	a := itself(s.As("both"), "username", "alice", "password", "correct horse", "refresh_token", s.As("both").Login(t, "alice").Refresh)
	a.Want(t, 200, "")
	if sub := harness.TextClaim(t, a.Text(t, "access_token"), "sub"); sub != "both" || a.JSON["refresh_token"] != nil {
		t.Errorf("the token is about %q: %s", sub, a.Body)
	}
}

func TestAClientThatActsForItselfNeverRefreshes(t *testing.T) {
	s := start(t, "")
	both := s.As("both")
	a := itself(both, "scope", "offline_access")
	a.Want(t, 400, "invalid_scope")
	a = itself(both)
	a.Want(t, 200, "")
	if a.JSON["refresh_token"] != nil {
		t.Error("RFC 6749 §4.4.3: there is a refresh token")
	}
	both.Refresh(a.Text(t, "access_token")).Want(t, 400, "invalid_grant")
	if tokens := both.Login(t, "alice"); tokens.Refresh == "" {
		t.Error("a login with the same client has no refresh token")
	}
}

// RFC 6749 §2.3.1: a wrong secret is counted as at any other grant: the secret is not guessed faster by
// this one.
func TestWrongSecretsAreThrottled(t *testing.T) {
	s := start(t, "")
	for i := range 6 {
		a := s.Post("/token", "grant_type=client_credentials&client_id=backup&client_secret=wrong"+string(rune('a'+i)))
		if want := 400; i == 5 {
			a.Want(t, 429, "temporarily_unavailable")
		} else {
			a.Want(t, want, "invalid_client")
		}
	}
	itself(s.As("backup")).Want(t, 429, "temporarily_unavailable")
	itself(s.As("both")).Want(t, 200, "")
}

func TestTheServerOffersTheGrantOnlyWhereAClientListsIt(t *testing.T) {
	const head = "http://127.0.0.1:%PORT% {\ntoken_endpoint {\nissuer https://api.example.com\nuser alice " + harness.HashBcrypt + "\n"
	const machine = "client backup {\nsecret backup-secret\ngrants client_credentials\n}\n"
	const plain = "client web {\nsecret web-secret\n}\n"
	for _, test := range []struct {
		name, lines, offered, code string
	}{
		{"a client lists it", machine, "password refresh_token client_credentials", ""},
		{"no client lists it", plain, "password refresh_token", "unsupported_grant_type"},
		{"the server lists it, and no client", plain + "grants password client_credentials", "password", "unsupported_grant_type"},
		{"both list it", machine + "grants client_credentials", "client_credentials", ""},
		{"the server's list lacks it", machine + "grants password refresh_token", "password refresh_token", "unsupported_grant_type"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := harness.StartCheap(t, head+test.lines+"\n}\n}\n")
			a := s.Do(s.Request("GET", "/.well-known/oauth-authorization-server", ""))
			var metadata struct {
				Grants []string `json:"grant_types_supported"`
			}
			if err := json.Unmarshal(a.Body, &metadata); err != nil || strings.Join(metadata.Grants, " ") != test.offered {
				t.Errorf("RFC 8414 §2: %v offered in %s", err, a.Body)
			}
			client := s.As("backup")
			if strings.Contains(test.lines, plain) {
				client = s.Web()
			}
			if a := itself(client); test.code != "" {
				a.Want(t, 400, test.code)
			} else {
				a.Want(t, 200, "")
			}
		})
	}
}

func TestAPublicClientWithTheGrantIsAConfigError(t *testing.T) {
	const remedy = "grants: a public client may not have client_credentials, since any program can pose as it and get its tokens: give it a secret, or remove client_credentials"
	_, err := harness.Adapt(harness.WebSite("client cli {\npublic\ngrants password client_credentials\n}"))
	harness.WantLoadError(t, err, "client \"cli\": "+remedy)

	s := harness.NewSite(t)
	s.Write("clients.json", `{"clients":[{"id":"cli","public":true,"grants":["client_credentials"]}]}`)
	err = s.TryReload("", harness.WebSite("user alice "+harness.HashCheap+"\nclients json %DIR%/clients.json"))
	harness.WantLoadError(t, err, "clients[0] (line 1): \"cli\": "+remedy)
}
