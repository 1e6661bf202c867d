package directory

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"
)

// What a file could not hold does not come in through a source either, and the error
// names the source and never holds the hash.
func TestWhatASourceReturnsIsValidatedBeforeItIsUsed(t *testing.T) {
	with := func(change func(*User)) *User { u := alice(); change(u); return u }
	for _, test := range []struct {
		name string
		user *User
		want string
	}{
		{"a control character in the name", with(func(u *User) { u.Username = "al\x00ice" }), "control characters"},
		{"a control character in the id", with(func(u *User) { u.ID = "1\n" }), "control characters"},
		{"a name that is no UTF-8", with(func(u *User) { u.Username = "al\xffice" }), "UTF-8"},
		{"a long id", with(func(u *User) { u.ID = strings.Repeat("x", 256) }), "255"},
		{"a claim sub", with(func(u *User) { u.Claims = map[string]json.RawMessage{"sub": json.RawMessage(`"2"`)} }), "sub"},
		{"a claim that is no JSON", with(func(u *User) { u.Claims = map[string]json.RawMessage{"group": json.RawMessage(`{`)} }), "JSON"},
		{"a scope with a space", with(func(u *User) { u.Scopes = []string{"a b"} }), "scopes"},
		{"no hash", with(func(u *User) { u.PasswordHash = "" }), "password_hash"},
		{"a hash out of bounds", with(func(u *User) { u.PasswordHash = "$2a$31" + someHash[6:] }), "bcrypt"},
		{"a password for a hash", with(func(u *User) { u.PasswordHash = "correct horse" }), "hash"},
		{"a weak hash", with(func(u *User) { u.PasswordHash = "{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=" }), "allow_weak_hashes"},
		{"a credential version where the source checks nothing", with(func(u *User) { u.PasswordHash, u.CredentialVersion = "", "7" }), "does not check passwords"},
		{"a hash and a credential version", with(func(u *User) { u.CredentialVersion = "7" }), "keep one"},
	} {
		t.Run(test.name, func(t *testing.T) {
			d, _ := userDirectory(t, &fake{name: "users db", users: []*User{test.user}})
			user, err := d.ByUsername(t.Context(), test.user.Username)
			wantUnavailable(t, user, err, "users db", test.want)
			if !utf8.ValidString(err.Error()) || strings.ContainsAny(err.Error(), "\x00\n") {
				t.Errorf("the error has the character itself: %q", err)
			}
			for _, look := range []func(context.Context, string) (*User, error){d.BySubject, d.RecentBySubject} {
				user, err := look(t.Context(), test.user.Subject())
				if !possible(test.user.Subject()) { // such a token is made up
					wantUser(t, user, err, "")
				} else {
					wantUnavailable(t, user, err, "users db", test.want)
				}
			}
		})
	}
}

// A case-insensitive column returns alice for ALICE.
func TestAnotherSpellingIsNoSuchUser(t *testing.T) {
	d, _ := userDirectory(t, &fake{name: "users db", odd: alice()})
	for _, name := range []string{"ALICE", "alice ", "alicé", ""} {
		user, err := d.ByUsername(t.Context(), name)
		wantUser(t, user, err, "")
	}
	user, err := d.ByUsername(t.Context(), "alice")
	wantUser(t, user, err, "alice")
	for _, ask := range []func() (*User, error){
		func() (*User, error) { return d.BySubject(t.Context(), "01") },
		func() (*User, error) { return d.RecentBySubject(t.Context(), "1 ") },
	} {
		user, err := ask()
		wantUser(t, user, err, "")
	}
}

// The contract says that a user is never changed. A source that breaks it changes
// nothing that was admitted.
func TestASourceCannotChangeAUserLater(t *testing.T) {
	source := &fake{name: "users db", exact: true, users: []*User{{
		Username: "alice", PasswordHash: someHash, Scopes: []string{"a"}, Claims: map[string]json.RawMessage{"group": json.RawMessage(`"staff"`)},
	}}}
	d, _ := userDirectory(t, source)
	user, err := d.BySubject(t.Context(), "alice")
	wantUser(t, user, err, "alice")
	raw := source.users[0]
	raw.Scopes[0], raw.Claims["sub"] = "admin", json.RawMessage(`"2"`)
	copy(raw.Claims["group"], `"admin"`)
	if user.Scopes[0] != "a" || len(user.Claims) != 1 || string(user.Claims["group"]) != `"staff"` {
		t.Errorf("the user is now %v %s", user.Scopes, user.Claims)
	}
	user, err = d.BySubject(t.Context(), "alice")
	wantUnavailable(t, user, err, "users db", `"sub"`)
}

func TestEveryChangeOfAUserIsAnotherUser(t *testing.T) {
	claims := func() map[string]json.RawMessage {
		return map[string]json.RawMessage{"group": json.RawMessage(`"staff"`)}
	}
	source := &fake{name: "users db", users: []*User{alice()}}
	d, _ := userDirectory(t, source)
	before, err := d.BySubject(t.Context(), "1")
	wantUser(t, before, err, "alice")
	for name, change := range map[string]func(*User){
		"username":           func(u *User) { u.Username = "alicia" },
		"hash":               func(u *User) { u.PasswordHash = otherHash },
		"no scopes at all":   func(u *User) { u.Scopes = []string{} },
		"scopes":             func(u *User) { u.Scopes = []string{"a"} },
		"claims":             func(u *User) { u.Claims = claims() },
		"disabled":           func(u *User) { u.Disabled = true },
		"nothing, once more": func(*User) {},
	} {
		changed := alice()
		change(changed)
		source.set(func() { source.users = []*User{changed} })
		after, err := d.BySubject(t.Context(), "1")
		wantUser(t, after, err, changed.Username)
		if same := after == before; same && name != "nothing, once more" {
			t.Errorf("%s: the same pointer as before", name)
		}
		if !after.equal(changed) {
			t.Errorf("%s: %+v, want %+v", name, after, changed)
		}
		before = after
	}
	for range 3 { // with a scheme in braces, the hash is the same
		same := before.clone()
		same.PasswordHash = "{CRYPT}" + same.PasswordHash
		source.set(func() { source.users = []*User{same} })
		if after, err := d.BySubject(t.Context(), "1"); err != nil || after != before {
			t.Errorf("an equal user has another pointer: %v", err)
		}
	}
}
