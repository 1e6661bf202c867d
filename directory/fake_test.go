package directory

import (
	"context"
	"crypto/sha256"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/caddygrant/caddy-grant/internal/mac"
)

const (
	someHash  = "$2a$10$gv.GkUEsC7.UCaPhMIRYm.fcCeHLYMimTZFMUsSiWRTzcWXD1PJZ2" // of "correct horse"
	otherHash = "$2a$04$6mQSkKvOqyCvkV7FSLVm0.fLJzS1rZHIQyKdYMlR1wXxqFbJzLlSu"
)

// fake is a source that has to be asked, and does what a test says. It returns a new
// copy at each look-up, as one over a database does.
type fake struct {
	name  string
	ask   func(ctx context.Context) error // before each look-up; nil: at once
	exact bool                            // returns its own pointers
	odd   *User                           // is returned whatever is asked

	mu       sync.Mutex
	users    []*User
	names    []string // that were asked for
	subjects []string
}

func (f *fake) String() string { return f.name }

func (f *fake) ByUsername(ctx context.Context, name string) (*User, error) {
	return f.find(ctx, &f.names, name, func(u *User) string { return u.Username })
}

func (f *fake) BySubject(ctx context.Context, sub string) (*User, error) {
	return f.find(ctx, &f.subjects, sub, (*User).Subject)
}

func (f *fake) find(ctx context.Context, asked *[]string, key string, of func(*User) string) (*User, error) {
	f.mu.Lock()
	*asked = append(*asked, key)
	ask := f.ask
	f.mu.Unlock()
	if ask != nil {
		if err := ask(ctx); err != nil {
			return nil, err
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.odd != nil {
		return f.odd, nil
	}
	for _, user := range f.users {
		if of(user) == key {
			if f.exact {
				return user, nil
			}
			return user.clone(), nil
		}
	}
	return nil, nil
}

func (f *fake) set(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
}

// asked returns what was asked for since the last call, in order.
func (f *fake) asked() (names, subjects []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	names, subjects = slices.Clone(f.names), slices.Clone(f.subjects)
	f.names, f.subjects = nil, nil
	return names, subjects
}

// file is a source in memory.
func file(t *testing.T, name string, users ...*User) Users {
	t.Helper()
	set := NewUserSet(Options{})
	for i, user := range users {
		if err := set.Add(user.clone(), i+1); err != nil {
			t.Fatal(err)
		}
	}
	return struct {
		*UserSet
		stringer
	}{set, stringer(name)}
}

type stringer string

func (s stringer) String() string { return string(s) }

func userDirectory(t *testing.T, sources ...Users) (*UserDirectory, *observer.ObservedLogs) {
	t.Helper()
	core, logs := observer.New(zap.DebugLevel)
	d, err := NewUserDirectory(sources, Settings{Logger: zap.New(core)})
	if err != nil {
		t.Fatal(err)
	}
	return d, logs
}

func alice() *User { return &User{Username: "alice", ID: "1", PasswordHash: someHash} }

var errDown = errors.New("connection refused")

func down(context.Context) error { return errDown }

// takes makes a source slow. It heeds its context.
func takes(d time.Duration) func(context.Context) error {
	return func(ctx context.Context) error {
		select {
		case <-time.After(d):
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// hangs ignores its context, until the test is over.
func hangs(until <-chan struct{}) func(context.Context) error {
	return func(context.Context) error { <-until; return errDown }
}

var testDecoys = mac.NewKey(sha256.New, []byte("0123456789abcdef0123456789abcdef"))

func wantUser(t *testing.T, user *User, err error, name string) {
	t.Helper()
	switch {
	case err != nil:
		t.Fatal(err)
	case user == nil && name != "":
		t.Fatalf("no user, want %s", name)
	case user != nil && user.Username != name:
		t.Fatalf("user %s, want %q", user.Username, name)
	}
}

// wantUnavailable is for a source that cannot tell, whose name the log has to have.
func wantUnavailable(t *testing.T, user *User, err error, name, why string) {
	t.Helper()
	if user != nil || err == nil || !strings.HasPrefix(err.Error(), name+": ") || !strings.Contains(err.Error(), why) {
		t.Fatalf("user %v, error %v; want an error of %q with %q", user, err, name, why)
	}
	if strings.Contains(err.Error(), someHash) {
		t.Fatalf("a hash is in the error %v", err)
	}
}
