package keyring

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddyserver/certmagic"
)

// followed is a follower, and what it has reported.
type followed struct {
	*Follower
	used   []string // "the secret" or not, and the keys, the signer first
	failed []time.Duration
	errs   []string
	refuse error // by Use
}

// newFollowed follows EdDSA keys, unless other options are set.
func newFollowed(storage certmagic.Storage, memory *Memory, set func(*FollowerOptions)) *followed {
	f := new(followed)
	begin := time.Now()
	options := FollowerOptions{
		Store: NewStore(storage, testPrefix), Memory: memory, Algorithms: []Algorithm{"EdDSA"},
		Lifetime: func() time.Duration { return time.Hour },
		Use: func(g Generated) error {
			if f.refuse == nil {
				f.used = append(f.used, fmt.Sprintf("%t %q", g.Secret != nil, ids(g.Keys["EdDSA"])))
			}
			return f.refuse
		},
		Failed: func(err error) {
			f.failed, f.errs = append(f.failed, time.Since(begin)), append(f.errs, err.Error())
		},
	}
	if set != nil {
		set(&options)
	}
	f.Follower = NewFollower(options)
	return f
}

// inBubble is a test in fake time.
func inBubble(t *testing.T, f func(*testing.T)) {
	synctest.Test(t, func(t *testing.T) {
		defer time.Sleep(10 * time.Second) // certmagic keeps a lock fresh for some seconds after its end
		f(t)
	})
}

func setOf(keys ...string) string { return fmt.Sprintf("true %q", keys) }

// followFor lets it follow for a while.
func (f *followed) followFor(t *testing.T, d time.Duration) {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	f.Follow(ctx)
}

func storedIDs(t *testing.T, storage certmagic.Storage) []string {
	t.Helper()
	keys, err := NewStore(storage, testPrefix).loadKeys(t.Context(), "EdDSA")
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, k := range keys {
		out = append(out, k.ID())
	}
	return out
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

func TestFollowGeneratesWhatIsMissingAndReadDoesNot(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		_, storage := newStore(t)
		f := newFollowed(storage, NewMemory(), nil)
		if err := f.Read(t.Context()); err != nil {
			t.Error("nothing there yet is an error:", err)
		}
		if len(files(t, storage.Path)) != 0 || len(f.used) != 0 || isClosed(f.Attempted()) {
			t.Errorf("reading left %v, used %q", files(t, storage.Path), f.used)
		}
		f.followFor(t, 50*time.Second) // at once, after 20 s and after 40 s
		stored := storedIDs(t, storage)
		want := setOf(stored...)
		if len(stored) != 1 || !slices.Equal(f.used, []string{want, want, want}) || !isClosed(f.Attempted()) || f.errs != nil {
			t.Errorf("stored %q, used %q, errors %q", stored, f.used, f.errs)
		}
		next := newFollowed(storage, NewMemory(), nil)
		if err := next.Read(t.Context()); err != nil || !slices.Equal(next.used, []string{want}) {
			t.Errorf("the next process read %q, %v", next.used, err)
		}
	})
}

func TestWithoutGeneratedKeysThereIsNothingToFollow(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		_, storage := newStore(t)
		f := newFollowed(storage, NewMemory(), func(o *FollowerOptions) { o.Algorithms = nil })
		f.Follow(t.Context()) // which returns
		if !slices.Equal(f.used, []string{setOf()}) {
			t.Errorf("used %q", f.used)
		}
	})
}

func TestFollowRetriesAtGrowingIntervals(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		_, files := newStore(t)
		down := errors.New("connection refused")
		storage := &faulty{Storage: files, load: func(string) error { return down }}
		f := newFollowed(storage, NewMemory(), nil)
		var seconds []int
		check := func(d time.Duration, want ...int) {
			t.Helper()
			f.failed = nil
			f.followFor(t, d)
			seconds = nil
			for _, at := range f.failed {
				seconds = append(seconds, int(at.Seconds()))
			}
			if !slices.Equal(seconds, want) {
				t.Errorf("told of errors after %v seconds, want %v", seconds, want)
			}
		}
		// without keys each error counts
		check(75*time.Second, 0, 1, 3, 7, 15, 31, 51, 71)

		begin := time.Now()
		storage.load = func(string) error {
			if at := time.Since(begin); at < 30*time.Second || 110*time.Second < at && at < 150*time.Second {
				return nil
			}
			return down
		}
		f = newFollowed(storage, NewMemory(), nil)
		check(5*time.Minute, 40, 160) // with keys the first of several in a row does
		if storage.load = nil; len(f.used) == 0 || slices.ContainsFunc(f.used, func(s string) bool { return s != setOf(storedIDs(t, storage)...) }) {
			t.Errorf("used %q", f.used)
		}
	})
}

// What was read before a reload stands in for a storage that is down.
func TestFollowersShareAMemory(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		_, files := newStore(t)
		storage := &faulty{Storage: files}
		memory := NewMemory()
		newFollowed(storage, memory, nil).followFor(t, time.Second)
		want := setOf(storedIDs(t, storage)...)

		storage.load = func(string) error { return errors.New("connection refused") }
		next := newFollowed(storage, memory, nil)
		if err := next.Read(t.Context()); err == nil || !slices.Equal(next.used, []string{want}) {
			t.Errorf("used %q, %v", next.used, err)
		}
		next.followFor(t, time.Minute)
		if len(next.errs) != 1 || slices.ContainsFunc(next.used, func(s string) bool { return s != want }) {
			t.Errorf("errors %q, used %q", next.errs, next.used)
		}
	})
}

func TestKeysThatAreGoneAreNotReplaced(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		store, storage := newStore(t)
		f := newFollowed(storage, NewMemory(), nil)
		f.followFor(t, time.Second)
		before := storedIDs(t, storage)
		if err := storage.Delete(t.Context(), store.keyFolder("EdDSA")); err != nil {
			t.Fatal(err)
		}
		err := f.Attempt(t.Context())
		if err == nil || !strings.Contains(err.Error(), "the signing keys for EdDSA that were in storage are gone") {
			t.Error(err)
		}
		if stored := storedIDs(t, storage); stored != nil || f.used[len(f.used)-1] != setOf(before...) {
			t.Errorf("stored %q, used %q", stored, f.used)
		}
	})
}

func TestFollowRotatesKeys(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		_, storage := newStore(t)
		f := newFollowed(storage, NewMemory(), func(o *FollowerOptions) { o.RotateEvery = 24 * time.Hour })
		f.followFor(t, time.Minute)
		first := storedIDs(t, storage)[0]
		last := func() string { return f.used[len(f.used)-1] }
		step := func(d time.Duration) {
			t.Helper()
			time.Sleep(d)
			if err := f.Attempt(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		step(24 * time.Hour)
		stored := storedIDs(t, storage)
		if len(stored) != 2 || last() != setOf(first, stored[1]) {
			t.Fatalf("stored %q, used %q", stored, last())
		}
		second := stored[1]
		step(publishFor)
		if last() != setOf(second, first) {
			t.Errorf("published: used %q", last())
		}
		step(handover + time.Hour)
		if last() != setOf(second) {
			t.Errorf("retired: used %q", last())
		}
		step(keepRetired)
		if stored := storedIDs(t, storage); len(stored) != 2 || slices.Contains(stored, first) {
			t.Errorf("retired for a day: stored %q", stored)
		}
	})
}

// A storage may ignore its context.
func TestReadIsNotHeldUpByAStorageThatHangs(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		_, files := newStore(t)
		goOn := make(chan struct{})
		storage := &faulty{Storage: files, load: func(string) error { <-goOn; return nil }}
		defer close(goOn)
		f := newFollowed(storage, NewMemory(), nil)
		begin := time.Now()
		if err := f.Read(t.Context()); !errors.Is(err, context.DeadlineExceeded) || time.Since(begin) != readLimit {
			t.Errorf("%v after %v", err, time.Since(begin))
		}
	})
}

func TestWhatGoesWrongInAnAttemptIsAnError(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		_, files := newStore(t)
		storage := &faulty{Storage: files, load: func(string) error { panic("out of order") }}
		f := newFollowed(storage, NewMemory(), nil)
		if err := f.Attempt(t.Context()); err == nil || !strings.HasSuffix(err.Error(), "out of order") {
			t.Error("a panic of the storage:", err)
		}
		storage.load = nil
		f.refuse = errors.New("one signing key is listed twice")
		if err := f.Attempt(t.Context()); !errors.Is(err, f.refuse) {
			t.Error("a set that is refused:", err)
		}
		f.followFor(t, 2*time.Second) // which counts as none
		if len(f.errs) != 2 {
			t.Errorf("told of %q", f.errs)
		}
	})
}
