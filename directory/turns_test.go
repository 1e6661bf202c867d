package directory

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// Any number of requests can be sent with the ids of clients that do not exist. Those
// that were found before are looked up in places of their own, as are those of tokens.
func TestStrangersHoldNoPlaceOfClientsThatWereFound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		strangers := make(chan struct{})
		clients := &fakeClients{name: "clients db", clients: []*Client{{ID: "app", Public: true}, {ID: "new", Public: true}}}
		c := clientDirectory(t, clients)
		find := func(id string) {
			t.Helper()
			if client, err := c.ByID(t.Context(), id); client == nil || err != nil {
				t.Errorf("%s: %v, %v", id, client, err)
			}
		}
		find("app")
		time.Sleep(time.Hour) // what is known of it is much too old
		clients.ask = func(ctx context.Context) error {
			if ctx.Value(stranger{}) != nil {
				<-strangers
			}
			return nil
		}
		ctx := context.WithValue(t.Context(), stranger{}, true)
		for i := range maxCalls {
			go func() { _, _ = c.ByID(ctx, fmt.Sprint("nobody", i)) }()
		}
		synctest.Wait()
		for range 3 {
			find("app")
			if client, err := c.OfToken(t.Context(), "new"); client == nil || err != nil { // for an introspection
				t.Errorf("%v, %v", client, err)
			}
			time.Sleep(time.Second)
		}
		find("new") // since it was found by a token
		if client, err := c.ByID(t.Context(), "other"); client != nil || !IsBusy(err) {
			t.Errorf("a client that was never found: %v, %v", client, err)
		}
		clients.set(func() { clients.clients = nil })
		if client, err := c.ByID(t.Context(), "app"); client != nil || err != nil {
			t.Fatal(client, err)
		}
		if client, err := c.ByID(t.Context(), "app"); client != nil || !IsBusy(err) {
			t.Errorf("a client that is gone has a place of its own: %v, %v", client, err)
		}
		close(strangers)
		time.Sleep(patience)
	})
}

func (f *fakeClients) set(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
}

// The id of a public client is known to all. Any number of requests with it hold a few
// places, and all are answered.
func TestRequestsOfOneClientHoldFewPlaces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		clients := &fakeClients{name: "clients db", clients: []*Client{{ID: "page", Public: true}, {ID: "app", Public: true}}}
		c := clientDirectory(t, clients)
		for _, id := range []string{"page", "app"} {
			if client, err := c.ByID(t.Context(), id); client == nil || err != nil {
				t.Fatal(client, err)
			}
		}
		clients.set(func() { clients.ask, clients.asked = takes(time.Second), 0 })
		var group sync.WaitGroup
		begun := time.Now()
		for range 10 * maxCalls {
			group.Go(func() {
				if client, err := c.ByID(t.Context(), "page"); client == nil || err != nil {
					t.Errorf("%v, %v", client, err)
				}
			})
		}
		synctest.Wait()
		if client, err := c.ByID(t.Context(), "app"); client == nil || err != nil || time.Since(begun) != time.Second {
			t.Errorf("another client: %v, %v after %v", client, err, time.Since(begun))
		}
		group.Wait()
		if waited := time.Since(begun); waited != 2*time.Second {
			t.Errorf("they waited %v", waited)
		}
		if clients.asked != maxTurns+2 { // theirs, the one that all others share, and that of app
			t.Errorf("%d look-ups", clients.asked)
		}
		if n := len(c.sources[0].live.byID.flights); n != 0 {
			t.Errorf("%d look-ups are left", n)
		}
	})
}

// Those that wait take memory, so their number is bounded too.
func TestNoMoreRequestsWaitForOneClientThanTheirBound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		answer := make(chan struct{})
		x := newTurns("clients db", func(context.Context, string) (*int, error) {
			<-answer
			return new(int), nil
		})
		var group sync.WaitGroup
		for range maxTurns + maxWaiting {
			group.Go(func() {
				if _, err := x.ask(t.Context(), "page"); err != nil {
					t.Error(err)
				}
			})
		}
		synctest.Wait()
		if _, err := x.ask(t.Context(), "page"); !IsBusy(err) {
			t.Errorf("one more: %v", err)
		}
		close(answer)
		group.Wait()
		if _, err := x.ask(t.Context(), "page"); err != nil {
			t.Errorf("when they are answered: %v", err)
		}
	})
}

// A request goes by what is in the source when it comes, or later.
func TestAClientIsNeverOlderThanTheRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var version atomic.Int64
		x := newTurns("clients db", func(context.Context, string) (*int64, error) {
			read := version.Load()
			time.Sleep(time.Second)
			return &read, nil
		})
		var group sync.WaitGroup
		for i := range int64(20) {
			version.Store(i)
			group.Go(func() {
				if read, err := x.ask(t.Context(), "app"); err != nil || *read < i {
					t.Errorf("request %d got %v, %v", i, *read, err)
				}
			})
			synctest.Wait()
			time.Sleep(100 * time.Millisecond)
		}
		group.Wait()
		synctest.Wait()
		if len(x.keys) != 0 {
			t.Errorf("%d keys are left", len(x.keys))
		}
	})
}

// A look-up that hangs holds up those of its key no longer than patience, and a request
// that is gone does not wait.
func TestARequestWaitsForOthersNoLongerThanForItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		over := make(chan struct{})
		source := &fakeClients{name: "clients db", clients: []*Client{{ID: "app", Public: true}}}
		c := clientDirectory(t, source)
		if _, err := c.ByID(t.Context(), "app"); err != nil {
			t.Fatal(err)
		}
		source.set(func() { source.ask = hangs(over) })
		var group sync.WaitGroup
		begun := time.Now()
		for i := range 2 * maxTurns {
			time.Sleep(time.Duration(i) * time.Millisecond)
			group.Go(func() {
				came := time.Now()
				client, err := c.ByID(t.Context(), "app")
				if client != nil || err == nil || time.Since(came) > patience {
					t.Errorf("%v, %v after %v", client, err, time.Since(came))
				}
			})
		}
		gone, hangUp := context.WithCancel(t.Context())
		hangUp()
		if client, err := c.ByID(gone, "app"); client != nil || err == nil || time.Since(begun) > time.Second {
			t.Errorf("%v, %v", client, err)
		}
		group.Wait()
		source.set(func() { source.ask = nil })
		close(over)
		time.Sleep(patience)
		if client, err := c.ByID(t.Context(), "app"); client == nil || err != nil {
			t.Errorf("%v, %v", client, err)
		}
	})
}
