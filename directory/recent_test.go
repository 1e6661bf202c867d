package directory

import (
	"context"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
)

func TestATokenGoesByWhatTheSourceSaidAMomentAgo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source := &fake{name: "users db", users: []*User{alice()}}
		d, _ := userDirectory(t, source)
		get := func(want string) *User {
			t.Helper()
			user, err := d.RecentBySubject(t.Context(), "1")
			wantUser(t, user, err, want)
			synctest.Wait()
			return user
		}
		asked := func(want int) {
			t.Helper()
			if names, subjects := source.asked(); len(subjects) != want || len(names) != 0 {
				t.Fatalf("asked for %q and %q, want %d look-ups of subjects", names, subjects, want)
			}
		}
		first := get("alice")
		asked(1)
		time.Sleep(4999 * time.Millisecond)
		get("alice")
		asked(0) // fresh enough

		time.Sleep(time.Millisecond) // half of max_age
		get("alice")
		get("alice")
		asked(1) // in the background, and once
		time.Sleep(4 * time.Second)
		if get("alice") != first {
			t.Error("an equal user has another pointer")
		}
		asked(0)

		source.set(func() { source.users[0].Disabled = true })
		time.Sleep(2 * time.Second)
		if get("alice").Disabled {
			t.Error("the request waited for the renewal")
		}
		if !get("alice").Disabled {
			t.Error("the renewal is not used")
		}
		asked(1)

		source.set(func() { source.users = nil })
		time.Sleep(10 * time.Second)
		get("") // at max_age a request waits
		asked(1)
		get("")
		asked(0) // "no such" is kept for the subject of a token
		source.set(func() { source.users = []*User{alice()} })
		time.Sleep(10 * time.Second)
		get("alice")
	})
}

// How late a user is cut off is reckoned from the beginning of a look-up.
func TestTheAgeOfALookUpBeginsWithIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source := &fake{name: "users db", users: []*User{alice()}, ask: takes(4 * time.Second)}
		d, _ := userDirectory(t, source)
		user, err := d.RecentBySubject(t.Context(), "1")
		wantUser(t, user, err, "alice")
		source.set(func() { source.ask = down })
		time.Sleep(5999 * time.Millisecond)
		user, err = d.RecentBySubject(t.Context(), "1")
		wantUser(t, user, err, "alice")
		synctest.Wait()
		time.Sleep(time.Millisecond)
		user, err = d.RecentBySubject(t.Context(), "1")
		wantUnavailable(t, user, err, "users db", errDown.Error())
	})
}

func TestManyRequestsOfASubjectAreOneLookUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source := &fake{name: "users db", users: []*User{alice()}, ask: takes(time.Second)}
		d, _ := userDirectory(t, source)
		var group sync.WaitGroup
		users := make([]*User, 200) // more than a source may be asked at a time
		for i := range users {
			group.Go(func() { users[i], _ = d.RecentBySubject(t.Context(), "1") })
		}
		group.Wait()
		for _, user := range users {
			if user == nil || user != users[0] {
				t.Fatal("requests of one subject have several users")
			}
		}
		if _, subjects := source.asked(); len(subjects) != 1 {
			t.Errorf("%d look-ups", len(subjects))
		}
	})
}

// While a source is down, it is asked now and then only, and what it said counts until
// it is too old. The log says so once.
func TestASourceThatIsDownIsAnsweredWith503WhenWhatItSaidIsTooOld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source := &fake{name: "users db", users: []*User{alice()}}
		d, logs := userDirectory(t, source)
		user, err := d.RecentBySubject(t.Context(), "1")
		wantUser(t, user, err, "alice")
		source.asked()
		source.set(func() { source.ask = down })
		for range 99 { // 9.9 seconds
			time.Sleep(100 * time.Millisecond)
			user, err := d.RecentBySubject(t.Context(), "1")
			wantUser(t, user, err, "alice")
			synctest.Wait()
		}
		if _, subjects := source.asked(); len(subjects) == 0 || len(subjects) > 5 {
			t.Errorf("%d look-ups in 5 seconds", len(subjects))
		}
		for range 20 {
			time.Sleep(100 * time.Millisecond)
			user, err := d.RecentBySubject(t.Context(), "1")
			wantUnavailable(t, user, err, "users db", errDown.Error())
		}
		if _, subjects := source.asked(); len(subjects) > 3 {
			t.Errorf("%d look-ups in 2 seconds", len(subjects))
		}
		user, err = d.RecentBySubject(t.Context(), "2") // who was never asked for
		wantUnavailable(t, user, err, "users db", errDown.Error())
		if logs.FilterLevelExact(zap.ErrorLevel).Len() != 1 {
			t.Errorf("log: %v", logs.All())
		}
		source.set(func() { source.ask = nil })
		time.Sleep(time.Second)
		user, err = d.RecentBySubject(t.Context(), "1")
		wantUser(t, user, err, "alice")
	})
}

// Requests with the token of a user would pile up, each for as long as a look-up may
// take. Only the first ones of a user wait as long.
func TestRequestsDoNotWaitLongForASourceThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		over := make(chan struct{})
		source := &fake{name: "users db", users: []*User{alice()}}
		d, _ := userDirectory(t, source)
		user, err := d.RecentBySubject(t.Context(), "1")
		wantUser(t, user, err, "alice")
		time.Sleep(DefaultMaxAge / 2)
		source.set(func() { source.ask = hangs(over) })
		requests := func(during time.Duration, subject string) (longest time.Duration) {
			t.Helper()
			var mu sync.Mutex
			var group sync.WaitGroup
			for range during / (100 * time.Millisecond) {
				group.Go(func() {
					came := time.Now()
					user, err := d.RecentBySubject(t.Context(), subject)
					if user == nil {
						wantUnavailable(t, user, err, "users db", "")
					}
					mu.Lock()
					defer mu.Unlock()
					longest = max(longest, time.Since(came))
				})
				time.Sleep(100 * time.Millisecond)
			}
			group.Wait()
			return longest
		}
		if waited := requests(time.Minute, "1"); waited > courtesy {
			t.Errorf("a request of a user who was known waited %v", waited)
		}
		begun := time.Now()
		go func() { _, _ = d.RecentBySubject(t.Context(), "2") }()
		time.Sleep(patience / 2)
		user, err = d.RecentBySubject(t.Context(), "2")
		wantUnavailable(t, user, err, "users db", errHangs.Error())
		if waited := time.Since(begun); waited != patience/2 {
			t.Errorf("a later request of a user who was not known waited %v", waited-patience/2)
		}
		time.Sleep(patience)
		if waited := requests(time.Minute, "2"); waited > courtesy {
			t.Errorf("after its first look-up a request waited %v", waited)
		}

		source.set(func() { source.ask = takes(courtesy / 2) })
		close(over)
		time.Sleep(2 * patience) // what still hangs ends
		user, err = d.RecentBySubject(t.Context(), "1")
		wantUser(t, user, err, "alice")
	})
}

// A request waits for a source that is slow, once it does not hang.
func TestASlowSourceIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source := &fake{name: "users db", users: []*User{alice()}, ask: takes(4 * time.Second)}
		d, _ := userDirectory(t, source)
		for _, before := range []time.Duration{0, time.Second, time.Second} { // 2 s after the first
			time.Sleep(before)
			go func() {
				user, err := d.RecentBySubject(t.Context(), "1")
				if user == nil {
					t.Errorf("not waited for: %v", err)
				}
			}()
		}
		time.Sleep(4 * time.Second)
		source.set(func() { source.ask = hangs(t.Context().Done()) })
		time.Sleep(DefaultMaxAge - 4*time.Second)
		if _, err := d.RecentBySubject(t.Context(), "1"); err == nil {
			t.Fatal("the source does not hang")
		}
		source.set(func() { source.ask = takes(4 * time.Second) })
		time.Sleep(DefaultMaxAge) // since it hung
		user, err := d.RecentBySubject(t.Context(), "1")
		wantUser(t, user, err, "alice")
	})
}

// A refresh and an introspection are answered by what is now, and so are requests after
// it.
func TestALookUpNowIsWhatRequestsGoBy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source := &fake{name: "users db", users: []*User{alice()}}
		d, _ := userDirectory(t, source)
		first, err := d.RecentBySubject(t.Context(), "1")
		wantUser(t, first, err, "alice")
		time.Sleep(time.Millisecond)
		source.set(func() { source.users[0].Disabled = true })
		user, err := d.BySubject(t.Context(), "1")
		if err != nil || !user.Disabled {
			t.Fatalf("%+v, %v", user, err)
		}
		if recent, err := d.RecentBySubject(t.Context(), "1"); recent != user || err != nil {
			t.Errorf("a request goes by an older user: %v", err)
		}
		time.Sleep(time.Millisecond)
		source.set(func() { source.users[0].Username = "alicia" })
		user, err = d.ByUsername(t.Context(), "alicia")
		wantUser(t, user, err, "alicia")
		if recent, err := d.RecentBySubject(t.Context(), "1"); recent != user || err != nil {
			t.Errorf("a request after a login goes by an older user: %v", err)
		}
		source.set(func() { source.ask = down })
		user, err = d.BySubject(t.Context(), "1")
		wantUnavailable(t, user, err, "users db", errDown.Error())
	})
}

// A slow look-up must not bring back what a later one has seen to be gone.
func TestALateAnswerDoesNotReplaceALaterOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source := &fake{name: "users db", users: []*User{alice()}}
		r := newRecent(question[User]{
			look: func(_ context.Context, key string) (*User, error) {
				user, err := source.BySubject(t.Context(), key)
				if user != nil && !user.Disabled {
					time.Sleep(2 * time.Second) // what it has read is old by then
				}
				return user, err
			},
			admit: func(u *User) (*User, error) { return u, nil }, equal: (*User).equal, maxAge: DefaultMaxAge,
		})
		done := make(chan struct{})
		go func() { defer close(done); _, _ = r.now(t.Context(), "1", true) }()
		synctest.Wait()
		time.Sleep(time.Second)
		source.set(func() { source.users[0].Disabled = true })
		if user, err := r.now(t.Context(), "1", true); err != nil || !user.Disabled {
			t.Fatal(user, err)
		}
		<-done
		if user, err := r.get(t.Context(), "1"); err != nil || !user.Disabled {
			t.Errorf("%+v, %v", user, err)
		}
	})
}

// A stranger can send any number of names, but not of subjects of verified tokens.
func TestNoSuchIsKeptForVerifiedTokensOnly(t *testing.T) {
	source := &fake{name: "users db"}
	d, _ := userDirectory(t, source)
	kept := func() int { return d.sources[0].live.bySubject.entries.Len() + d.sources[0].live.byName.entries.Len() }
	for _, name := range []string{"bob", "carol", "dave"} {
		user, err := d.ByUsername(t.Context(), name)
		wantUser(t, user, err, "")
	}
	if kept() != 0 {
		t.Errorf("%d entries after logins of unknown names", kept())
	}
	user, err := d.BySubject(t.Context(), "bob")
	wantUser(t, user, err, "")
	if kept() != 1 {
		t.Errorf("%d entries after a verified token", kept())
	}
	clients := &fakeClients{name: "clients db"}
	c := clientDirectory(t, clients)
	for range 3 {
		if client, err := c.ByID(t.Context(), "app"); client != nil || err != nil {
			t.Fatal(client, err)
		}
	}
	if n := c.sources[0].live.byID.entries.Len(); n != 0 {
		t.Errorf("%d entries after unknown client ids", n)
	}
	if client, err := c.RecentByID(t.Context(), "app"); client != nil || err != nil {
		t.Fatal(client, err)
	}
	if n := c.sources[0].live.byID.entries.Len(); n != 1 {
		t.Errorf("%d entries after a verified token", n)
	}
}

// Whoever shares a secret that tokens are signed with can make subjects of any size.
func TestASubjectThatNobodyCanHaveIsNeitherAskedForNorKept(t *testing.T) {
	for _, key := range []string{strings.Repeat("x", MaxNameLength+1), "a\x00", "a\n", "\xff", ""} {
		source, clients := &fake{name: "users db", ask: down}, &fakeClients{name: "clients db", ask: down}
		d, logs := userDirectory(t, source)
		c := clientDirectory(t, clients)
		for how, look := range map[string]func(context.Context, string) (*User, error){"now": d.BySubject, "recently": d.RecentBySubject} {
			if user, err := look(t.Context(), key); user != nil || err != nil {
				t.Errorf("%.10q, %s: %v, %v", key, how, user, err)
			}
		}
		if client, err := c.RecentByID(t.Context(), key); client != nil || err != nil {
			t.Errorf("%.10q: client %v, %v", key, client, err)
		}
		if names, subjects := source.asked(); len(names)+len(subjects)+clients.asked > 0 || logs.Len() > 0 {
			t.Errorf("%.10q: asked for %q and %q, log %v", key, names, subjects, logs.All())
		}
		if n := d.sources[0].live.bySubject.entries.Len() + c.sources[0].live.byID.entries.Len(); n > 0 {
			t.Errorf("%.10q: %d entries", key, n)
		}
	}
}

func TestWhatIsKeptIsBounded(t *testing.T) {
	r := newRecent(question[User]{
		look:  func(context.Context, string) (*User, error) { return nil, nil },
		admit: func(u *User) (*User, error) { return u, nil }, equal: (*User).equal, maxAge: DefaultMaxAge,
	})
	for i := range maxRecent + 100 {
		if _, err := r.now(t.Context(), strings.Repeat("x", i%7)+string(rune(i)), true); err != nil {
			t.Fatal(err)
		}
	}
	if n := r.entries.Len(); n > maxRecent {
		t.Errorf("%d entries", n)
	}
}

// A request whose client has hung up does not wait, and ends no look-up of others.
func TestARequestThatIsGoneEndsNoLookUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source := &fake{name: "users db", users: []*User{alice()}, ask: takes(time.Second)}
		d, _ := userDirectory(t, source)
		gone, hangUp := context.WithCancel(t.Context())
		go func() { time.Sleep(time.Millisecond); hangUp() }()
		if user, err := d.RecentBySubject(gone, "1"); user != nil || err == nil {
			t.Error(user, err)
		}
		user, err := d.RecentBySubject(t.Context(), "1")
		wantUser(t, user, err, "alice")
		if _, subjects := source.asked(); len(subjects) != 1 {
			t.Errorf("%d look-ups", len(subjects))
		}
	})
}

func TestARequestWithATokenAllocatesNothing(t *testing.T) {
	d, _ := userDirectory(t, &fake{name: "users db", users: []*User{alice()}})
	c := clientDirectory(t, &fakeClients{name: "clients db", clients: []*Client{{ID: "app", Public: true}}})
	if allocated := testing.AllocsPerRun(100, func() {
		_, _ = d.RecentBySubject(context.Background(), "1")
		_, _ = c.RecentByID(context.Background(), "app")
	}); allocated != 0 {
		t.Errorf("%v allocations", allocated)
	}
}
