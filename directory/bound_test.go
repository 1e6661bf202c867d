package directory

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
)

// A source that hangs, and does not even heed its context, costs 100 goroutines and no
// more, and 100 for tokens; the rest is answered at once.
func TestASourceThatHangsHoldsABoundedNumberOfLookUps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		over := make(chan struct{})
		source := &fake{name: "users db", users: []*User{alice()}, ask: hangs(over)}
		d, _ := userDirectory(t, source)
		var group sync.WaitGroup
		begun := time.Now()
		for i := range maxCalls {
			group.Go(func() {
				user, err := d.ByUsername(t.Context(), fmt.Sprint("user", i))
				wantUnavailable(t, user, err, "users db", "no answer within 5s")
			})
		}
		synctest.Wait()
		user, err := d.ByUsername(t.Context(), "alice")
		wantUnavailable(t, user, err, "users db", "too many")
		if !IsBusy(err) {
			t.Errorf("not taken for a flood: %v", err)
		}
		for i := range maxCalls { // of verified tokens, which have places of their own
			group.Go(func() {
				user, err := d.RecentBySubject(t.Context(), fmt.Sprint("subject", i))
				wantUnavailable(t, user, err, "users db", "no answer within 5s")
			})
		}
		synctest.Wait()
		user, err = d.RecentBySubject(t.Context(), "1")
		wantUnavailable(t, user, err, "users db", "too many")
		if time.Since(begun) != 0 {
			t.Error("it waited for a source that is asked too much already")
		}
		group.Wait()
		if waited := time.Since(begun); waited != 5*time.Second {
			t.Errorf("requests waited %v", waited)
		}
		user, err = d.ByUsername(t.Context(), "alice") // they still hang
		wantUnavailable(t, user, err, "users db", "too many")
		if names, subjects := source.asked(); len(names) != maxCalls || len(subjects) != maxCalls {
			t.Errorf("the source was asked %d and %d times", len(names), len(subjects))
		}
		source.set(func() { source.ask = nil })
		close(over)
		synctest.Wait()
		user, err = d.ByUsername(t.Context(), "alice")
		wantUser(t, user, err, "alice")
	})
}

// Any number of requests can be sent with names and ids that do not exist.
func TestStrangersHoldNoPlaceOfVerifiedTokens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		strangers := make(chan struct{})
		ask := func(ctx context.Context) error {
			if ctx.Value(stranger{}) != nil {
				<-strangers
			}
			return nil
		}
		users := &fake{name: "users db", users: []*User{alice()}, ask: ask}
		clients := &fakeClients{name: "clients db", clients: []*Client{{ID: "app", Public: true}}, ask: ask}
		d, _ := userDirectory(t, file(t, "users file"), users)
		c := clientDirectory(t, clients)
		ctx := context.WithValue(t.Context(), stranger{}, true)
		for i := range maxCalls + 1 {
			go func() { _, _ = d.ByUsername(ctx, fmt.Sprint("nobody", i)) }()
			go func() { _, _ = c.ByID(ctx, fmt.Sprint("nobody", i)) }()
		}
		synctest.Wait()
		for range 3 {
			user, err := d.RecentBySubject(t.Context(), "1")
			wantUser(t, user, err, "alice")
			user, err = d.BySubject(t.Context(), "1")
			wantUser(t, user, err, "alice")
			if client, err := c.RecentByID(t.Context(), "app"); client == nil || err != nil {
				t.Errorf("%v, %v", client, err)
			}
			time.Sleep(time.Second)
		}
		close(strangers)
		time.Sleep(patience)
	})
}

type stranger struct{}

func TestTheBoundsOfASourceAreItsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		over := make(chan struct{})
		defer close(over)
		d, _ := userDirectory(t, &fake{name: "users one", users: []*User{alice()}},
			&fake{name: "users two", ask: hangs(over)})
		for range maxCalls + 1 {
			go func() { _, _ = d.ByUsername(t.Context(), "bob") }()
		}
		synctest.Wait()
		user, err := d.RecentBySubject(t.Context(), "1")
		wantUser(t, user, err, "alice")
		user, err = d.ByUsername(t.Context(), "alice")
		wantUser(t, user, err, "alice")
		time.Sleep(patience)
	})
}

// A source has 5 seconds, and is told when they are over.
func TestALookUpEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ended := make(chan error, 10)
		source := &fake{name: "users db", ask: func(ctx context.Context) error {
			<-ctx.Done()
			ended <- ctx.Err()
			return ctx.Err()
		}}
		d, _ := userDirectory(t, source)
		begun := time.Now()
		user, err := d.BySubject(t.Context(), "1")
		wantUnavailable(t, user, err, "users db", "")
		if time.Since(begun) != patience || <-ended == nil {
			t.Errorf("it ended after %v", time.Since(begun))
		}
		gone, hangUp := context.WithCancel(t.Context())
		go func() { time.Sleep(time.Second); hangUp() }()
		begun = time.Now()
		user, err = d.BySubject(gone, "1")
		wantUnavailable(t, user, err, "users db", context.Canceled.Error())
		if <-ended; time.Since(begun) != time.Second {
			t.Errorf("it ended after %v", time.Since(begun))
		}
	})
}

// In a goroutine of its own a panic would end the process.
func TestAPanicInASourceIsAnError(t *testing.T) {
	d, logs := userDirectory(t, &fake{name: "users db", ask: func(context.Context) error { panic("index out of range") }})
	user, err := d.ByUsername(t.Context(), "alice")
	wantUnavailable(t, user, err, "users db", "panicked")
	user, err = d.RecentBySubject(t.Context(), "1")
	wantUnavailable(t, user, err, "users db", "panicked")
	lines := logs.FilterMessage("[PANIC] in a source").FilterField(zap.String("source", "users db"))
	if lines.Len() != 2 {
		t.Errorf("log: %v", logs.All())
	}
}

// The end of a call must not look like the end of its time.
func TestAQuickAnswerIsNeverTakenForASlowOne(t *testing.T) {
	b := newBound("users db", zap.NewNop(), make(chan struct{}, maxCallsInAll))
	for range 5000 {
		if _, err := call(t.Context(), b, func(context.Context) (*User, error) { return nil, nil }); err != nil {
			t.Fatal(err)
		}
	}
	if len(b.places) != 0 {
		t.Errorf("%d places are taken", len(b.places))
	}
}
