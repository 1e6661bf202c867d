package allowance

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/caddygrant/caddy-grant/internal/session"
	"github.com/caddygrant/caddy-grant/internal/throttle"
)

// smallBounds are 3 writes of a user by a client, and 5 revocations of a client.
func smallBounds() *Bounds {
	return &Bounds{
		sessions:    throttle.NewBucket(throttle.LimitSessions, 3, time.Hour),
		revocations: throttle.NewBucket(throttle.LimitRevocations, 3, time.Hour),
		clients:     throttle.NewBucket(throttle.LimitClient, 5, time.Hour),
	}
}

func limitOf(t *testing.T, err error) throttle.Limit {
	t.Helper()
	if err == nil {
		return ""
	}
	refused, ok := Refused(err)
	if notYet, is := errors.AsType[*session.NotYetError](err); !ok || !is || notYet.After != refused.RetryAfter || notYet.After <= 0 {
		t.Fatalf("error %v", err)
	}
	return refused.Limit
}

func TestRevocationsAreBoundedByUserAndThenByClient(t *testing.T) {
	bounds := smallBounds()
	take := func(client, subject string, forgeable bool) error {
		account := Owner{client, subject, forgeable}.account()
		if !forgeable {
			client = ""
		}
		return revocation{bounds, account, client}.Take()
	}
	for range 3 {
		if err := take("web", "alice", true); err != nil {
			t.Fatal(err)
		}
	}
	for range 100 { // a user takes nothing from other users of the client
		if got := limitOf(t, take("web", "alice", true)); got != throttle.LimitRevocations {
			t.Fatalf("limit %q", got)
		}
	}
	for _, name := range []string{"bob", "carol"} {
		if err := take("web", name, true); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 100 { // an app that makes up users
		if got := limitOf(t, take("web", fmt.Sprint(i), true)); got != throttle.LimitClient {
			t.Fatalf("limit %q", got)
		}
	}
	for range 3 { // what only the server can have made does not count there
		if err := take("web", "dave", false); err != nil {
			t.Fatal(err)
		}
	}
	if got := limitOf(t, take("web", "dave", false)); got != throttle.LimitRevocations {
		t.Errorf("limit %q", got)
	}
	if got := limitOf(t, take("web", "erin", true)); got != throttle.LimitClient {
		t.Errorf("limit %q", got)
	}
	for range 3 { // a refusal by the client's bound took nothing of the user's
		if err := take("web", "erin", false); err != nil {
			t.Fatal(err)
		}
	}
	if err := take("app", "alice", true); err != nil {
		t.Error("another client:", err)
	}
}

func TestAnAccountIsAClientAndAUser(t *testing.T) {
	seen := make(map[string]Owner)
	for _, of := range []Owner{
		{Client: "a", Subject: "bc"}, {Client: "ab", Subject: "c"}, {Client: "bc", Subject: "a"}, {Client: "a"}, {Subject: "a"},
	} {
		if other, there := seen[of.account()]; there {
			t.Errorf("%v and %v are one", of, other)
		}
		seen[of.account()] = of
	}
}

// A client that acts for itself is an account of its own, beside each of its users, and
// is no user of its name.
func TestAClientSharesNoBoundWithAUserOfItsName(t *testing.T) {
	of := []Owner{{Client: "backup"}, {Client: "backup", Subject: "backup"}, {Client: "web", Subject: "backup"}, {Client: "web"}}
	accounts, parties := make(map[string]bool), make(map[string]bool)
	for _, owner := range of {
		accounts[owner.account()], parties[owner.Party()] = true, true
	}
	if len(accounts) != 4 || len(parties) != 3 { // a user is one party, with any client
		t.Errorf("%d accounts, %d parties", len(accounts), len(parties))
	}
	bounds := smallBounds()
	for bounds.RevocationBy(of[0]).Take() == nil {
	}
	for _, other := range of[1:] {
		if err := bounds.RevocationBy(other).Take(); err != nil {
			t.Errorf("%+v: %v", other, err)
		}
	}
}
