package keys

import (
	"fmt"
	"strings"
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
)

// liveSite has its owners in files.
const liveSite = `http://127.0.0.1:%PORT% {
	bind 127.0.0.1
	log
	token_endpoint {
		issuer          https://api.example.com
		scopes          read write
		throttle        off
		revocation_poll 1s
		users    json  %DIR%/users.json
		clients  json  %DIR%/clients.json
		client desk {
			public
			scopes read write
		}
		api_keys lines %DIR%/keys.txt
	}
	handle /metrics {
		metrics
	}
	bearer_auth /app* {
		keys
		clients
		copy_claims sub>X-User email>X-Email
	}
	bearer_auth /write* {
		keys
		scopes write
	}
	respond /app "in"
	respond /who "{http.auth.user.scope}"
	respond "the app"
}
`

// live is a site whose owners come and go.
type live struct {
	*harness.Site
	ring
	hash string
}

// startLive serves [liveSite] from a process of its own.
func startLive(t *testing.T, keys ring, users, clients, file string) live {
	t.Helper()
	l := live{ring: keys, hash: harness.CheapHash(t, "correct horse")}
	l.Site = harness.ApartIn(t, liveSite, func(s *harness.Site) {
		l.Site = s
		l.write(users, clients)
		s.WriteOld("keys.txt", file)
	})
	return l
}

// write writes the owners; HASH is the hash of a password.
func (l live) write(users, clients string) {
	l.T.Helper()
	l.Write("users.json", strings.ReplaceAll(`{"users": [`+users+`]}`, "HASH", l.hash))
	l.Write("clients.json", strings.ReplaceAll(`{"clients": [`+clients+`]}`, "HASH", l.hash))
}

// status is how a path answers to a key.
func (l live) status(path, name string) int {
	l.T.Helper()
	return l.Do(l.Request("GET", path, "", harness.Bearer(l.key(name)))).Status
}

// soon waits until the app's edge answers so to a key.
func (l live) soon(path, name string, status int) {
	l.T.Helper()
	harness.Eventually(l.T, fmt.Sprintf("%s answers %d to %s", path, status, name), func() bool { return l.status(path, name) == status })
}

// want fails the test unless the app's edge answers so to keys.
func (l live) want(status int, names ...string) {
	l.T.Helper()
	for _, name := range names {
		if got := l.status("/app", name); got != status {
			l.T.Errorf("%s: got %d, want %d; the log says %q", name, got, status, l.LastReason())
		}
	}
}

// user is an entry in a file of users, with more members.
func user(name, more string) string {
	return fmt.Sprintf(`{"username": %q, "password_hash": "HASH"%s}`, name, more)
}

const (
	batch = `{"id": "batch", "secret_hash": "HASH", "scopes": ["read"]}`
	other = `{"id": "web", "secret_hash": "HASH", "scopes": ["read"]}`
)

func list(entries ...string) string { return strings.Join(entries, ",\n") }

func TestAKeyIsWhatItsOwnerIsToday(t *testing.T) {
	t.Parallel()
	keys := make(ring)
	l := startLive(t, keys, list(
		user("alice", `, "scopes": ["read", "write"], "claims": {"email": "old@example.com"}`), user("bob", ``), user("carol", ``),
	), list(batch), keys.lines("alices", "user=alice scopes=read,write", "bobs", "user=bob", "carols", "user=carol", "nightly", "client=batch scopes=read,write"))
	l.want(200, "alices", "bobs", "carols", "nightly")
	if got := l.status("/write", "alices"); got != 200 {
		t.Errorf("/write: got %d", got)
	}

	hash := harness.CheapHash(t, "another password")
	l.Write("users.json", strings.ReplaceAll(`{"users": [`+list(
		user("alice", `, "scopes": ["read"], "claims": {"email": "new@example.com"}`), user("bob", `, "disabled": true`), strings.Replace(user("carol", ``), "HASH", hash, 1),
	)+`]}`, "HASH", l.hash))
	l.soon("/app", "bobs", 401)
	if got := l.LastReason(); got != "the owner of the API key is disabled" {
		t.Errorf("the log says %q", got)
	}
	l.want(200, "alices", "carols", "nightly") // a new password does not end a key
	if got := l.status("/write", "alices"); got != 403 {
		t.Errorf("a scope was taken from alice: got %d", got)
	}

	l.write(list(user("alice", ``), user("bob", ``), user("carol", ``)), list(batch))
	l.soon("/app", "bobs", 200)
	l.want(200, "alices", "carols")
	if got := l.status("/write", "alices"); got != 200 {
		t.Errorf("alice has the scope again: got %d", got)
	}
}

// RFC 9700 §4.15 in spirit: a name that is given again names someone else.
func TestANewOwnerOfAnOldNameDoesNotInheritItsKeys(t *testing.T) {
	t.Parallel()
	keys := make(ring)
	all := list(user("alice", ``), user("bob", `, "id": "u-2"`), user("carol", ``))
	l := startLive(t, keys, all, list(batch, other),
		keys.lines("alices", "user=alice", "bobs", "user_id=u-2", "carols", "user=carol", "nightly", "client=batch", "unused", "user=alice", "webs", "client=web"))
	l.want(200, "alices", "bobs", "carols", "nightly", "webs")

	l.write(list(user("carol", ``)), list(other))
	l.soon("/app", "alices", 401)
	l.soon("/app", "bobs", 401)
	l.soon("/app", "nightly", 401)
	l.want(200, "carols", "webs")
	ended := func() []map[string]any {
		return l.Logged(func(line map[string]any) bool { return line["msg"] == "API key ended: its owner is gone" })
	}
	harness.Eventually(t, "the keys have ended", func() bool { return len(ended()) == 3 }) // alices, unused, nightly

	l.write(all, list(batch, other))
	l.soon("/app", "bobs", 200) // whose id came back, and which tells that the file was read
	l.want(401, "alices", "unused")
	if got := l.LastReason(); got != "the API key ended when its owner left" {
		t.Errorf("the log says %q", got)
	}
	harness.Eventually(t, "the client is back", func() bool { // as its own file says
		return l.Post("/token", l.As("batch").Form("grant_type", "password", "username", "carol", "password", "correct horse", "client_secret", "correct horse")).Status == 200
	})
	l.want(401, "nightly")
	l.want(200, "carols", "webs")

	if n := len(ended()); n != 3 {
		t.Errorf("the log says of %d keys that they ended", n)
	}

	l.Reload("", strings.Replace(liveSite, "scopes          read write", "scopes          read write more", 1))
	for range 5 {
		l.want(401, "alices", "unused", "nightly")
		l.want(200, "bobs", "carols")
	}
	l.Write("keys.txt", keys.lines("alices-new", "user=alice", "alices", "user=alice", "nightly", "client=batch")) // another key does
	l.soon("/app", "alices-new", 200)
	l.want(401, "alices", "nightly")
}

func TestAKeyEndsWithItsLine(t *testing.T) {
	t.Parallel()
	keys := make(ring)
	l := startLive(t, keys, list(user("alice", ``)), list(batch), keys.lines("first", "user=alice", "second", "user=alice"))
	l.want(200, "first", "second")
	l.want(401, "third")

	l.Write("keys.txt", keys.lines("second", "user=alice scopes=write", "third", "user=alice"))
	l.soon("/app", "first", 401)
	l.want(200, "second", "third")
	if got := l.status("/write", "second"); got != 200 {
		t.Errorf("the key has a scope now: got %d", got)
	}
	l.Write("keys.txt", keys.lines("second", "user=alice expires=2020-01-01", "third", "user=alice"))
	l.soon("/app", "second", 401)
	l.Write("keys.txt", "# none\n")
	l.soon("/app", "third", 401)
	harness.Eventually(t, "the series of keys without a line are gone", func() bool { return !strings.Contains(l.Exposition(), `key="third"`) })
}

// C18: a broken file keeps the last good version; at start it refuses the config.
func TestABrokenFileOfKeysKeepsTheLastGoodVersion(t *testing.T) {
	t.Parallel()
	keys := make(ring)
	good := keys.lines("first", "user=alice", "second", "user=alice")
	l := startLive(t, keys, list(user("alice", ``)), list(batch), good)
	l.want(200, "first", "second")

	broken := keys.lines("third", "user=alice") + "# a comment\nfourth " + keys.key("fourth") + " user=alice\n"
	l.WriteOld("keys.txt", broken)
	path := l.Path("keys.txt")
	successful := `file_last_reload_successful{`
	failed := func() bool {
		for name, value := range l.Metrics() {
			if strings.HasPrefix(name, successful) && strings.Contains(name, path) {
				return value == 0
			}
		}
		return false
	}
	harness.Eventually(t, "the metrics say that the file is broken", failed)
	l.want(200, "first", "second")
	l.want(401, "third", "fourth")
	lines := l.Logged(func(line map[string]any) bool {
		return line["msg"] == "file is unusable; its last good version stays active"
	})
	if len(lines) == 0 || !strings.Contains(text(lines[0], "error"), "line 3") {
		t.Errorf("the log says %v", lines)
	}
	for name, key := range keys {
		if strings.Contains(l.RawLog(), key[8:]) {
			t.Errorf("the log has the key %s", name)
		}
	}

	// a reload of the config is not refused, and a start is
	l.Reload("", liveSite)
	l.soon("/app", "first", 200)
	fresh := harness.NewSite(t)
	fresh.Write("users.json", strings.ReplaceAll(`{"users": [`+user("alice", ``)+`]}`, "HASH", l.hash))
	fresh.Write("clients.json", strings.ReplaceAll(`{"clients": [`+batch+`]}`, "HASH", l.hash))
	fresh.Write("keys.txt", broken)
	config, err := harness.Adapt(fresh.Expand(strings.Replace(harness.GlobalOptions, "%OPTIONS%", "", 1) + liveSite))
	if err != nil {
		t.Fatal(err)
	}
	err = harness.Validate(t, string(config))
	harness.WantLoadError(t, err, "keys.txt", "line 3", "only its hash")
	if err != nil && strings.Contains(err.Error(), keys.key("fourth")[8:]) {
		t.Errorf("the error has the key: %v", err)
	}

	l.WriteOld("keys.txt", keys.lines("third", "user=alice"))
	l.soon("/app", "third", 200)
	l.want(401, "first", "second")
	harness.Eventually(t, "the metrics say that the file is good", func() bool { return !failed() })
}

func TestAFileMayHaveManyKeys(t *testing.T) {
	t.Parallel()
	keys := make(ring)
	var file strings.Builder
	for i := range 10_000 {
		file.WriteString(keys.line(fmt.Sprintf("key-%d", i), "user=alice scopes=read note=one of many"))
	}
	l := startLive(t, keys, list(user("alice", ``)), list(batch), file.String())
	l.want(200, "key-0", "key-4999", "key-9999")
	l.want(401, "one-more")
	lines := strings.SplitAfter(file.String(), "\n")
	l.Write("keys.txt", strings.Join(lines[:5000], "")+keys.line("one-more", "user=alice"))
	l.soon("/app", "key-9999", 401)
	l.want(200, "key-0", "key-4999", "one-more")
	// and all end with their owner
	l.write(list(user("bob", ``)), list(batch))
	l.soon("/app", "key-4999", 401)
	l.want(401, "key-0", "one-more")
}
