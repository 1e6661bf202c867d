package password

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/crypto/bcrypt"
)

func newTestVerifier(ttl time.Duration) *Verifier {
	v := NewVerifier(NewGate(Limits{Concurrency: 1, Queue: 8, Wait: 5 * time.Second}))
	v.SetCacheTTL(ttl)
	return v
}

// hashed is a cheap hash of a password, another one at each call.
func hashed(t testing.TB, password string) Hash {
	t.Helper()
	encoded, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	h, err := Parse(string(encoded), false)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// is fails the test unless the attempt ends as told: "hashed", "cached" or "joined",
// and whether it matches.
func (v *Verifier) is(t *testing.T, a Attempt, matches bool, how, reason string) {
	t.Helper()
	atOnce, known := v.AtOnce(a)
	if known != (how == "cached") || known && !atOnce.Matches {
		t.Errorf("%s: at once: %+v, known %t", reason, atOnce, known)
	}
	r, err := v.Verify(t.Context(), a)
	got := "hashed"
	switch {
	case err != nil:
		t.Errorf("%s: %v", reason, err)
		return
	case r.Cached:
		got = "cached"
	case r.Joined:
		got = "joined"
	}
	if r.Matches != matches || got != how || (how == "hashed") != (r.Hashing > 0) {
		t.Errorf("%s: %+v, want %s and %v", reason, r, how, matches)
	}
}

func TestWhatMatchedIsNotHashedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newTestVerifier(time.Minute)
		right := Attempt{Key: "192.0.2.1", Kind: "user", Name: "alice", Hash: hashed(t, horse), Password: horse, Keep: true}
		with := func(change func(*Attempt)) Attempt {
			a := right
			change(&a)
			return a
		}
		v.is(t, right, true, "hashed", "the first time")
		v.is(t, right, true, "cached", "the second time")
		v.is(t, with(func(a *Attempt) { a.Key = "192.0.2.2" }), true, "cached", "from elsewhere")
		for range 2 {
			v.is(t, with(func(a *Attempt) { a.Password = "wrong" }), false, "hashed", "what does not match is not remembered")
			v.is(t, with(func(a *Attempt) { a.Password = horse + "\x00" }), false, "hashed", "nor what is refused")
			v.is(t, with(func(a *Attempt) { a.Keep = false }), true, "hashed", "nor looked up or kept where it must not count")
		}
		v.is(t, with(func(a *Attempt) { a.Name = "bob" }), true, "hashed", "another name with the same hash")
		v.is(t, with(func(a *Attempt) { a.Kind = "client" }), true, "hashed", "a client of that name")
		v.is(t, with(func(a *Attempt) { a.Kind, a.Name = "use", "ralice" }), true, "hashed", "parts that run into each other")
		v.is(t, with(func(a *Attempt) { a.Hash = hashed(t, horse) }), true, "hashed", "another hash of the same password")
		v.is(t, with(func(a *Attempt) { a.Hash = hashed(t, "another") }), false, "hashed", "the hash of a new password")
		v.is(t, right, true, "cached", "after all that")
		time.Sleep(time.Minute)
		v.is(t, right, true, "hashed", "after its time")
		v.SetCacheTTL(0)
		v.SetCacheTTL(time.Minute)
		v.is(t, right, true, "hashed", "after it was off")
		v.SetCacheTTL(0)
		v.is(t, right, true, "hashed", "while it is off")
		v.is(t, right, true, "hashed", "while it is off, again")
		v.flights.at(t, 0, "nothing goes on")
		idle(t, v.gate)
	})
}

func TestADecoyIsNeverRemembered(t *testing.T) {
	v := newTestVerifier(time.Hour)
	mix := new(Mix)
	mix.Add(hashed(t, horse).Params())
	for range 3 {
		for _, keep := range []bool{false, true} {
			v.is(t, Attempt{Kind: "user", Name: "nobody", Hash: Decoy(testKey, "nobody", mix), Password: horse, Keep: keep}, false, "hashed", "a decoy")
		}
	}
	if v.cache.matched.Len() != 0 {
		t.Error("something is remembered")
	}
}

func TestAKeyedDigestIsComparedAtOnce(t *testing.T) {
	v := newTestVerifier(time.Hour)
	defer take(t, v.gate, "somebody")() // no slot is free
	h := Digest(testKey, horse)
	for _, password := range []string{horse, "wrong"} {
		r, err := v.Verify(t.Context(), Attempt{Kind: "client", Name: "web", Hash: h, Password: password, Keep: true})
		if want := (Result{Matches: password == horse}); r != want || err != nil {
			t.Errorf("%+v, %v", r, err)
		}
	}
	if v.cache.matched.Len() != 0 {
		t.Error("something is remembered")
	}
}

// C17
func TestEqualAttemptsThatComeTogetherAreHashedOnce(t *testing.T) {
	for _, test := range []struct {
		name     string
		password string
		keep     bool
	}{
		{"right ones", horse, true},
		{"wrong ones", "wrong", true},
		{"right ones that do not count", horse, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				v := newTestVerifier(time.Minute)
				release := take(t, v.gate, "somebody")
				a := Attempt{Kind: "user", Name: "alice", Hash: hashed(t, horse), Password: test.password, Keep: test.keep}
				var told, joined atomic.Int32
				var all sync.WaitGroup
				for i := range 100 { // more than may wait
					all.Go(func() {
						a := a
						a.Key = fmt.Sprint(i)
						r, err := v.Verify(t.Context(), a)
						if err != nil || r.Matches != (test.password == horse) || r.Cached {
							t.Errorf("%+v, %v", r, err)
						}
						if r.Hashing > 0 {
							told.Add(1)
						}
						if r.Joined {
							joined.Add(1)
						}
					})
				}
				synctest.Wait()
				if _, waiting := v.gate.Load(); waiting != 1 {
					t.Errorf("%d wait at the gate", waiting)
				}
				release()
				all.Wait()
				if told.Load() != 1 || joined.Load() != 99 {
					t.Errorf("the hash is reported by %d, %d joined", told.Load(), joined.Load())
				}
				if want := test.password == horse && test.keep; (v.cache.matched.Len() == 1) != want {
					t.Errorf("%d are remembered", v.cache.matched.Len())
				}
				v.flights.at(t, 0, "all have landed")
				idle(t, v.gate)
			})
		})
	}
}

func TestTheFirstCallerMayLeave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newTestVerifier(time.Minute)
		release := take(t, v.gate, "somebody")
		a := Attempt{Kind: "user", Name: "alice", Hash: hashed(t, horse), Password: horse, Keep: true}
		ctx, cancel := context.WithCancel(t.Context())
		var all sync.WaitGroup
		all.Go(func() {
			if _, err := v.Verify(ctx, a); !errors.Is(err, context.Canceled) {
				t.Error("who left:", err)
			}
		})
		synctest.Wait()
		all.Go(func() {
			if r, err := v.Verify(t.Context(), a); err != nil || !r.Matches || !r.Joined || r.Hashing == 0 {
				t.Errorf("who stays: %+v, %v", r, err)
			}
		})
		synctest.Wait()
		cancel()
		synctest.Wait()
		if _, waiting := v.gate.Load(); waiting != 1 {
			t.Errorf("%d wait at the gate", waiting)
		}
		release()
		all.Wait()
		v.is(t, a, true, "cached", "afterwards")
	})
}

func TestAPlaceIsFreeWhenTheLastCallerLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newTestVerifier(time.Minute)
		release := take(t, v.gate, "somebody")
		a := Attempt{Kind: "user", Name: "alice", Hash: hashed(t, horse), Password: horse, Keep: true}
		ctx, cancel := context.WithCancel(t.Context())
		var all sync.WaitGroup
		for range 3 {
			all.Go(func() {
				if _, err := v.Verify(ctx, a); !errors.Is(err, context.Canceled) {
					t.Error("who left:", err)
				}
			})
		}
		synctest.Wait()
		cancel()
		all.Wait()
		synctest.Wait()
		v.flights.at(t, 0, "nobody waits")
		if running, waiting := v.gate.Load(); running != 1 || waiting != 0 {
			t.Errorf("%d run and %d wait", running, waiting)
		}
		release()
		idle(t, v.gate)
		v.is(t, a, true, "hashed", "an equal attempt afterwards")
	})
}

func TestAHashThatIsBeingMadeIsWaitedFor(t *testing.T) {
	v := newTestVerifier(time.Minute)
	a := Attempt{Kind: "user", Name: "alice", Hash: hashed(t, horse), Password: horse, Keep: true}
	ctx, cancel := context.WithCancel(t.Context())
	d := v.digest(a)
	begun, goOn := make(chan bool), make(chan bool)
	f, _ := v.flights.join(d, func(_ context.Context, begin func() bool) (Result, error) {
		begun <- begin()
		<-goOn
		return Result{Matches: true, Hashing: time.Second}, nil
	})
	<-begun
	defer v.flights.leave(d, f)
	cancel()
	go func() {
		for { // until the other one has come
			v.flights.mu.Lock()
			waiting := f.waiting
			v.flights.mu.Unlock()
			if waiting == 2 {
				break
			}
			time.Sleep(time.Millisecond)
		}
		goOn <- true
	}()
	if r, err := v.Verify(ctx, a); err != nil || !r.Matches {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestBusyIsReportedToAllAndNotRemembered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newTestVerifier(time.Minute)
		release := take(t, v.gate, "somebody")
		a := Attempt{Kind: "user", Name: "alice", Hash: hashed(t, horse), Password: horse, Keep: true}
		var all sync.WaitGroup
		for range 3 {
			all.Go(func() {
				if r, err := v.Verify(t.Context(), a); !errors.Is(err, ErrBusy) || r != (Result{}) {
					t.Errorf("%+v, %v", r, err)
				}
			})
		}
		all.Wait() // five seconds
		v.flights.at(t, 0, "all have landed")
		release()
		v.is(t, a, true, "hashed", "afterwards")
		idle(t, v.gate)
	})
}

func TestAPanicOfAComparisonIsAnErrorAndFreesItsSlot(t *testing.T) {
	v := newTestVerifier(time.Minute)
	broken := Attempt{Kind: "user", Name: "alice", Hash: Hash{params: Params{Scheme: Argon2id}}, Password: "hunter2", Keep: true}
	for range 2 {
		r, err := v.Verify(t.Context(), broken)
		if err == nil || r != (Result{}) || errors.Is(err, ErrBusy) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%+v, %v", r, err)
		}
	}
	idle(t, v.gate)
	v.flights.at(t, 0, "it has landed")
}

// C16
func TestNothingThatIsPrintedShowsAPassword(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const secret = "hunter2-in-clear"
		v := newTestVerifier(time.Hour)
		h := hashed(t, secret)
		a := Attempt{Key: "192.0.2.1", Kind: "user", Name: secret, Hash: h, Password: secret, Keep: true}
		look := func(reason string, values ...any) {
			t.Helper()
			for _, value := range values {
				for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
					printed := fmt.Sprintf(verb, value)
					if strings.Contains(printed, secret) || strings.Contains(printed, fmt.Sprintf("%x", secret)) || strings.Contains(printed, "$2a$") {
						t.Errorf("%s: %s of a %T prints it: %s", reason, verb, value, printed)
					}
				}
			}
		}
		release := take(t, v.gate, "somebody")
		var all sync.WaitGroup
		all.Go(func() { _, _ = v.Verify(t.Context(), a) })
		synctest.Wait()
		d := v.digest(a)
		f := v.flights.underway[d]
		look("in flight", a, &a, v, v.cache, v.gate, f)
		release()
		all.Wait()
		look("afterwards", v, v.cache.matched, v.cache.matched.Keys(), f, d)
		if len(d) != 32 || d == (attemptDigest{}) {
			t.Error("the digest is none")
		}
		if other := NewVerifier(v.gate).digest(a); other == d {
			t.Error("the digest is the same under every key")
		}
	})
}

// Everything at once, for the race detector.
func TestAVerifierIsSafeForConcurrentUse(t *testing.T) {
	v := NewVerifier(NewGate(Limits{Concurrency: 2, Queue: 4, Wait: time.Second}))
	v.SetCacheTTL(time.Hour)
	hashes := []Hash{hashed(t, "0"), hashed(t, "1"), hashed(t, "2")}
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for n := range 40 {
				ctx, cancel := context.WithCancel(t.Context())
				if n%3 == 0 {
					time.AfterFunc(time.Duration(n)*100*time.Microsecond, cancel)
				}
				right := n % len(hashes)
				a := Attempt{
					Key: fmt.Sprint(i % 3), Kind: "user", Name: fmt.Sprint(right), Hash: hashes[right],
					Password: fmt.Sprint((n + i) % 4), Keep: n%2 == 0,
				}
				r, err := v.Verify(ctx, a)
				switch {
				case errors.Is(err, ErrBusy) || errors.Is(err, context.Canceled) && n%3 == 0:
				case err != nil:
					t.Error(err)
				case r.Matches != (a.Password == a.Name):
					t.Errorf("password %s of user %s: %+v", a.Password, a.Name, r)
				}
				if n%20 == 19 {
					v.SetCacheTTL(time.Duration(n%40) * time.Minute)
				}
				cancel()
			}
		})
	}
	all.Wait()
	for running, waiting := v.gate.Load(); running+waiting > 0; running, waiting = v.gate.Load() {
		time.Sleep(time.Millisecond)
	}
	v.flights.at(t, 0, "nothing goes on")
}

func BenchmarkCacheHit(b *testing.B) {
	v := newTestVerifier(time.Hour)
	a := Attempt{Kind: "user", Name: "alice", Hash: hashed(b, horse), Password: horse, Keep: true}
	if _, err := v.Verify(b.Context(), a); err != nil {
		b.Fatal(err)
	}
	hit := func(b *testing.B) {
		if r, err := v.Verify(context.Background(), a); !r.Cached || err != nil {
			b.Error(r, err)
		}
	}
	b.Run("one after the other", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			hit(b)
		}
	})
	b.Run("in parallel", func(b *testing.B) {
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				hit(b)
			}
		})
	})
}

func BenchmarkCacheHitInAFullCache(b *testing.B) {
	c := newCache()
	c.setTTL(time.Hour)
	all := make([]attemptDigest, maxCached)
	for i := range all {
		all[i] = attemptDigest(labeled(testKey, "", fmt.Append(nil, i)))
		c.add(all[i])
	}
	i := 0
	for b.Loop() {
		if i++; !c.has(all[i%maxCached]) {
			b.Fatal("a miss")
		}
	}
}
