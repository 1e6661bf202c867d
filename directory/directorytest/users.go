package directorytest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddygrant/caddy-grant/directory"
	"github.com/caddygrant/caddy-grant/internal/mac"
)

// Users is how the suite makes a source of users.
type Users struct {
	// Source returns a source that is ready for look-ups, with exactly these users.
	// Each has the [Password]. What has to be ended is left to t.Cleanup.
	Source func(t *testing.T, users ...directory.User) directory.Users

	// Change replaces the users of the source that was made last. When it returns,
	// look-ups must know. Nil if the users of a source never change.
	Change func(t *testing.T, users ...directory.User)

	// Break takes away from the source that was made last what it needs, such as its
	// database. Nil if there is nothing.
	Break func(t *testing.T)

	// Plain says that users of the source have a name and a hash only.
	Plain bool
}

// Password is that of all users, and Hash its bcrypt hash. It is the secret of clients
// as well.
const (
	Password = "correct horse"
	Hash     = "$2a$04$B3eUMEzS7Up0.eoz/ITSl.v6Z0eJmr0oh3JDZP2q6hmhXgpHjn4jO"
)

// another is the hash of another password.
const another = "$2a$04$qgxHIUzuiP.yppgJjmVMNeTLLTr9tRLXmlP6fZUC1j.FjrR9QsSEa"

// TestUsers tests all that the contract of [directory.Users] says, and of the optional
// interfaces that the source has.
func TestUsers(t *testing.T, s Users) {
	users := s.users()
	t.Run("finds each user by name and by subject", func(t *testing.T) { s.finds(t, users) })
	t.Run("has no other user", func(t *testing.T) { s.hasNoOther(t, users) })
	t.Run("changes no user that it has returned", func(t *testing.T) { s.changesNone(t, users) })
	t.Run("is safe for concurrent use", func(t *testing.T) { s.concurrent(t, users) })
	t.Run("returns when the context has ended", func(t *testing.T) { s.returns(t, users) })
	t.Run("is usable for a server", func(t *testing.T) { s.serves(t, users) })
	t.Run("finds what has changed", func(t *testing.T) { s.follows(t, users) })
	t.Run("says that it cannot tell", func(t *testing.T) { s.fails(t, users) })
	t.Run("lists each user once", func(t *testing.T) { s.lists(t, users) })
	t.Run("checks passwords", func(t *testing.T) { s.checks(t, users) })
}

// users are those of the suite.
func (s Users) users() []directory.User {
	var users []directory.User
	for _, name := range []string{"alice", "O'Brien", "bob@example.com", "Дмитрий", "名前", "two words", "per%cent", "_"} {
		users = append(users, directory.User{Username: name, PasswordHash: Hash})
	}
	if s.Plain {
		return users
	}
	return append(users,
		directory.User{Username: "carol", ID: "1b4e28ba-2fa1-11d2-883f-0016d3cca427", PasswordHash: Hash},
		directory.User{Username: "dave", ID: "7", PasswordHash: Hash, Scopes: []string{"read", "write"}},
		directory.User{Username: "erin", ID: "dave", PasswordHash: Hash, Scopes: []string{}}, // a name of another, and no scope
		directory.User{Username: "frank", PasswordHash: Hash, Disabled: true},
		directory.User{Username: "grace", PasswordHash: Hash, Claims: map[string]json.RawMessage{"group": json.RawMessage(`"staff"`)}},
	)
}

func (s Users) finds(t *testing.T, users []directory.User) {
	source := s.Source(t, users...)
	for _, want := range users {
		s.same(t, "by name", byName(t, source, want.Username), &want)
		s.same(t, "by subject", bySubject(t, source, want.Subject()), &want)
	}
}

// hasNoOther asks for names that a stranger may type, of which none may be an error.
func (s Users) hasNoOther(t *testing.T, users []directory.User) {
	source := s.Source(t, users...)
	for _, name := range []string{
		"", " ", "nobody", "alice ", " alice", "alice\x00", "\x00", "al\xffice", "%", "a%", "*", "alice\n",
		"' OR '1'='1", `" OR ""="`, "'; DROP TABLE users; --", "*)(uid=*", "$1", "?", ":name", "../alice", strings.Repeat("x", 64<<10),
	} {
		for how, look := range map[string]func(context.Context, string) (*directory.User, error){"name": source.ByUsername, "subject": source.BySubject} {
			user, err := look(t.Context(), name)
			if err != nil {
				t.Errorf("by %s %.40q: %v; want no user and no error", how, name, err)
			}
			if user != nil && (user.Username == name || user.Subject() == name) {
				t.Errorf("by %s %.40q: there is such a user", how, name)
			}
		}
	}
}

func (s Users) changesNone(t *testing.T, users []directory.User) {
	source := s.Source(t, users...)
	type seen struct{ user, copy *directory.User }
	var all []seen
	for range 3 {
		for _, user := range users {
			for _, found := range []*directory.User{byName(t, source, user.Username), bySubject(t, source, user.Subject())} {
				all = append(all, seen{found, clone(found)})
			}
		}
	}
	for i, s := range all {
		if !equal(s.user, s.copy) {
			t.Errorf("%s was changed after it was returned", s.copy.Username)
		}
		if first := all[i%(2*len(users))]; !equal(s.user, first.copy) {
			t.Errorf("%s differs from look-up to look-up, though nothing has changed", s.copy.Username)
		}
	}
}

func (s Users) concurrent(t *testing.T, users []directory.User) {
	source := s.Source(t, users...)
	var group sync.WaitGroup
	for worker := range 16 {
		group.Go(func() {
			for i := range 50 {
				want := users[(worker+i)%len(users)]
				user, err := source.ByUsername(t.Context(), want.Username)
				if err != nil || user == nil || user.Username != want.Username {
					t.Errorf("by name %s: %v, %v", want.Username, user, err)
					return
				}
				user, err = source.BySubject(t.Context(), want.Subject())
				if err != nil || user == nil || user.Subject() != want.Subject() {
					t.Errorf("by subject %s: %v, %v", want.Subject(), user, err)
					return
				}
				_ = len(user.Scopes) + len(user.Claims)
			}
		})
	}
	group.Wait()
}

func (s Users) returns(t *testing.T, users []directory.User) {
	source := s.Source(t, users...)
	ended, end := context.WithCancel(t.Context())
	end()
	soon(t, "ByUsername", func() { _, _ = source.ByUsername(ended, users[0].Username) })
	soon(t, "BySubject", func() {
		if user, err := source.BySubject(ended, users[0].Subject()); user == nil && err == nil {
			t.Error("a look-up that was not made says that there is no such user")
		}
	})
}

// serves looks users up as a server does, which refuses what is not valid.
func (s Users) serves(t *testing.T, users []directory.User) {
	d, err := directory.NewUserDirectory([]directory.Users{s.Source(t, users...)}, directory.Settings{})
	if err != nil {
		t.Fatal(err)
	}
	decoys := mac.NewKey(sha256.New, make([]byte, sha256.Size))
	for _, want := range users {
		user, _, err := d.ForLogin(t.Context(), want.Username, decoys)
		if err != nil || user == nil {
			t.Errorf("by name %s: %v, %v", want.Username, user, err)
			continue
		}
		for how, look := range map[string]func(context.Context, string) (*directory.User, error){"now": d.BySubject, "recently": d.RecentBySubject} {
			if again, err := look(t.Context(), want.Subject()); err != nil || again != user {
				t.Errorf("by subject %s, %s: another user than by name, %v", want.Subject(), how, err)
			}
		}
	}
}

func (s Users) follows(t *testing.T, users []directory.User) {
	source := s.Source(t, users...)
	if s.Change == nil {
		return
	}
	before := byName(t, source, "alice")
	copied := clone(before)
	changed := slices.Clone(users[1:]) // alice is gone
	changed[0].PasswordHash = another
	s.Change(t, append(changed, directory.User{Username: "new", PasswordHash: Hash})...)
	for how, look := range map[string]func(context.Context, string) (*directory.User, error){"name": source.ByUsername, "subject": source.BySubject} {
		if user, err := look(t.Context(), "alice"); user != nil || err != nil {
			t.Errorf("by %s: a user who is gone: %v, %v", how, user, err)
		}
		if user, err := look(t.Context(), "new"); user == nil || err != nil {
			t.Errorf("by %s: a user who is new: %v, %v", how, user, err)
		}
		if user, err := look(t.Context(), changed[0].Subject()); err != nil || user == nil || !checks(source) && user.PasswordHash == Hash {
			t.Errorf("by %s: a user with another password: %v, %v", how, user, err)
		}
	}
	if !equal(before, copied) {
		t.Error("a change has changed a user that was returned before")
	}
}

func (s Users) fails(t *testing.T, users []directory.User) {
	source := s.Source(t, users...)
	if s.Break == nil {
		return
	}
	s.Break(t)
	for how, look := range map[string]func(context.Context, string) (*directory.User, error){"name": source.ByUsername, "subject": source.BySubject} {
		for _, name := range []string{"alice", "nobody"} {
			user, err := look(t.Context(), name)
			if user == nil && err == nil {
				t.Errorf("by %s %s: a source that cannot tell says that there is no such user", how, name)
			}
			if err != nil && (strings.Contains(err.Error(), Hash) || strings.Contains(err.Error(), Password)) {
				t.Errorf("by %s %s: a password or a hash is in the error", how, name)
			}
		}
	}
	if checker, ok := source.(directory.PasswordChecker); ok {
		if right, err := checker.CheckPassword(t.Context(), &users[0], Password); right || err == nil {
			t.Errorf("CheckPassword: %v, %v", right, err)
		}
	}
}

func (s Users) lists(t *testing.T, users []directory.User) {
	source := s.Source(t, users...)
	if hashed, ok := source.(directory.Hashed); ok {
		if _, err := directory.NewUserDirectory([]directory.Users{source}, directory.Settings{}); err != nil {
			t.Error(err)
		}
		if !checks(source) && len(slices.Collect(hashed.DecoyHashes())) == 0 {
			t.Error("DecoyHashes has no hash, though there are users")
		}
	}
	lister, ok := source.(directory.Lister)
	if !ok {
		return
	}
	listed := make(map[string]*directory.User)
	for user, err := range lister.All(t.Context()) {
		if errors.Is(err, errors.ErrUnsupported) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		if listed[user.Username] != nil {
			t.Errorf("%s is listed twice", user.Username)
		}
		listed[user.Username] = user
	}
	for _, want := range users {
		s.same(t, "listed", listed[want.Username], &want)
	}
	if len(listed) != len(users) {
		t.Errorf("%d users are listed, there are %d", len(listed), len(users))
	}
	for range lister.All(t.Context()) {
		break // must not go on
	}
	soon(t, "All", func() {
		ended, end := context.WithCancel(t.Context())
		end()
		for range lister.All(ended) {
			continue
		}
	})
}

func (s Users) checks(t *testing.T, users []directory.User) {
	source := s.Source(t, users...)
	checker, ok := source.(directory.PasswordChecker)
	if !ok {
		return
	}
	for _, want := range users {
		user := byName(t, source, want.Username)
		if user == nil || user.PasswordHash != "" {
			continue // which the server compares
		}
		before := clone(user)
		for password, right := range map[string]bool{Password: true, "wrong": false, Password + " ": false, strings.Repeat("x", 1024): false} {
			if got, err := checker.CheckPassword(t.Context(), user, password); got != right || err != nil {
				t.Errorf("%s with %.20q: %v, %v", want.Username, password, got, err)
			}
		}
		if !equal(user, before) {
			t.Errorf("CheckPassword has changed %s", want.Username)
		}
	}
	if right, err := checker.CheckPassword(t.Context(), nil, Password); right || err != nil {
		t.Errorf("an unknown name: %v, %v", right, err)
	}
	soon(t, "CheckPassword", func() {
		ended, end := context.WithCancel(t.Context())
		end()
		_, _ = checker.CheckPassword(ended, byName(t, source, users[0].Username), Password)
	})
}

// same compares with the user that the source was given. One whose source checks
// passwords has a version in place of the hash.
func (s Users) same(t *testing.T, how string, got, want *directory.User) {
	t.Helper()
	if got == nil {
		t.Errorf("%s: there is no %s", how, want.Username)
		return
	}
	expected := clone(want)
	if got.PasswordHash == "" {
		expected.PasswordHash, expected.CredentialVersion = "", got.CredentialVersion
	}
	if err := got.Validate(); err != nil {
		t.Errorf("%s: %s is not valid: %v", how, want.Username, err)
	}
	if !equal(got, expected) {
		t.Errorf("%s: got %+v, want %+v", how, *got, *expected)
	}
}

func checks(source directory.Users) bool {
	_, ok := source.(directory.PasswordChecker)
	return ok
}

func byName(t *testing.T, source directory.Users, name string) *directory.User {
	t.Helper()
	user, err := source.ByUsername(t.Context(), name)
	if err != nil {
		t.Fatalf("by name %s: %v", name, err)
	}
	return user
}

func bySubject(t *testing.T, source directory.Users, sub string) *directory.User {
	t.Helper()
	user, err := source.BySubject(t.Context(), sub)
	if err != nil {
		t.Fatalf("by subject %s: %v", sub, err)
	}
	return user
}

func clone(u *directory.User) *directory.User {
	if u == nil {
		return nil
	}
	c := *u
	c.Scopes = slices.Clone(u.Scopes)
	c.Claims = maps.Clone(u.Claims)
	for name, value := range c.Claims {
		c.Claims[name] = bytes.Clone(value)
	}
	return &c
}

func equal(a, b *directory.User) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.Username == b.Username && a.ID == b.ID && a.PasswordHash == b.PasswordHash && a.CredentialVersion == b.CredentialVersion &&
		a.Disabled == b.Disabled && (a.Scopes == nil) == (b.Scopes == nil) && slices.Equal(a.Scopes, b.Scopes) &&
		maps.EqualFunc(a.Claims, b.Claims, func(a, b json.RawMessage) bool { return bytes.Equal(a, b) })
}

// soon fails if something does not return within the time that a server would wait.
func soon(t *testing.T, what string, do func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		do()
	}()
	select {
	case <-done:
	case <-time.After(5 * time.Second):
		t.Fatalf("%s does not return though its context has ended", what)
	}
}
