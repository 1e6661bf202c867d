package session

import (
	"context"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddyserver/certmagic"
)

func TestAFullPageIsTurnedAndAllWriteIntoTheNewOne(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		storage := newShelf()
		nodes := []*node{newNode(storage), newNode(storage)}
		fill(t, storage, "2000010100", usualPages.full)
		for _, n := range nodes {
			must(t, n.Poll(t.Context()))
		}
		time.Sleep(usualPages.stays)
		must(t, nodes[0].Poll(t.Context()))
		if keys := storage.keys(pageName); len(keys) > 0 {
			t.Errorf("there is %v already", keys)
		}
		one := fill(t, storage, "2000010100", 1)
		for _, n := range nodes { // both turn the page, and the second one does not know that the first one did
			must(t, n.Poll(t.Context()))
			if keys := storage.keys(pageName); !slices.Equal(keys, []string{"revocations/2000010101/page"}) {
				t.Errorf("pages %v", keys)
			}
			must(t, storage.Delete(t.Context(), testPrefix+"/revocations/2000010101"))
		}
		for _, n := range nodes {
			n.storage.add(&rule{op: "list", part: "revocations/2000010100", times: 1, before: func() { time.Sleep(time.Second) }})
			must(t, n.Poll(t.Context()))
		}
		id := monthAhead()
		must(t, nodes[1].Revoke(t.Context(), id))
		if keys := storage.keys(id.String()); !slices.Equal(keys, []string{"revocations/2000010101/" + id.String()}) {
			t.Errorf("the next entry is %v", keys)
		}
		for _, n := range append(nodes, nodes[0].restart()) {
			must(t, n.Poll(t.Context()))
			n.wantInView(t, id, true)
			n.wantInView(t, one, true)
		}
	})
}

// However fast entries come, writers have time to see theirs in the newest page.
func TestAPageStaysTheNewestForSomeSeconds(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		storage := newTray()
		nodes := []*node{newNode(storage), newNode(storage), newNode(storage)}
		var turned []time.Time
		fill(t, storage, "2000010100", 1)
		for begun := time.Now(); time.Since(begun) < 30*time.Second; time.Sleep(500 * time.Millisecond) {
			hour, err := nodes[0].newestHour(t.Context())
			must(t, err)
			fill(t, storage, hour, 1000)
			for _, n := range append(nodes, nodes[0].restart()) {
				before := len(storage.hours)
				must(t, n.Poll(t.Context()))
				if len(storage.hours) > before {
					turned = append(turned, time.Now())
				}
			}
		}
		if len(turned) < 4 {
			t.Fatalf("%d pages were turned", len(turned))
		}
		for i := range turned[1:] {
			if stayed := turned[i+1].Sub(turned[i]); stayed < usualPages.stays {
				t.Errorf("a page stayed for %s", stayed)
			}
		}
	})
}

// A page that is not full costs as much as is in it, at each poll: after a while a new
// one is cheaper, and a few entries are not worth one.
func TestAPageWhoseEntriesAreReadAgainAndAgainIsTurned(t *testing.T) {
	for entries, turned := range map[int]bool{usualPages.few: false, usualPages.few + 1: true, 300: true} {
		inBubble(t, func(t *testing.T) {
			storage := newShelf()
			n := newNode(storage)
			fill(t, storage, "2000010100", entries)
			polls := usualPages.again/entries + 2
			for poll := range polls + 1 {
				if got := len(storage.keys(pageName)); got > 0 && poll < polls {
					t.Errorf("%d entries: turned after %d polls", entries, poll)
				}
				must(t, n.Poll(t.Context()))
				time.Sleep(2 * time.Second)
			}
			if got := len(storage.keys(pageName)) > 0; got != turned {
				t.Errorf("%d entries: turned %t", entries, got)
			}
		})
	}
}

// Where there are many pages, the names of which are listed at each poll, a page has to
// have more in it.
func TestPagesAreFewerThanTheirEntriesAreWorth(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		storage := newShelf()
		n := newNode(storage)
		for i := range 800 {
			fill(t, storage, hourOf(time.Now().Add(time.Duration(i-799)*time.Hour)), 1)
		}
		for _, c := range []struct {
			entries int
			turned  bool
		}{{98, false}, {3, true}} { // and one that is there
			fill(t, storage, hourOf(time.Now()), c.entries)
			for range 200 {
				must(t, n.Poll(t.Context()))
				time.Sleep(2 * time.Second)
			}
			if got := len(storage.keys(pageName)) > 0; got != c.turned {
				t.Errorf("%d entries more: turned %t", c.entries, got)
			}
		}
	})
}

// tray is a storage that has a feed only, finds things in it quickly, and counts what it
// is asked for.
type tray struct {
	certmagic.Storage // of everything else
	mu                sync.Mutex
	hours             map[string][]string
	has               map[string]bool
	calls, bytes      int
}

func newTray() *tray {
	return &tray{Storage: newShelf(), hours: make(map[string][]string), has: make(map[string]bool)}
}

func (f *tray) Store(ctx context.Context, key string, content []byte) error {
	if !strings.Contains(key, "/revocations/") {
		return f.Storage.Store(ctx, key, content)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.has[key] {
		f.has[key] = true
		f.hours[path.Dir(key)] = append(f.hours[path.Dir(key)], key)
	}
	return nil
}

func (f *tray) Load(ctx context.Context, key string) ([]byte, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.has[key] {
		return []byte("{}"), nil
	}
	return f.Storage.Load(ctx, key)
}

func (f *tray) List(ctx context.Context, key string, recursive bool) (keys []string, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case strings.HasSuffix(key, "/revocations"):
		keys = slices.Collect(maps.Keys(f.hours))
	case strings.Contains(key, "/revocations/"):
		keys = slices.Clone(f.hours[key])
	default:
		return f.Storage.List(ctx, key, recursive)
	}
	f.calls++
	for _, k := range keys {
		f.bytes += len(path.Base(k))
	}
	return keys, nil
}

// use is what was listed since the last time.
func (f *tray) use() (calls, bytes int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	calls, bytes = f.calls, f.bytes
	f.calls, f.bytes = 0, 0
	return calls, bytes
}

// An hour with that many revocations, of which an idle node learns by polling: during it,
// afterwards, and at a start.
func TestAnIdleNodePaysForWhatIsNew(t *testing.T) {
	for revocations, most := range map[int]struct{ during, afterwards int }{0: {100, 100}, 1000: {4_000, 200}, 100_000: {40_000, 1200}} {
		t.Run(fmt.Sprint(revocations), func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				storage := newTray()
				idle := newNode(storage)
				fill(t, storage, hourOf(time.Now()), 1)
				const polls = 1800
				var all []ID
				poll := func() {
					must(t, idle.Poll(t.Context()))
					time.Sleep(2 * time.Second)
				}
				poll()
				storage.use()
				for i := range polls {
					hour, err := idle.newestHour(t.Context())
					must(t, err)
					if some := revocations*(i+1)/polls - revocations*i/polls; some > 0 {
						all = append(all, fill(t, storage, hour, some))
					}
					poll()
				}
				_, during := storage.use()
				for range 600 { // 20 minutes
					poll()
				}
				storage.use()
				poll()
				calls, bytes := storage.use()
				again := idle.restart()
				must(t, again.Poll(t.Context()))
				startCalls, startBytes := storage.use()
				t.Logf("a poll during the hour lists %d bytes of names, and afterwards %d in %d calls; a start %d in %d calls; %d pages",
					during/polls, bytes, calls, startBytes, startCalls, len(storage.hours))
				if calls > 2 || bytes > most.afterwards {
					t.Errorf("afterwards a poll lists %d bytes of names in %d calls", bytes, calls)
				}
				if during/polls > most.during {
					t.Errorf("during the hour a poll lists %d bytes of names", during/polls)
				}
				if startBytes > (revocations+1)*49*11/10+200 || startCalls > 5+revocations/100 {
					t.Errorf("a start lists %d bytes of names in %d calls", startBytes, startCalls)
				}
				for _, n := range []*node{idle, again} {
					for _, id := range all {
						n.wantInView(t, id, true)
					}
				}
			})
		})
	}
}

// An hour that a wrong clock has made is not filled forever either.
func TestAPageIsTurnedWhateverItsTime(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		storage := newShelf()
		n := newNode(storage)
		fill(t, storage, "2090010123", usualPages.full+1)
		for range 2 {
			must(t, n.Poll(t.Context()))
			time.Sleep(usualPages.stays)
		}
		if keys := storage.keys(pageName); !slices.Equal(keys, []string{"revocations/2090010200/page"}) {
			t.Errorf("pages %v", keys)
		}
		fill(t, storage, "9999123123", usualPages.full+1)
		for range 2 {
			must(t, n.Poll(t.Context()))
			time.Sleep(usualPages.stays)
		}
		if keys := storage.keys(pageName); len(keys) != 1 {
			t.Errorf("pages %v", keys)
		}
	})
}

// A flood leaves pages that are ahead of the clock, the newest of which can stay that for
// weeks.
func TestPagesAheadOfTheClockAreSweptByTheirSessionsAndHoldUpNoOthers(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		storage := newShelf()
		n := newNode(storage)
		days(t, n, 400) // a sign that the clock is right
		var pages []string
		for i := range 100 {
			hour := hourOf(time.Now().Add(time.Duration(i) * time.Hour))
			put(t, storage, "revocations/"+hour+"/page", "")
			fill := NewID(time.Now())
			if i == 50 {
				fill = NewID(time.Now().AddDate(0, 0, 20))
			}
			put(t, storage, "revocations/"+hour+"/"+fill.String(), "")
			pages = append(pages, hour)
		}
		put(t, storage, "revocations/2000020100/page", "") // which is the newest for a month
		put(t, storage, "revocations/2000020100/"+NewID(time.Now()).String(), "")
		sweep := func(left int) {
			t.Helper()
			_, err := n.Sweep(t.Context())
			must(t, err)
			hours, err := n.listTimes(t.Context(), n.feedKey(""), hourLayout)
			must(t, err)
			if len(hours) != left || hours[len(hours)-1] != "2000020100" {
				t.Errorf("left: %q, want %d", hours, left)
			}
		}
		sweep(101)
		time.Sleep(8*24*time.Hour - time.Second)
		sweep(101)
		time.Sleep(5 * 24 * time.Hour) // until the last of them is past by the clock, too
		sweep(2)
		if keys := storage.keys("revocations/" + pages[50]); len(keys) != 2 {
			t.Errorf("left: %q", keys)
		}
		time.Sleep(20 * 24 * time.Hour)
		sweep(1)
	})
}
