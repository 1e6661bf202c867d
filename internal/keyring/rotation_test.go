package keyring

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddyserver/certmagic"
)

const epoch = 1790000000

// setClock sets the package's clock for the test, to a time after epoch.
func setClock(t *testing.T, after time.Duration) {
	t.Helper()
	before := now
	t.Cleanup(func() { now = before })
	now = func() time.Time { return time.Unix(epoch, 0).Add(after) }
}

// named is a key that can do nothing, created at a time after epoch.
func named(name string, created time.Duration) generatedKey {
	return generatedKey{&Key{id: name}, time.Unix(epoch, 0).Add(created).Unix()}
}

// L10.
func TestKeyIsPublishedBeforeItSignsAndStaysUntilItsLastTokenHasExpired(t *testing.T) {
	const (
		hour     = time.Hour
		lifetime = 2 * hour
		gone     = publishFor + lifetime + handover // after its successor was made
	)
	one := []generatedKey{named("a", 0)}
	two := []generatedKey{named("a", 0), named("b", 24*hour)}
	twins := []generatedKey{named("a", 0), named("b", 24*hour), named("c", 24*hour)}
	quick := []generatedKey{named("a", 0), named("b", hour), named("c", 2*hour), named("d", 3*hour)}
	tests := []struct {
		name string
		keys []generatedKey
		at   time.Duration
		want string // the signer first
	}{
		{"none", nil, 0, ""},
		{"the first signs at once", one, 0, "a"},
		{"the first, made by a clock that is ahead", one, -time.Minute, "a"},
		{"the first, made by a clock that was years ahead", one, -40000 * hour, "a"},
		{"two from the first start, before either was published", []generatedKey{named("a", 0), named("b", 0)}, time.Minute, "a b"},
		{"two from the first start, later", []generatedKey{named("a", 0), named("b", 0)}, publishFor, "b a"},
		{"two from the first start, one retired", []generatedKey{named("a", 0), named("b", 0)}, gone, "b"},
		{"the next is made", two, 24 * hour, "a b"},
		{"the next, made by a clock that is ahead", two, 24*hour - time.Minute, "a b"},
		{"just before the next signs", two, 24*hour + publishFor - time.Second, "a b"},
		{"the next signs", two, 24*hour + publishFor, "b a"},
		{"the last token of the one before has not expired where clocks are behind", two, 24*hour + gone - time.Second, "b a"},
		{"the one before is retired", two, 24*hour + gone, "b"},
		{"two in one second, made", twins, 24 * hour, "a b c"},
		{"two in one second, signing", twins, 24*hour + publishFor, "c a b"},
		{"two in one second, retired", twins, 24*hour + gone, "c"},
		{"a next that is years ahead", []generatedKey{named("a", 0), named("b", 40000*hour)}, 1000 * hour, "a b"},
		{"rotation faster than tokens expire", quick, 3 * hour, "c a b d"},
		{"rotation faster than tokens expire, later", quick, hour + gone, "d b c"},
		{"the signer was deleted", []generatedKey{named("a", 0), named("c", 24*hour)}, 24*hour + time.Minute, "a c"},
		{"all but the newest were deleted", []generatedKey{named("c", 24*hour)}, 24*hour + time.Minute, "c"},
		{"the successor of a retired key was deleted", two[:1], 24*hour + gone, "a"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			setClock(t, test.at)
			if got := strings.Join(ids(inUse(test.keys, lifetime)), " "); got != test.want {
				t.Errorf("in use %q, want %q", got, test.want)
			}
		})
	}
}

func TestKeyIsMadeWhenTheNewestIsOldEnough(t *testing.T) {
	const day = 24 * time.Hour
	tests := []struct {
		name        string
		rotateEvery time.Duration
		at          time.Duration // since the newest was made
		made        bool
	}{
		{"rotation off", 0, 1000 * day, false},
		{"a negative interval is off", -day, 1000 * day, false},
		{"too young", day, day - time.Second, false},
		{"old enough", day, day, true},
		{"rotation switched on late", day, 1000 * day, true},
		{"by a clock that was ahead", day, -time.Minute, false},
		{"by a clock that was years ahead", day, -1000 * day, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s, _ := newStore(t)
			setClock(t, 0)
			first, err := s.ensureKey(t.Context(), "EdDSA", test.rotateEvery)
			if err != nil || len(first) != 1 {
				t.Fatalf("keys %v, error %v", first, err)
			}
			setClock(t, test.at)
			for range 2 { // the second time there is nothing to do
				keys, err := s.ensureKey(t.Context(), "EdDSA", test.rotateEvery)
				if err != nil || (len(keys) == 2) != test.made || keys[0].ID() != first[0].ID() {
					t.Errorf("keys %v, error %v", keys, err)
				}
			}
		})
	}
}

func TestRotationIsSwitchedOnAndOffAgain(t *testing.T) {
	const day = 24 * time.Hour
	s, _ := newStore(t)
	var signers []string
	for i, rotateEvery := range []time.Duration{0, day, 0, 0, day} {
		setClock(t, time.Duration(i)*2*day)
		if _, err := s.ensureKey(t.Context(), "EdDSA", rotateEvery); err != nil {
			t.Fatal(err)
		}
		setClock(t, time.Duration(i)*2*day+publishFor)
		keys, err := s.loadKeys(t.Context(), "EdDSA")
		if err != nil {
			t.Fatal(err)
		}
		signers = append(signers, inUse(keys, time.Hour)[0].ID())
	}
	if made := len(slices.Compact(slices.Clone(signers))); made != 3 || signers[1] != signers[3] || signers[0] == signers[1] {
		t.Errorf("signers %v", signers)
	}
}

func TestOneRotationByManyNodesMakesOneKey(t *testing.T) {
	folder := t.TempDir()
	stores := []*Store{
		NewStore(&certmagic.FileStorage{Path: folder}, testPrefix),
		NewStore(&certmagic.FileStorage{Path: folder}, testPrefix),
	}
	old := generate(t, "ES256")
	putKey(t, stores[0], old, epoch)
	setClock(t, 24*time.Hour)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var (
		group sync.WaitGroup
		mu    sync.Mutex
		found = make(map[string]int)
	)
	for i := range 8 {
		group.Go(func() {
			keys, err := stores[i%2].ensureKey(ctx, "ES256", 24*time.Hour)
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			found[strings.Join(ids(keys), " ")]++
		})
	}
	group.Wait()
	keys, err := stores[1].loadKeys(ctx, "ES256")
	if err != nil || len(keys) != 2 || keys[0].ID() != old.ID() || len(found) != 1 {
		t.Errorf("keys %v, error %v, seen %v", keys, err, found)
	}
}

func TestKeyThatIsDeletedFromStorageWhileItSignsIsReplaced(t *testing.T) {
	s, storage := newStore(t)
	name := putKey(t, s, generate(t, "EdDSA"), epoch)
	stays := generate(t, "EdDSA")
	putKey(t, s, stays, epoch-24*3600)
	if err := storage.Delete(t.Context(), name); err != nil {
		t.Fatal(err)
	}
	setClock(t, time.Hour)
	keys, err := s.ensureKey(t.Context(), "EdDSA", 24*time.Hour)
	if err != nil || len(keys) != 2 {
		t.Fatalf("keys %v, error %v", keys, err)
	}
	// The previous key signs until the new key is published.
	if got := ids(inUse(keys, time.Hour)); got[0] != stays.ID() || len(got) != 2 {
		t.Errorf("in use %v", got)
	}
}

func TestRetiredKeysAreDeletedADayLaterAndNoOthers(t *testing.T) {
	const lifetime = time.Hour
	s, _ := newStore(t)
	var keys []*Key
	for i := range 4 {
		keys = append(keys, generate(t, "EdDSA"))
		putKey(t, s, keys[i], epoch+int64(i)*3600)
	}
	other := putKey(t, s, generate(t, "ES256"), epoch)
	loaded, err := s.loadKeys(t.Context(), "EdDSA")
	if err != nil {
		t.Fatal(err)
	}
	gone := publishFor + handover + lifetime + keepRetired
	for _, test := range []struct {
		at   time.Duration
		want []*Key
	}{
		{time.Hour + gone - time.Second, keys},
		{time.Hour + gone, keys[1:]},
		{1000 * time.Hour, keys[3:]},
	} {
		setClock(t, test.at)
		for range 2 { // another node, which knows the same keys
			if err := s.deleteRetired(t.Context(), "EdDSA", loaded, lifetime); err != nil {
				t.Fatal(err)
			}
		}
		left, err := s.loadKeys(t.Context(), "EdDSA")
		if err != nil || !slices.Equal(ids(left), ids(test.want)) {
			t.Errorf("after %s: keys %v, error %v", test.at, left, err)
		}
	}
	if !s.storage.Exists(t.Context(), other) {
		t.Error("a key of another algorithm is gone")
	}
}

func TestDeletingWhatAnotherNodeHasDeletedIsNotAnError(t *testing.T) {
	setClock(t, 1000*time.Hour)
	keys := []generatedKey{{generate(t, "EdDSA"), epoch}, {generate(t, "EdDSA"), epoch + 3600}}
	_, storage := newStore(t)
	for _, test := range []struct {
		err  error
		want string
	}{
		{fs.ErrNotExist, ""},
		{fmt.Errorf("no such key: %w", fs.ErrNotExist), ""},
		{errors.New("storage is down"), "deleting retired signing key " + testPrefix + "/keys/eddsa/"},
	} {
		s := NewStore(&faulty{Storage: storage, remove: func() error { return test.err }}, testPrefix)
		checkError(t, s.deleteRetired(t.Context(), "EdDSA", keys, time.Hour), test.want)
	}
}
