package keys

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
)

// ending is a site whose owners and keys come from wherever a test says.
type ending struct {
	*harness.Site
	ring
}

func newEnding(t *testing.T) ending { return ending{harness.NewSite(t), make(ring)} }

// serve reloads the site with these lines of the endpoint.
func (e ending) serve(lines string) {
	e.T.Helper()
	e.Reload("", "http://127.0.0.1:%PORT% {\nbind 127.0.0.1\ntoken_endpoint {\nthrottle off\nclient web {\npublic\n}\n"+lines+"\n}\nbearer_auth {\nkeys\nclients\n}\nrespond {http.auth.user.key_name}\n}\n")
}

func (e ending) status(name string) int {
	e.T.Helper()
	return e.Do(e.Request("GET", "/", "", harness.Bearer(e.key(name)))).Status
}

func (e ending) soon(name string, status int) {
	e.T.Helper()
	harness.Eventually(e.T, fmt.Sprintf("%s is answered %d; the last reason is %q", name, status, e.LastReason()), func() bool { return e.status(name) == status })
}

// wantEnded fails the test unless the log says of these keys, and of no others, that they
// ended.
func (e ending) wantEnded(names ...string) {
	e.T.Helper()
	var ended []string
	for _, line := range e.Logged(func(line map[string]any) bool { return line["msg"] == "API key ended: its owner is gone" }) {
		ended = append(ended, text(line, "api_key"))
	}
	if strings.Join(ended, " ") != strings.Join(names, " ") {
		e.T.Errorf("ended are %q, want %q", ended, names)
	}
}

// keyOf is an entry of a key in JSON.
func (e ending) keyOf(name, owner string) string {
	hash := strings.Fields(e.line(name, owner))[1]
	field, of, _ := strings.Cut(owner, "=")
	return fmt.Sprintf(`{"name": %q, "hash": %q, %q: %q}`, name, hash, field, of)
}

// The file is followed once for users and once for keys, at different times.
func TestAKeyThatComesWithItsOwnerInOneWriteIsGood(t *testing.T) {
	e := newEnding(t)
	all := func(users, keys []string) string {
		for i, name := range users {
			users[i] = strings.ReplaceAll(user(name, ``), "HASH", harness.HashCheap)
		}
		return `{"users": [` + list(users...) + `], "api_keys": [` + list(keys...) + `]}`
	}
	users, keys := []string{"alice"}, []string{e.keyOf("alices", "user=alice")}
	e.Write("all.json", all([]string{"alice"}, keys))
	e.serve("users json %DIR%/all.json")
	time.Sleep(30 * time.Millisecond) // so that the polls are apart
	e.serve("users json %DIR%/all.json\napi_keys json %DIR%/all.json")
	e.soon("alices", 200)
	for i := range 8 {
		name := fmt.Sprintf("new-%d", i)
		users, keys = append(users, name), append(keys, e.keyOf(name, "user="+name))
		e.Write("all.json", all(append([]string(nil), users...), keys))
		time.Sleep(time.Duration(i) * 15 * time.Millisecond)
		e.soon(name, 200)
	}
	e.wantEnded()
}

func TestAKeyStaysWhenItsOwnerMovesToAnotherFile(t *testing.T) {
	e := newEnding(t)
	e.Write("keys.txt", e.lines("alices", "user=alice", "carols", "user=carol"))
	users := func(names ...string) string {
		var lines strings.Builder
		for _, name := range names {
			fmt.Fprintf(&lines, "%s:%s\n", name, harness.HashCheap)
		}
		return lines.String()
	}
	e.Write("a.txt", users("alice", "bob", "carol"))
	e.Write("b.txt", users("dora"))
	e.serve("users htpasswd %DIR%/a.txt\napi_keys lines %DIR%/keys.txt")
	time.Sleep(50 * time.Millisecond)
	e.serve("users htpasswd %DIR%/a.txt\nusers htpasswd %DIR%/b.txt\napi_keys lines %DIR%/keys.txt")
	e.soon("alices", 200)
	for range 4 {
		e.Write("b.txt", users("alice", "dora"))
		e.Write("a.txt", users("bob", "carol"))
		time.Sleep(400 * time.Millisecond)
		e.soon("alices", 200)
		e.Write("a.txt", users("alice", "bob", "carol"))
		e.Write("b.txt", users("dora"))
		time.Sleep(300 * time.Millisecond)
		e.soon("alices", 200)
	}
	e.wantEnded()

	// a file that cannot be read may have the owner, so that decides nothing
	e.WriteOld("b.txt", "alice\n")
	harness.Eventually(t, "the file is found broken", func() bool {
		return len(e.Logged(func(line map[string]any) bool {
			return line["msg"] == "file is unusable; its last good version stays active"
		})) > 0
	})
	e.Write("a.txt", users("bob", "carol"))
	e.soon("alices", 401)
	time.Sleep(300 * time.Millisecond)
	e.wantEnded()
	e.Write("b.txt", users("alice", "dora"))
	e.soon("alices", 200)

	e.Write("b.txt", users("dora")) // and now she leaves
	e.soon("alices", 401)
	harness.Eventually(t, "the key has ended", func() bool { e.status("alices"); return e.LastReason() == "the API key ended when its owner left" })
	e.wantEnded("alices")
	e.Write("a.txt", users("alice", "carol"))
	harness.Eventually(t, "alice is there again", func() bool {
		return e.Post("/token", e.Public("web").Form("grant_type", "password", "username", "alice", "password", "correct horse")).Status == 200
	})
	if e.status("alices") != 401 || e.status("carols") != 200 {
		t.Errorf("alice's key is answered %d, carol's %d", e.status("alices"), e.status("carols"))
	}
}

func TestAConfigThatIsMendedAtOnceEndsNoKey(t *testing.T) {
	e := newEnding(t)
	e.Write("keys.txt", e.lines("alices", "user=alice"))
	alice := "user alice " + harness.HashCheap + "\napi_keys lines %DIR%/keys.txt"
	e.serve(alice)
	e.soon("alices", 200)
	e.serve(strings.Replace(alice, "alice", "alicia", 1))
	if got := e.status("alices"); got != 401 {
		t.Errorf("without its owner the key is answered %d", got)
	}
	time.Sleep(200 * time.Millisecond)
	e.serve(alice)
	e.soon("alices", 200)
	e.wantEnded()
}

// caddy grant key add --config knows owners in a config that Caddy has not loaded yet.
func TestAKeyThatComesBeforeItsOwnerWaits(t *testing.T) {
	e := newEnding(t)
	e.Write("keys.txt", e.lines("alices", "user=alice"))
	lines := "user alice " + harness.HashCheap + "\napi_keys lines %DIR%/keys.txt"
	e.serve(lines)
	e.soon("alices", 200)
	e.Write("keys.txt", e.lines("alices", "user=alice", "nightly", "client=batch", "lost", "client=nobody"))
	waiting := func(line map[string]any) bool {
		return line["msg"] == "an API key is refused until its owner is there"
	}
	harness.Eventually(t, "the log names the keys that wait", func() bool { return len(e.Logged(waiting)) == 2 })
	if got := e.status("nightly"); got != 401 {
		t.Errorf("without its owner the key is answered %d", got)
	}
	e.serve(lines + "\nclient batch {\nsecret batch-secret\n}")
	e.soon("nightly", 200)
	e.Write("keys.txt", e.lines("alices", "user=alice", "nightly", "client=batch"))
	time.Sleep(300 * time.Millisecond)
	if n := len(e.Logged(waiting)); n != 2 {
		t.Errorf("the log has %d lines of keys that wait", n)
	}
	e.wantEnded()
}
