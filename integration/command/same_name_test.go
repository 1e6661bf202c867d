package command

import (
	"strings"
	"testing"
)

// Caddy reads a file every few seconds. Until it has, it does not know that the name is
// another's.
func TestKeysOfARemovedOwnerAreNamed(t *testing.T) {
	t.Parallel()
	key := func(n, members string) string {
		return `{"name": "k` + n + `", "hash": "sha256:` + strings.Repeat(n, 64) + `", ` + members + `}`
	}
	d := newDesk(t, "users", "alice:HASH\nbob:HASH\ncarol:HASH\n", "all.json", `{"users": [{"username": "alice", "password_hash": "HASH"}, {"username": "bob", "password_hash": "HASH", "id": "7"},
		{"username": "carol", "password_hash": "HASH"}, {"username": "dave", "password_hash": "HASH"}],
		"clients": [{"id": "alice", "public": true}, {"id": "web", "public": true}],
		"api_keys": [`+strings.Join([]string{
		key("1", `"user": "alice"`), key("2", `"user": "alice", "expires": "2020-01-01"`), key("3", `"user_id": "7"`), key("4", `"client": "alice"`),
		key("5", `"user": "alice"`), key("6", `"user": "alice"`), key("7", `"user": "alice"`), key("8", `"user": "alice"`), key("9", `"user": "dave"`)}, ",")+`]}`)
	for _, test := range []struct{ args, says string }{
		{"user remove alice -f users", "If there are API keys of this user, revoke them before another user gets the name."},
		{"user rename bob robert -f users", "If there are API keys of this user, revoke them before another user gets the name."},
		{"user remove alice -f all.json", "API keys of this user are in the file: k1, k2, k5, k6, k7 and 1 more. Revoke them before another user gets the name."},
		{"user rename dave david -f all.json", "API keys of this user are in the file: k9. Revoke them before another user gets the name."},
		{"user remove bob -f all.json", "API keys of this user are in the file: k3. Revoke them before another user gets the id."},
		{"client remove alice -f all.json", "API keys of this client are in the file: k4. Revoke them before another client gets the id."},
		{"client remove web -f all.json", "If there are API keys of this client, revoke them before another client gets the id."},
	} {
		if said := d.do("", strings.Fields(test.args)...); !strings.Contains(said, test.says+"\n") || strings.Contains(said, "1111") {
			t.Errorf("%s: %s", test.args, said)
		}
	}
	if said := d.do("", "user", "rename", "carol", "carola", "-f", "all.json", "--keep-id"); strings.Contains(said, "API key") {
		t.Errorf("a user who keeps the id: %s", said)
	}
}

// Apps could take such a client for the user, so it gets no tokens.
func TestAClientThatIsNamedLikeAUserOfTheFileIsSaid(t *testing.T) {
	t.Parallel()
	d := newDesk(t, "m.json", `{"users": [{"username": "backup", "password_hash": "HASH", "id": "7"}], "clients": []}`)
	add := func(args ...string) string {
		t.Helper()
		e := d.grant("", append([]string{"client", "add", "-f", "m.json"}, args...)...)
		if e.status != 0 {
			t.Errorf("%q: %s", args, e.stderr)
		}
		return e.stderr
	}
	for _, id := range []string{"backup", "7"} {
		wantText(t, add(id, "--grants", "client_credentials"), "Warning: the file has a user with the name or the id "+id+", so this client gets no tokens by client_credentials: choose an id that no user has.\n")
	}
	for _, said := range []string{add("nightly", "--grants", "client_credentials"), add("web", "--grants", "password"), d.do("pw of web", "user", "add", "web", "-f", "m.json")} {
		if strings.Contains(said, "no tokens by") {
			t.Error(said)
		}
	}
	add("weekly", "--grants", "client_credentials")
	for client, user := range map[string][]string{"nightly": {"nightly"}, "weekly": {"nina", "--id", "weekly"}} {
		wantText(t, d.do("pw of nightly", append([]string{"user", "add", "-f", "m.json"}, user...)...), "Warning: the file has a client "+client+", which gets no tokens by client_credentials as long as a user has that name or id")
	}
}
