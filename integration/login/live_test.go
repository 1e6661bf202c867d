package login

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
)

const fileOfUsers = `{"users": [%s]}`

func userEntry(t *testing.T, password, more string) string {
	return fmt.Sprintf(`{"username": "alice", "id": "u-1", "password_hash": %q%s}`, harness.CheapHash(t, password), more)
}

// A session is checked against the file as it is now.
func TestChangesOfTheUser(t *testing.T) {
	hash := userEntry(t, "correct horse", "")
	for _, test := range []struct {
		name, after string
		want        string // X-User and X-Email, or the status
		write       string // of a page that needs the scope write
	}{
		{"removed", "", "401", "401"},
		{"disabled", strings.Replace(hash, "}", `, "disabled": true}`, 1), "401", "401"},
		{"another password", userEntry(t, "another one", ""), "401", "401"},
		{"the same password in another hash", userEntry(t, "correct horse", ""), "401", "401"},
		{"another id", strings.Replace(hash, "u-1", "u-9", 1), "401", "401"},
		{"another name", strings.Replace(hash, "alice", "alicia", 1), "u-1 <nil>", "200"},
		{"a scope taken", strings.Replace(hash, "}", `, "scopes": ["read"]}`, 1), "u-1 <nil>", "403"},
		{"all scopes taken", strings.Replace(hash, "}", `, "scopes": ["none"]}`, 1), "u-1 <nil>", "403"},
		{"a claim given", strings.Replace(hash, "}", `, "claims": {"email": "a@example.com"}}`, 1), "u-1 [a@example.com]", "200"},
	} {
		t.Run(test.name, func(t *testing.T) {
			app := harness.NewApp(t)
			s := harness.NewSite(t)
			s.Client.CheckRedirect = noRedirects
			path := s.WriteOld("users.json", fmt.Sprintf(fileOfUsers, hash))
			s.Reload("", app.In(lines{routes: "bearer_auth /write* {\n\t\tscopes write\n\t}"}.in(strings.Replace(
				strings.ReplaceAll(pageSite, "user alice "+harness.HashCheap+" {\n\t\t\tclaim email alice@example.com\n\t\t}", "users json "+path),
				"copy_claims sub>X-User email>X-Email", "copy_claims sub>X-User email>X-Email preferred_username>X-Name", 1))))
			b := loggedIn(t, s, "alice")
			seen := func() string {
				a := b.fetch("GET", "/app")
				if a.Status != 200 {
					return fmt.Sprint(a.Status)
				}
				return userOf(a) + " " + fmt.Sprint(a.JSON["Header"].(map[string]any)["X-Email"])
			}
			if got := seen(); got != "u-1 <nil>" {
				t.Fatalf("before: %s", got)
			}
			s.WriteOld("users.json", fmt.Sprintf(fileOfUsers, test.after+other(t, test.after)))
			deadline := time.Now().Add(harness.Patience)
			for {
				got, write := seen(), fmt.Sprint(b.fetch("GET", "/write").Status)
				if got == test.want && write == test.write {
					break
				}
				if time.Now().After(deadline) {
					t.Fatalf("got %s and %s, want %s and %s", got, write, test.want, test.write)
				}
				time.Sleep(20 * time.Millisecond)
			}
			if test.want == "401" {
				if where, a := b.follow("/app"); !isForm(a) {
					t.Errorf("a navigation: %d at %s", a.Status, where)
				}
			}
		})
	}
}

// other is a user more, so that the file changes in any case.
func other(t *testing.T, before string) string {
	entry := strings.NewReplacer("alice", "dave", "u-1", "u-77").Replace(userEntry(t, "x", ""))
	if before == "" {
		return entry
	}
	return ", " + entry
}

// A reload changes what sessions may, or ends them.
func TestChangesOfTheConfig(t *testing.T) {
	for _, test := range []struct {
		name     string
		edit     *strings.Replacer
		want     string
		writable int
	}{
		{"nothing", strings.NewReplacer(), "alice", 200},
		{"the page's scopes are fewer", strings.NewReplacer("login_page {", "login_page {\n\t\t\tscopes read"), "alice", 403},
		{"the server's scopes are fewer", strings.NewReplacer("scopes read write\n\t\tlogin_page", "scopes read\n\t\tlogin_page"), "alice", 403},
		{"the page has another path", strings.NewReplacer("login_page {", "login_page /other {"), "alice", 200},
		{"the cookie has another name", strings.NewReplacer("login_page {", "login_page {\n\t\t\tcookie_name x"), "401", 401},
		{"the page is gone", strings.NewReplacer("login_page {\n\t\t\t\n\t\t}", ""), "401", 401},
		{"a shorter idle time", strings.NewReplacer("login_page {", "login_page {\n\t\t\tidle_ttl 2m"), "401", 401},
		{"the check's scopes", strings.NewReplacer("copy_claims sub>X-User email>X-Email", "copy_claims sub>X-User email>X-Email\n\t\tscopes write"), "alice", 200},
		{"the user is gone", strings.NewReplacer("user alice", "user alicia"), "401", 401},
	} {
		t.Run(test.name, func(t *testing.T) {
			app := harness.NewApp(t)
			site := app.In(lines{routes: "bearer_auth /write* {\n\t\tscopes write\n\t}"}.in(pageSite))
			s := startSite(t, "", site)
			b := loggedIn(t, s, "alice")
			later(t, 5*time.Minute)
			s.Reload("", test.edit.Replace(site))
			kept := b.cookies
			b.wantUserSoon(test.want)
			if got := newTab(t, s).with(kept...).fetch("GET", "/write").Status; got != test.writable {
				t.Errorf("a page that needs the scope write: %d", got)
			}
			s.Reload("", site)
			newTab(t, s).with(kept...).wantUserSoon("alice") // as before: nothing was revoked
		})
	}
}
