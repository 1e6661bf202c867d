package session

import (
	"context"
	"errors"
	"path"
	"slices"
	"testing"
	"time"

	"github.com/caddyserver/certmagic"
)

// earlier is a node of the version before pages were turned at a thousand entries each,
// as far as it has to do with the feed: how it wrote, read and turned pages is copied
// from there. The rest is that of a node.
type earlier struct {
	*node
	hours   map[string]*earlierHour
	revoked map[ID]bool
}

type earlierHour struct {
	passed, read, ended time.Time
	took                time.Duration
	entries             int
	final               bool
}

func newEarlier(storage certmagic.Storage) *earlier {
	return &earlier{node: newNode(storage), hours: make(map[string]*earlierHour), revoked: make(map[ID]bool)}
}

func (e *earlier) restart() *earlier {
	again := newEarlier(e.storage.Storage)
	again.skew, again.witness = e.skew, e.witness
	return again
}

const (
	earlierPage, earlierWrong, earlierAhead = 1000, 10_000, 12
)

func (h *earlierHour) isDue(now time.Time, recent bool) bool {
	switch {
	case h.final:
		return false
	case h.read.IsZero() || !h.passed.IsZero() && h.read.Before(h.passed):
		return true
	case h.entries > earlierPage && now.Sub(h.ended) < restFor*h.took:
		return false
	case h.passed.IsZero() || now.Sub(h.passed) >= closingAfter:
		return true
	}
	return recent && now.Sub(h.passed) < lateFor
}

// Poll reads all that is due.
func (e *earlier) Poll(ctx context.Context) error {
	known := func() (names []string) {
		for name := range e.hours {
			names = append(names, name)
		}
		return names
	}()
	hours, err := e.relistTimes(ctx, e.feedKey(""), hourLayout, known)
	if err == nil && len(hours) == 0 && len(e.hours) == 0 {
		if _, err = e.listKnown(ctx, e.feedKey("")); err == nil {
			hours, err = e.listTimes(ctx, e.feedKey(""), hourLayout)
		}
	}
	if err != nil {
		return err
	}
	if len(known) > 0 && (len(hours) == 0 || hours[len(hours)-1] < slices.Max(known)) {
		return unavailable("reading revocations", errors.New("the newest hour is gone"))
	}
	now := time.Now()
	for i, name := range hours {
		if e.hours[name] == nil {
			e.hours[name] = new(earlierHour)
		}
		if h := e.hours[name]; i < len(hours)-1 && h.passed.IsZero() {
			h.passed = now
		}
	}
	for name := range e.hours {
		if !isIn(hours, name) {
			delete(e.hours, name)
		}
	}
	for i, name := range slices.Backward(hours) {
		if h := e.hours[name]; h.isDue(time.Now(), i >= len(hours)-recentHours) {
			if err := e.readHour(ctx, name, hours[len(hours)-1], h); err != nil {
				return err
			}
		}
	}
	return nil
}

func (e *earlier) readHour(ctx context.Context, name, newest string, h *earlierHour) error {
	signs := !e.tellsErrors() && (name != newest || h.read.IsZero())
	if signs {
		if _, err := e.awaitSign(ctx); err != nil {
			return err
		}
	}
	began := time.Now()
	names, err := e.list(ctx, e.feedKey(name))
	if err != nil {
		return err
	}
	if signs {
		if _, err := e.awaitSign(ctx); err != nil {
			return err
		}
	}
	entries := 0
	for _, name := range names {
		if id, ok := ParseID(name); ok {
			e.revoked[id] = true
			entries++
		}
	}
	h.ended = time.Now()
	h.took, h.read, h.entries = h.ended.Sub(began), began, entries
	h.final = !h.passed.IsZero() && began.Sub(h.passed) >= closingAfter
	if name == newest {
		e.turnEarlierPage(ctx, name, entries)
	}
	return nil
}

func (e *earlier) turnEarlierPage(ctx context.Context, hour string, entries int) {
	start, _ := time.Parse(hourLayout, hour)
	ahead := int(start.Sub(e.now().UTC().Truncate(time.Hour)).Hours())
	most := earlierPage << max(0, min(ahead, 30))
	if ahead > earlierAhead {
		most = earlierWrong
	}
	if next := start.Add(time.Hour); entries > most && next.Year() <= 9999 {
		_ = e.Store.storage.Store(ctx, path.Join(e.feedKey(hourOf(next)), pageName), revocation(e.now()))
	}
}

// Revoke writes the marker, and the entry.
func (e *earlier) Revoke(ctx context.Context, id ID) error {
	note := revocation(e.now())
	if err := e.ensure(ctx, e.markerKey(id), note); err != nil {
		return err
	}
	newest, err := e.newestHour(ctx)
	if err != nil {
		return err
	}
	for range announceTries {
		hour := max(newest, hourOf(e.now()))
		if err := e.ensure(ctx, path.Join(e.feedKey(hour), id.String()), note); err != nil {
			return err
		}
		if newest, err = e.newestHour(ctx); err != nil || newest <= hour {
			return err
		}
	}
	return unavailable("revoking a session", errors.New("a newer hour appeared at every attempt"))
}

// An update: nodes of both versions write and read, while a flood turns many pages, and
// any of them may restart as either.
func TestNodesOfTheEarlierVersionFindWhatOthersRevokeAndTheOtherWayRound(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		storage := newTray()
		a, b := newNode(storage), newNode(storage)
		old := newEarlier(storage)
		var all []ID
		poll := func() {
			t.Helper()
			for _, n := range []interface{ Poll(context.Context) error }{a, b, old} {
				must(t, n.Poll(t.Context()))
			}
			for _, id := range all {
				if !old.revoked[id] {
					t.Fatalf("the earlier version does not know %s", id)
				}
				a.wantInView(t, id, true)
				b.wantInView(t, id, true)
			}
		}
		for step := range 60 {
			hour, err := a.newestHour(t.Context())
			must(t, err)
			if step%4 == 3 {
				all = append(all, fill(t, storage, max(hour, hourOf(time.Now())), 1100))
			}
			for _, by := range []interface {
				Revoke(context.Context, ID) error
			}{a, old, b} {
				id := monthAhead()
				must(t, by.Revoke(t.Context(), id))
				all = append(all, id)
			}
			poll()
			time.Sleep(3 * time.Second)
			switch step {
			case 20: // back
				b, old = newNode(storage), old.restart()
				must(t, b.Poll(t.Context()))
				must(t, old.Poll(t.Context()))
			case 40:
				old = old.restart()
				must(t, old.Poll(t.Context()))
			}
		}
		if len(storage.hours) < 10 {
			t.Errorf("%d pages", len(storage.hours))
		}
		time.Sleep(2 * closingAfter)
		poll()
	})
}
