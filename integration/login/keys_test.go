package login

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
	"github.com/caddygrant/caddy-grant/internal/apikey"
)

// keyFile is a file with a key of bob.
func keyFile(t *testing.T) (path, key string) {
	t.Helper()
	path, key = filepath.Join(t.TempDir(), "keys.txt"), apikey.Make()
	if err := os.WriteFile(path, []byte("bobs "+apikey.DigestOf(key).Hash()+" user_id=u-2 scopes=read\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return path, key
}

// A credential that a program sends goes before the session of the browser, also where
// it is refused: what it asks for is done as its owner, or not at all.
func TestAKeyGoesBeforeTheSession(t *testing.T) {
	path, key := keyFile(t)
	for check, headerOf := range map[string]func(string) string{
		"keys":           harness.Bearer,
		"keys X-Api-Key": func(key string) string { return "X-Api-Key: " + key },
	} {
		t.Run(check, func(t *testing.T) {
			s, app := startPage(t, lines{server: "api_keys lines " + path, check: check})
			b := loggedIn(t, s, "alice")
			b.wantUser("alice")
			for credential, want := range map[string]string{
				headerOf(key):                    "u-2",
				headerOf(apikey.Make()):          "401",
				headerOf(key[:len(key)-1]):       "401",
				headerOf(key[:len(key)-1] + "_"): "401",
			} {
				app.Take()
				if got := b.user(credential); got != want {
					t.Errorf("the app takes the request for %q, want %q", got, want)
				}
				for _, received := range app.Take() {
					if strings.Contains(received.Header.Get("Authorization"), "cgk_") || strings.Contains(received.Header.Get("Cookie"), "grant") || received.Header.Get("X-Api-Key") != "" {
						t.Errorf("the app received %v", received.Header)
					}
				}
			}
			b.wantUser("alice")
		})
	}
}

func TestASessionAndTwoOtherCredentialsAreRefused(t *testing.T) {
	path, key := keyFile(t)
	s, _ := startPage(t, lines{server: "api_keys lines " + path, check: "keys X-Api-Key"})
	b := loggedIn(t, s, "alice")
	if got := b.user("X-Api-Key: "+key, harness.Bearer(s.Token("alice"))); got != "400" {
		t.Errorf("got %s", got)
	}
	if got := b.user("X-Api-Key: " + key); got != "u-2" {
		t.Errorf("got %s", got)
	}
	// a key where none are taken is the app's own, and the session counts
	s, _ = startPage(t, lines{server: "api_keys lines " + path})
	b = loggedIn(t, s, "alice")
	if got := b.user("X-Api-Key: " + key); got != "alice" {
		t.Errorf("got %s", got)
	}
}

// No app sees an API key, also where the session lets the request through and the key
// does not count. What is not one is the app's own.
func TestAKeyThatDoesNotCountBesideASessionIsRemoved(t *testing.T) {
	path, key := keyFile(t)
	for check, want := range map[string]string{"": "", "keys X-Api-Key": "", "keys X-Api-Key\n\t\tforward_token": "Bearer " + key} {
		s, app := startPage(t, lines{server: "api_keys lines " + path, check: check})
		b := loggedIn(t, s, "alice")
		for sent, want := range map[string]string{
			"Bearer " + key:                       want,
			"Bearer  cgk_nonsense":                strings.Replace(want, " "+key, "  cgk_nonsense", 1),
			"MediaBrowser Token=a, bearer " + key: strings.Replace(want, "Bearer", "MediaBrowser Token=a, bearer", 1),
			"Bearer abc":                          "Bearer abc",
			"MediaBrowser Token=\"cgk_\"":         "MediaBrowser Token=\"cgk_\"",
		} {
			app.Take()
			if got := b.user("Authorization: " + sent); got != "alice" {
				t.Errorf("%q with %s: the app takes the request for %q", check, sent[:8], got)
				continue
			}
			if got := app.One(t).Header.Get("Authorization"); got != want {
				t.Errorf("%q with %s: the app received %s, want %s", check, sent, got, want)
			}
		}
	}
}

func TestASessionThatLacksAClaimGetsAPage(t *testing.T) {
	s, app := startPage(t, lines{check: "require email *@example.com"})
	loggedIn(t, s, "alice").wantUser("alice")
	b := loggedIn(t, s, "bob")
	app.Take()
	a := b.open("/app")
	if a.Status != 403 || !strings.Contains(string(a.Body), "<html") || app.Reached() {
		t.Errorf("got %d %s", a.Status, a.Body)
	}
	if got := b.user(); got != "403" {
		t.Errorf("a script got %s", got)
	}
	line := s.LastRefusal()
	if line["claim_needed"] != "email" || line["user_id"] != "u-2" {
		t.Errorf("the log says %v", line)
	}
	if body := string(a.Body); strings.Contains(body, "example.com") || !strings.Contains(body, "bob") {
		t.Errorf("the page says %s", body)
	}
}
