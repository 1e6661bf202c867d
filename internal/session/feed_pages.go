package session

import (
	"context"
	"path"
	"time"
)

// turnPage ends an hour that costs more to read than it has news. From then on there is
// a newer hour into which all nodes write, including those that run an earlier version,
// and its entries are not looked through again and again. So an hour is no more than
// the name of a page: in a flood the feed gets ahead of the clock, by an hour for each
// page, and the clock catches up later. Several nodes that turn a page at once do the
// same thing. If it fails, the next reading of the hour tries again.
func (s *Store) turnPage(ctx context.Context, hour string) {
	start, _ := time.Parse(hourLayout, hour)
	if next := start.Add(time.Hour); s.memory.view.isWorn(hour, time.Now()) && next.Year() <= 9999 {
		_ = s.storage.Store(ctx, path.Join(s.feedKey(hourOf(next)), pageName), revocation(s.now()))
	}
}

// pageLimits say when a page is turned: when it is full, or when its entries were read
// again so often that a new page, whose name is listed at each poll from then on, costs
// less. A few entries never cost more than the names of all pages.
type pageLimits struct {
	full  int // entries
	again int // entries that were read again, in all readings of one node
	few   int // entries
	names int // names of pages that cost as much as an entry

	// stays is how long a page is the newest at least. An entry is stored into the newest
	// page, and has to be there before there is a newer one, see announce.
	stays time.Duration
}

var usualPages = pageLimits{full: 1000, again: 10_000, few: 16, names: 8, stays: 5 * time.Second}

// isWorn tells whether to turn the page that the newest hour is.
func (v *view) isWorn(name string, now time.Time) bool {
	v.mu.RLock()
	defer v.mu.RUnlock()
	h, limits := v.hours[name], v.pages
	if h == nil || now.Sub(h.seen) < limits.stays {
		return false
	}
	return h.entries > limits.full || h.again > limits.again && h.entries > max(limits.few, len(v.hours)/limits.names)
}

// pageName is the object that begins an hour without a revocation. It is not an ID, and
// so not an entry.
const pageName = "page"
