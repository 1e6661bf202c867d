package storage

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddygrant/caddy-grant/internal/session"
)

// nodeOnRedis is a process of its own, as far as sessions are concerned.
func nodeOnRedis(t *testing.T) (*session.Store, *session.Memory) {
	t.Helper()
	memory := session.NewMemory()
	t.Cleanup(memory.Close)
	return session.NewStore(caddy.ActiveContext().Storage(), "grant/notices-0a1b2c3d", memory, time.Now), memory
}

// What an operator orders, and what the list of a user's sessions needs, has names that
// Redis takes, and is found again, whatever the subject is.
func TestRedisHasTheOrdersOfAnOperator(t *testing.T) {
	startOnRedis(t)
	a, _ := nodeOnRedis(t)
	b, heard := nodeOnRedis(t)
	for _, node := range []*session.Store{a, b} {
		if err := node.BeginNotices(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	subjects := []string{"alice", "Alice", "a*[b]?", "../x", "ü 1/2", "{env.X}"}
	var sessions []session.Claims
	for _, subject := range subjects {
		id := session.NewID(time.Now().AddDate(0, 1, 0))
		if _, err := a.Of(session.Claims{Subject: subject, Client: "web"}).Rotate(t.Context(), id, 0, 0, false); err != nil {
			t.Fatal(err)
		}
		sessions = append(sessions, session.Claims{ID: id, Subject: subject, Client: "web"})
	}
	for i, c := range sessions {
		list, err := b.Sessions(t.Context(), c.Subject, 10)
		if err != nil || list.More || len(list.Unread) > 0 || len(list.Known) != 1 || list.Known[0].ID != c.ID {
			t.Errorf("sessions of %q: %v, %v", c.Subject, list, err)
		}
		for range 2 { // the second takes the place of the first
			if _, err := a.Tell(t.Context(), session.EndUser, c.Subject); err != nil {
				t.Fatal(err)
			}
		}
		for j, other := range sessions {
			if ended, err := b.EndedNow(t.Context(), other); err != nil || ended != (j <= i) {
				t.Errorf("after the order for %q: session of %q ended %t, %v", c.Subject, other.Subject, ended, err)
			}
		}
	}
	all, _ := heard.Notices()
	var named []string
	for _, notice := range all {
		named = append(named, notice.Of)
	}
	slices.Reverse(named)
	if !slices.Equal(named, subjects) {
		t.Errorf("there are %q", named)
	}
}

func TestRedisHasThousandsOfOrders(t *testing.T) {
	startOnRedis(t)
	a, _ := nodeOnRedis(t)
	if err := a.BeginNotices(t.Context()); err != nil {
		t.Fatal(err)
	}
	template, err := a.Tell(t.Context(), session.EndUser, "template")
	if err != nil {
		t.Fatal(err)
	}
	folder, storage := "grant/notices-0a1b2c3d/notices/", caddy.ActiveContext().Storage()
	for i := range 3_000 { // of which only the names can be read
		name := fmt.Sprintf("%016x-end-user-%016x", template.Number-3_000+int64(i), i)
		if err := storage.Store(t.Context(), folder+name, []byte("{")); err != nil {
			t.Fatal(err)
		}
	}
	again, heard := nodeOnRedis(t)
	if _, err := again.Version(t.Context()); err != nil {
		t.Fatal(err)
	}
	if all, _ := heard.Notices(); len(all) != 3_001 {
		t.Errorf("%d were read", len(all))
	}
}
