package credential

import (
	"context"
	"crypto/sha256"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/caddygrant/caddy-grant/directory"
	"github.com/caddygrant/caddy-grant/internal/mac"
	"github.com/caddygrant/caddy-grant/internal/oauth"
	"github.com/caddygrant/caddy-grant/internal/password"
	"github.com/caddygrant/caddy-grant/internal/throttle"
)

const aliceHash = "$2y$04$EBW23lYB/YX0fYO6RTIbbO8mfxlfWOaEPnNuvdva8H8aX8IAPxUKO" // of "alice"

var decoy = mac.NewKey(sha256.New, make([]byte, 32))

// observed is an Observer that remembers.
type observed struct{ checks, hashes []string }

func (o *observed) Checked(kind, result string)           { o.checks = append(o.checks, kind+" "+result) }
func (o *observed) Hashed(scheme string, _ time.Duration) { o.hashes = append(o.hashes, scheme) }

// database is a source that has to be queried.
type database struct {
	users map[string]*directory.User
	err   error
	asked int
}

func (d *database) ByUsername(_ context.Context, name string) (*directory.User, error) {
	d.asked++
	return d.users[name], d.err
}

func (d *database) BySubject(ctx context.Context, sub string) (*directory.User, error) {
	return d.ByUsername(ctx, sub)
}

func newChecker(t *testing.T, sources ...directory.Users) (*Checker, *observed) {
	t.Helper()
	users, err := directory.NewUserDirectory(sources, directory.Settings{})
	if err != nil {
		t.Fatal(err)
	}
	clients := directory.NewClientSet(directory.Options{})
	for i, client := range []*directory.Client{{ID: "web", Secret: "web-secret"}, {ID: "a+b", Secret: "c+d"}, {ID: "app", Public: true}} {
		if err := clients.Add(client, i+1); err != nil {
			t.Fatal(err)
		}
	}
	known, err := directory.NewClientDirectory([]directory.Clients{clients}, directory.Settings{})
	if err != nil {
		t.Fatal(err)
	}
	o := new(observed)
	return &Checker{
		Server: "default", Users: users, Clients: known, Verifier: password.NewVerifier(password.NewGate(password.DefaultLimits())),
		Throttle: throttle.New(throttle.Limits{Failures: 3}), Observer: o,
	}, o
}

func fileOf(t *testing.T) *directory.UserSet {
	t.Helper()
	set := directory.NewUserSet(directory.Options{})
	for i, user := range []*directory.User{
		{Username: "alice", PasswordHash: aliceHash},
		{Username: "bob", PasswordHash: aliceHash, Disabled: true},
	} {
		if err := set.Add(user, i+1); err != nil {
			t.Fatal(err)
		}
	}
	return set
}

func from(address string) Sender {
	return Sender{Source: throttle.Party(address), Address: address}
}

func reasonOf(err error) string {
	if err == nil {
		return ""
	}
	refusal, ok := errors.AsType[*oauth.Error](err)
	if !ok {
		return err.Error()
	}
	return refusal.Reason
}

// C4: unknown and disabled users cost what known ones do.
func TestEveryPasswordIsHashedOnceAndCountedOnce(t *testing.T) {
	for _, test := range []struct{ name, username, password, reason string }{
		{"right", "alice", "alice", ""},
		{"wrong", "alice", "wrong", "wrong_password"},
		{"unknown", "mallory", "alice", "unknown_user"},
		{"disabled", "bob", "alice", "user_disabled"},
		{"disabled, and wrong", "bob", "wrong", "wrong_password"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c, o := newChecker(t, fileOf(t))
			checked, err := c.CheckUser(t.Context(), decoy, test.username, test.password, from("home"))
			if got := reasonOf(err); got != test.reason {
				t.Errorf("the reason is %q, want %q", got, test.reason)
			}
			if found := checked.Found != nil; found != (test.username != "mallory") {
				t.Errorf("found: %v", checked.Found)
			}
			if !slices.Equal(o.checks, []string{"user compared"}) || !slices.Equal(o.hashes, []string{"bcrypt"}) {
				t.Errorf("observed %q and %q", o.checks, o.hashes)
			}
		})
	}
}

func TestWhatWasRightOrWrongAMomentAgoIsNotHashedAgain(t *testing.T) {
	c, o := newChecker(t, fileOf(t))
	c.Verifier.SetCacheTTL(time.Minute)
	for _, attempt := range []string{"alice", "alice", "wrong", "wrong"} {
		_, _ = c.CheckUser(t.Context(), decoy, "alice", attempt, from("home"))
	}
	if want := []string{"user compared", "user cached", "user compared", "user repeated"}; !slices.Equal(o.checks, want) || len(o.hashes) != 2 {
		t.Errorf("observed %q and %q", o.checks, o.hashes)
	}
}

func TestWithoutAThrottleNothingIsCounted(t *testing.T) {
	c, o := newChecker(t, fileOf(t))
	c.Throttle = nil
	for range 10 {
		if _, err := c.CheckUser(t.Context(), decoy, "alice", "wrong", from("home")); reasonOf(err) != "wrong_password" {
			t.Fatal(err)
		}
	}
	if len(o.hashes) != 10 {
		t.Errorf("%d were hashed", len(o.hashes))
	}
}

// An attempt that has to wait does not query the database, and a database that fails
// counts against no user.
func TestAnAttemptIsCountedBeforeADatabaseIsAsked(t *testing.T) {
	db := &database{users: map[string]*directory.User{"alice": {Username: "alice", PasswordHash: aliceHash}}}
	c, o := newChecker(t, db)
	db.err = errors.New("connection refused")
	for range 10 {
		if _, err := c.CheckUser(t.Context(), decoy, "alice", "alice", from("home")); reasonOf(err) != "source_unavailable" {
			t.Fatal(err)
		}
	}
	db.err = nil
	if _, err := c.CheckUser(t.Context(), decoy, "alice", "alice", from("home")); err != nil {
		t.Fatalf("after the database was down: %v", err)
	}
	for _, wrong := range []string{"1", "2", "3"} {
		_, _ = c.CheckUser(t.Context(), decoy, "mallory", wrong, from("away"))
	}
	asked := db.asked
	if _, err := c.CheckUser(t.Context(), decoy, "mallory", "4", from("away")); reasonOf(err) != "throttled" {
		t.Errorf("got %v", err)
	}
	if db.asked != asked {
		t.Error("the database was asked for one who has to wait")
	}
	if last := o.checks[len(o.checks)-1]; last != "user throttled" {
		t.Errorf("observed %q", last)
	}
}

func TestASecretIsComparedInEachOfItsReadings(t *testing.T) {
	for _, test := range []struct {
		name             string
		first            ClientSecret
		or               *ClientSecret
		accepted, reason string
	}{
		{"right", ClientSecret{"web", "web-secret"}, nil, "web", ""},
		{"wrong", ClientSecret{"web", "wrong"}, nil, "", "wrong_client_secret"},
		{"unknown", ClientSecret{"mallory", "web-secret"}, nil, "", "unknown_client"},
		{"of a public client", ClientSecret{"app", "x"}, nil, "", "public_client_with_secret"},
		{"right in the second reading", ClientSecret{"a b", "c d"}, &ClientSecret{"a+b", "c+d"}, "a+b", ""},
		{"right in the first reading", ClientSecret{"a+b", "c+d"}, &ClientSecret{"a b", "c d"}, "a+b", ""},
		{"wrong in both", ClientSecret{"a b", "c d"}, &ClientSecret{"a+b", "wrong"}, "", "wrong_client_secret"},
		{"halves of two readings", ClientSecret{"a+b", "c d"}, &ClientSecret{"a b", "c+d"}, "", "wrong_client_secret"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c, o := newChecker(t, fileOf(t))
			checked, err := c.CheckClient(t.Context(), decoy, test.first, test.or, from("home"))
			if err != nil {
				t.Fatal(err)
			}
			accepted := ""
			if checked.Accepted != nil {
				accepted = checked.Accepted.ID
			}
			if accepted != test.accepted || checked.Reason != test.reason {
				t.Errorf("accepted %q, reason %q", accepted, checked.Reason)
			}
			if !slices.Equal(o.checks, []string{"client compared"}) {
				t.Errorf("observed %q", o.checks)
			}
		})
	}
}
