package machine

import (
	"net/http"
	"strings"
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
	"github.com/caddygrant/caddy-grant/internal/apikey"
)

// alone is an endpoint without users; %SETTINGS% is for its clients.
const alone = `http://127.0.0.1:%PORT% {
	bind 127.0.0.1
	token_endpoint {
		issuer https://api.example.com
		%SETTINGS%
	}
	bearer_auth {
		keys
		clients
	}
	respond {http.auth.user.client_id}
}
`

const backup = "client backup {\nsecret backup-secret\nscopes read\ngrants client_credentials\n}\n"

func startAlone(t *testing.T, settings string) *harness.Site {
	t.Helper()
	s := harness.NewSite(t)
	s.Write("clients.json", `{"clients": [{"id": "backup", "secret_hash": "`+harness.HashCheap+`", "grants": ["client_credentials"]}, {"id": "web", "public": true}]}`)
	s.Reload("", strings.Replace(alone, "%SETTINGS%", settings, 1))
	return s
}

func TestAServerForMachinesNeedsNoUsers(t *testing.T) {
	for name, settings := range map[string]string{
		"a client":                      backup,
		"clients in a file":             "allow_weak_hashes\nclients json %DIR%/clients.json",
		"where the server says so too":  "grants client_credentials\n" + backup,
		"where another client does not": backup + "client web {\npublic\n}",
	} {
		t.Run(name, func(t *testing.T) {
			s := startAlone(t, settings)
			secret := "backup-secret"
			if strings.Contains(settings, "json") {
				secret = "correct horse"
			}
			a := s.Post("/token", "grant_type=client_credentials", harness.Basic("backup", secret))
			a.Want(t, 200, "")
			if a := s.Do(s.Request(http.MethodGet, "/", "", harness.Bearer(a.Text(t, "access_token")))); a.Status != 200 || string(a.Body) != "backup" {
				t.Errorf("got %d %s", a.Status, a.Body)
			}
			s.Post("/token", "grant_type=password&username=alice&password=x", harness.Basic("backup", secret)).Want(t, 400, "unsupported_grant_type")
			s.Post("/token", "grant_type=refresh_token&refresh_token=x", harness.Basic("backup", secret)).Want(t, 400, "unsupported_grant_type")
			metadata := s.Do(s.Request(http.MethodGet, "/.well-known/oauth-authorization-server", ""))
			if got, want := metadata.JSON["grant_types_supported"], []any{"client_credentials"}; len(got.([]any)) != 1 || got.([]any)[0] != want[0] {
				t.Errorf("grant_types_supported is %v, want %v", got, want)
			}
		})
	}
}

func TestAServerForKeysOfClientsNeedsNoUsers(t *testing.T) {
	s := harness.NewSite(t)
	key := apikey.Make()
	s.Write("keys.txt", "nightly "+apikey.DigestOf(key).Hash()+" client=batch\n")
	s.Reload("", strings.Replace(alone, "%SETTINGS%", "client batch {\nsecret batch-secret\n}\napi_keys lines %DIR%/keys.txt", 1))
	if a := s.Do(s.Request(http.MethodGet, "/", "", harness.Bearer(key))); a.Status != 200 || string(a.Body) != "batch" {
		t.Errorf("got %d %s", a.Status, a.Body)
	}
	s.Post("/token", "grant_type=client_credentials", harness.Basic("batch", "batch-secret")).Want(t, 400, "unsupported_grant_type")
}

func TestWhoForgetsTheUsersIsTold(t *testing.T) {
	s := harness.NewSite(t)
	s.Write("web.json", `{"clients": [{"id": "web", "public": true}]}`)
	s.Write("keys.txt", "deploy "+apikey.DigestOf("x").Hash()+" user=alice\n")
	for name, settings := range map[string]string{
		"a client for people":              "client web {\npublic\n}",
		"a file of clients for people":     "clients json %DIR%/web.json",
		"keys alone":                       "api_keys lines %DIR%/keys.txt",
		"a login page":                     backup + "login_page",
		"the server offers passwords":      "grants password client_credentials\n" + backup,
		"the server offers refresh tokens": "grants refresh_token\n" + backup,
	} {
		if err := s.TryReload("", strings.Replace(alone, "%SETTINGS%", settings, 1)); err == nil || !strings.Contains(err.Error(), "no users: add ") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
