package keyring

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddyserver/certmagic"
)

// rotates rotates by hand, without an error, and returns the IDs of the keys made.
func (f *followed) rotates(t *testing.T) []string {
	t.Helper()
	made, err := f.RotateNow(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return ids(made)
}

func (f *followed) last() string { return f.used[len(f.used)-1] }

// attempts lets time pass, and the follower look.
func (f *followed) attempts(t *testing.T, after time.Duration) {
	t.Helper()
	time.Sleep(after)
	if err := f.Attempt(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// started is a follower that has its first key.
func started(t *testing.T, storage certmagic.Storage) (f *followed, first string) {
	t.Helper()
	f = newFollowed(storage, NewMemory(), nil)
	f.attempts(t, 0)
	return f, storedIDs(t, storage)[0]
}

func TestARotationByHandHasTheStagesOfEveryRotation(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		store, storage := newStore(t)
		f, first := started(t, storage)
		begin := time.Now()
		object := func(id string) string { return path.Join(store.keyFolder("EdDSA"), keyNameOf(id)) }
		stages := func(want ...Stage) {
			t.Helper()
			got := f.Stages(time.Now())["EdDSA"]
			for i := range want {
				want[i].Algorithm, want[i].Object = "EdDSA", object(want[i].ID)
			}
			if !slices.Equal(got, want) {
				t.Errorf("after %v:\n%v, want\n%v", time.Since(begin), got, want)
			}
		}
		signing := Stage{ID: first, Name: StageSigning, Since: begin}
		stages(signing)

		time.Sleep(time.Minute)
		made := f.rotates(t)
		if len(made) != 1 || made[0] == first {
			t.Fatalf("made %q", made)
		}
		second, published := made[0], time.Now()
		signs := published.Add(publishFor)
		signing.Until = signs
		for range 3 {
			if f.last() != setOf(first, second) {
				t.Errorf("used %q", f.last())
			}
			stages(signing, Stage{ID: second, Name: StagePublished, Since: published, Until: signs})
			if made := f.rotates(t); made != nil {
				t.Fatalf("while a key is published, made %q", made)
			}
			time.Sleep(publishFor / 4)
		}

		time.Sleep(time.Until(signs))
		f.attempts(t, 0)
		retires := signs.Add(handover + time.Hour)
		if f.last() != setOf(second, first) {
			t.Errorf("used %q", f.last())
		}
		stages(Stage{ID: second, Name: StageSigning, Since: signs}, Stage{ID: first, Name: StageVerifying, Since: signs, Until: retires})

		time.Sleep(time.Until(retires))
		f.attempts(t, 0)
		if f.last() != setOf(second) || !storage.Exists(t.Context(), object(first)) {
			t.Errorf("used %q", f.last())
		}
		stages(Stage{ID: second, Name: StageSigning, Since: signs})
		f.attempts(t, keepRetired)
		if storage.Exists(t.Context(), object(first)) || !storage.Exists(t.Context(), object(second)) {
			t.Error("a key that has retired a day ago is in storage, or the other is not")
		}
		if made := f.rotates(t); len(made) != 1 {
			t.Errorf("the next rotation made %q", made)
		}
	})
}

// The stages are those of the keys in use, whatever the keys and the time.
func TestEveryKeyInUseHasOneStage(t *testing.T) {
	defer func() { now = time.Now }()
	for i := range 60 {
		at := time.Unix(epoch, 0).Add(time.Duration(i) * 10 * time.Minute)
		now = func() time.Time { return at }
		for _, keys := range [][]generatedKey{
			{named("a", 0)},
			{named("a", 0), named("b", 0)},
			{named("a", 0), named("b", time.Hour), named("c", time.Hour), named("d", 90*time.Minute)},
			{named("a", 9*time.Hour)},
			{named("a", 0), named("b", 1000*time.Hour)},
		} {
			const lifetime = 2 * time.Hour
			stages := stagesOf(keys, lifetime, time.Hour, at)
			var got []string
			for j, s := range stages {
				got = append(got, s.ID)
				if (s.Name == StageSigning) != (j == 0) || s.Since.After(at) || !s.Until.IsZero() && !s.Until.After(at) {
					t.Errorf("at %v: %+v", at, s)
				}
			}
			if want := ids(inUse(keys, lifetime)); !slices.Equal(got, want) {
				t.Errorf("at %v: stages of %q, in use %q", at, got, want)
			}
		}
	}
}

func TestTheStageOfARotatingKeyEndsWhenTheNextIsDue(t *testing.T) {
	setClock(t, 30*time.Hour)
	keys := []generatedKey{named("a", 0), named("b", 24*time.Hour)}
	if got := stagesOf(keys, time.Hour, 24*time.Hour, now())[0]; !got.Until.Equal(time.Unix(epoch, 0).Add(48*time.Hour + publishFor)) {
		t.Errorf("%+v", got)
	}
	if got := stagesOf(keys, time.Hour, 0, now())[0]; !got.Until.IsZero() {
		t.Errorf("without a rotation: %+v", got)
	}
}

func TestARotationByHandOnManyNodesMakesOneKey(t *testing.T) {
	folder := t.TempDir()
	var nodes []*followed
	for range 6 {
		f := newFollowed(&certmagic.FileStorage{Path: folder}, NewMemory(), nil)
		if err := f.Attempt(t.Context()); err != nil {
			t.Fatal(err)
		}
		nodes = append(nodes, f)
	}
	var all sync.WaitGroup
	made := make([][]*Key, len(nodes))
	for i, f := range nodes {
		all.Go(func() {
			var err error
			if made[i], err = f.RotateNow(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if got := slices.Concat(made...); len(got) != 1 {
		t.Errorf("made %q", ids(got))
	}
	stored := storedIDs(t, &certmagic.FileStorage{Path: folder})
	for i, f := range nodes {
		if f.last() != setOf(stored...) || len(stored) != 2 {
			t.Errorf("node %d uses %q, stored %q", i, f.last(), stored)
		}
	}
}

// The new key is used on another node when that has looked, and on both it signs at the
// same time.
func TestAnotherNodeFollowsARotationByHand(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		_, storage := newStore(t)
		here, first := started(t, storage)
		there, _ := started(t, storage)
		second := here.rotates(t)[0]
		there.attempts(t, FollowEvery)
		if there.last() != setOf(first, second) || !slices.Equal(there.Stages(time.Now())["EdDSA"], here.Stages(time.Now())["EdDSA"]) {
			t.Errorf("used %q", there.last())
		}
		if made := there.rotates(t); made != nil {
			t.Errorf("made %q", made)
		}
		time.Sleep(publishFor + time.Second)
		for _, f := range []*followed{here, there} {
			if f.attempts(t, 0); f.last() != setOf(second, first) {
				t.Errorf("used %q", f.last())
			}
		}
	})
}

func TestAKeyThatLeakedEndsWhenItIsDeletedAfterARotation(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		_, storage := newStore(t)
		here, first := started(t, storage)
		there, _ := started(t, storage)
		second := here.rotates(t)[0]
		if err := storage.Delete(t.Context(), here.Stages(time.Now())["EdDSA"][0].Object); err != nil {
			t.Fatal(err)
		}
		for _, f := range []*followed{here, there} {
			if f.attempts(t, FollowEvery); f.last() != setOf(second) {
				t.Errorf("used %q, the leaked key is %s", f.last(), first)
			}
		}
		if next := here.rotates(t); len(next) != 1 {
			t.Errorf("the next rotation made %q", next)
		}
	})
}

// Storage that lies or fails makes no second key, and takes none away.
func TestARotationByHandInAFaultyStorage(t *testing.T) {
	down := errors.New("connection refused")
	inKeys := func(key string) bool { return strings.Contains(key, "/keys/") }
	for _, test := range []struct {
		name  string
		fault func(*faulty, *place, string)
		text  string
		made  bool // yet it is in storage
	}{
		{name: "reads fail", text: "connection refused", fault: func(f *faulty, _ *place, _ string) {
			f.load = func(string) error { return down }
		}},
		{name: "the lock fails", text: "locking", fault: func(f *faulty, _ *place, _ string) {
			f.lock = func() error { return down }
		}},
		{name: "writes fail", text: "connection refused", fault: func(f *faulty, _ *place, _ string) {
			f.store = func(string, []byte) error { return down }
		}},
		{name: "only the key is not written", text: "storing", fault: func(f *faulty, _ *place, _ string) {
			f.store = func(key string, _ []byte) error {
				if inKeys(key) {
					return down
				}
				return nil
			}
		}},
		{name: "the key is written, and it says not", text: "storing", made: true, fault: func(f *faulty, _ *place, _ string) {
			f.store = func(key string, value []byte) error {
				if inKeys(key) {
					return errors.Join(f.Storage.Store(t.Context(), key, value), down)
				}
				return nil
			}
		}},
		{name: "reads find nothing", text: "lists it but does not return it", fault: func(_ *faulty, p *place, _ string) {
			p.down = func(string) bool { return true }
		}},
		{name: "the keys are not listed", text: "are gone", fault: func(_ *faulty, p *place, _ string) {
			p.down, p.lists = inKeys, false
		}},
		{name: "the new key is not listed", text: "does not list it", made: true, fault: func(_ *faulty, p *place, first string) {
			p.down, p.lists = func(key string) bool { return inKeys(key) && !strings.HasSuffix(key, keyNameOf(first)) }, false
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				_, files := newStore(t)
				p := &place{Storage: files, down: func(string) bool { return false }, lists: true}
				storage := &faulty{Storage: p}
				f, first := started(t, storage)
				before := f.last()
				test.fault(storage, p, first)
				for range 2 {
					made, err := f.RotateNow(t.Context())
					if test.made && err == nil && made == nil {
						break // it found what it had made
					}
					if _, notNow := errors.AsType[*NotNowError](err); err == nil || !strings.Contains(err.Error(), test.text) || made != nil || notNow {
						t.Errorf("made %q, error %v", ids(made), err)
					}
					if f.last() != before {
						t.Errorf("used %q, before %q", f.last(), before)
					}
					if test.made && test.text == "does not list it" {
						break // another call cannot know of it
					}
				}
				storage.store, storage.load, storage.lock = nil, nil, nil
				p.down = func(string) bool { return false }
				made := f.rotates(t)
				if test.made == (len(made) == 1) || len(storedIDs(t, storage)) != 2 {
					t.Errorf("later: made %q, stored %q", made, storedIDs(t, storage))
				}
			})
		})
	}
}

func TestWhenAKeyIsNotMadeByHand(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		store, storage := newStore(t)
		given := newFollowed(storage, NewMemory(), func(o *FollowerOptions) { o.Algorithms = nil })
		if _, err := given.RotateNow(t.Context()); !errors.Is(err, ErrNotGenerated) {
			t.Error(err)
		}
		notNow := func(f *followed, text string) {
			t.Helper()
			made, err := f.RotateNow(t.Context())
			if _, ok := errors.AsType[*NotNowError](err); !ok || !strings.Contains(err.Error(), text) || made != nil {
				t.Errorf("made %q, error %v", ids(made), err)
			}
		}
		notNow(newFollowed(storage, NewMemory(), nil), "has not been read from storage yet")
		if stored := storedIDs(t, storage); stored != nil {
			t.Errorf("stored %q", stored)
		}

		f, _ := started(t, storage)
		ahead := putKey(t, store, generate(t, "EdDSA"), time.Now().Add(1000*time.Hour).Unix())
		notNow(f, "1000h0m0s ahead: set the clocks, then delete the key's object "+ahead)
		if err := storage.Delete(t.Context(), ahead); err != nil {
			t.Fatal(err)
		}
		putKey(t, store, generate(t, "EdDSA"), time.Now().Add(time.Minute).Unix())
		if made := f.rotates(t); made != nil {
			t.Errorf("a key from a clock that is a minute ahead waits to sign, and there is %q", made)
		}
	})
}

// Otherwise it could take the place of the oldest, which signs at once.
func TestTheKeyOfARotationIsTheNewestWhateverTheClocks(t *testing.T) {
	for _, ahead := range []time.Duration{-time.Hour, 0, time.Minute, handover} {
		for range 4 { // the order within a second is by ID
			inBubble(t, func(t *testing.T) {
				store, storage := newStore(t)
				first := generate(t, "EdDSA")
				putKey(t, store, first, time.Now().Add(ahead).Unix())
				f, _ := started(t, storage)
				second := f.rotates(t)
				if len(second) != 1 || f.last() != setOf(first.ID(), second[0]) {
					t.Errorf("the first key is %v ahead: used %q", ahead, f.last())
				}
			})
		}
	}
}

func TestKeysAreNotMadeByHandWithoutEnd(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		_, storage := newStore(t)
		f := newFollowed(storage, NewMemory(), func(o *FollowerOptions) { o.Lifetime = func() time.Duration { return 1000 * time.Hour } })
		f.attempts(t, 0)
		for n := 2; n <= maxAtOnce; n++ {
			f.rotates(t)
			f.attempts(t, publishFor+time.Second)
		}
		if _, err := f.RotateNow(t.Context()); err == nil || !strings.Contains(err.Error(), "50 signing keys for EdDSA are in use") {
			t.Error(err)
		}
		f.attempts(t, 1000*time.Hour)
		f.rotates(t)
	})
}

// Of several algorithms, one that fails does not keep the others from rotating.
func TestEveryGeneratedAlgorithmIsRotated(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		_, files := newStore(t)
		storage := &faulty{Storage: files}
		f := newFollowed(storage, NewMemory(), func(o *FollowerOptions) { o.Algorithms = []Algorithm{"ES256", "EdDSA"} })
		f.attempts(t, 0)
		storage.store = func(key string, _ []byte) error {
			if strings.Contains(key, "/keys/es256/") {
				return errors.New("disk full")
			}
			return nil
		}
		made, err := f.RotateNow(t.Context())
		if err == nil || len(made) != 1 || made[0].Algorithm() != "EdDSA" {
			t.Errorf("made %v, error %v", made, err)
		}
		storage.store = nil
		if made, err := f.RotateNow(t.Context()); err != nil || len(made) != 1 || made[0].Algorithm() != "ES256" {
			t.Errorf("made %v, error %v", made, err)
		}
	})
}

func TestARotationByHandWaitsForItsTurn(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		_, files := newStore(t)
		storage := &faulty{Storage: files}
		f, _ := started(t, storage)
		goOn := make(chan struct{})
		storage.load = func(string) error { <-goOn; return nil }
		var all sync.WaitGroup
		all.Go(func() { _ = f.Attempt(t.Context()) })
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		time.Sleep(time.Millisecond)
		if _, err := f.RotateNow(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		all.Go(func() {
			if made, err := f.RotateNow(t.Context()); err != nil || len(made) != 1 {
				t.Errorf("made %v, error %v", made, err)
			}
		})
		time.Sleep(time.Second)
		close(goOn)
		all.Wait()
		if want := storedIDs(t, files); len(want) != 2 || f.last() != setOf(want...) {
			t.Errorf("used %q, stored %q", f.last(), want)
		}
	})
}

func TestAPanicOfTheStorageEndsARotationByHand(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		_, files := newStore(t)
		storage := &faulty{Storage: files}
		f, _ := started(t, storage)
		storage.load = func(string) error { panic("out of order") }
		if _, err := f.RotateNow(t.Context()); err == nil || !strings.HasSuffix(err.Error(), "out of order") {
			t.Error(err)
		}
		storage.load = nil
		if made := f.rotates(t); len(made) != 1 {
			t.Error(fmt.Sprint(made))
		}
	})
}
