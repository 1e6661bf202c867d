package sessionstest

import (
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"
	"testing"

	"github.com/caddygrant/caddy-grant/sessions"
)

func (s suite) feed(t *testing.T) {
	w := s.begin(t)
	if read, _ := w.a.reads(t, ""); len(read) > 0 {
		t.Fatalf("%d sessions are in the feed of a new server", len(read))
	}
	all := make(map[sessions.ID]bool)
	for i, days := range s.days {
		id := w.ending(days)
		if i%2 == 1 {
			w.a.wins(t, id, 1)
		}
		w.a.wins(t, w.ending(days), 1) // is not revoked
		for range i%3 + 1 {
			w.a.revokes(t, id)
		}
		all[id] = true
		for _, node := range []*checked{w.a, w.b, w.open(t)} {
			if read, _ := node.reads(t, ""); !maps.Equal(read, all) {
				t.Fatalf("the feed has %d sessions, and %d were revoked", len(read), len(all))
			}
		}
	}
}

// follows has nodes that revoke, one that follows, and nodes that continue from its
// cursors.
func (s suite) follows(t *testing.T) {
	w := s.begin(t)
	writers := []*checked{w.a, w.b}
	var mu sync.Mutex
	revoked := make(map[sessions.ID]bool)
	acknowledged := func() map[sessions.ID]bool {
		mu.Lock()
		defer mu.Unlock()
		return maps.Clone(revoked)
	}
	writing := make(chan struct{})
	t.Cleanup(func() { <-writing }) // also of a test that fails
	go func() {
		defer close(writing)
		inParallel(s.size.writers, func(worker int) {
			for range max(20, s.size.revocations/10/s.size.writers) {
				id := w.id()
				if err := writers[worker%2].Revoke(t.Context(), id); err != nil {
					t.Errorf("Revoke: %v", err)
					return
				}
				mu.Lock()
				revoked[id] = true
				mu.Unlock()
			}
		})
	}()
	type place struct {
		cursor string
		read   map[sessions.ID]bool // on the way to it
	}
	var places []place
	reader, cursor := w.open(t), ""
	read := make(map[sessions.ID]bool)
	for rounds, last := 0, false; !last; rounds++ {
		select {
		case <-writing:
			last = true
		default:
		}
		for more := true; more; {
			before := acknowledged()
			var ids []sessions.ID
			var err error
			if ids, cursor, more, err = reader.Revoked(t.Context(), cursor); err != nil {
				t.Fatalf("Revoked: %v", err)
			}
			for _, id := range ids {
				read[id] = true
			}
			if !more {
				missing(t, "the node that follows", before, read)
			}
		}
		if rounds < 1000 && rounds&(rounds-1) == 0 || last { // 0, 1, 2, 4, 8, …
			places = append(places, place{cursor, maps.Clone(read)})
			reader = w.open(t)
		}
	}
	<-writing
	all := acknowledged()
	for i, p := range places {
		rest, _ := w.open(t).reads(t, p.cursor)
		maps.Copy(rest, p.read)
		missing(t, fmt.Sprintf("a node that continues from cursor %d", i), all, rest)
	}
	for id := range read {
		if !all[id] {
			t.Errorf("%s is in the feed, and was not revoked", id)
		}
	}
}

// missing fails if a reader lacks something.
func missing(t *testing.T, reader string, want, got map[sessions.ID]bool) {
	t.Helper()
	lacks := 0
	for id := range want {
		if !got[id] {
			lacks++
		}
	}
	if lacks > 0 {
		t.Errorf("%s lacks %d of %d sessions that were revoked", reader, lacks, len(want))
	}
}

func (s suite) cursors(t *testing.T) {
	w := s.begin(t)
	all := make(map[sessions.ID]bool)
	_, empty := w.a.reads(t, "")
	cursor := empty
	for range 20 {
		for range 3 {
			id := w.id()
			w.a.revokes(t, id)
			all[id] = true
			read, next := w.b.reads(t, cursor)
			if !read[id] {
				t.Fatal("a session is missing after a cursor of before")
			}
			if again, _ := w.open(t).reads(t, cursor); !again[id] {
				t.Fatal("a session is missing after the same cursor at another node")
			}
			cursor = next
		}
		_, cursor = w.a.reads(t, cursor) // nothing has happened
	}
	for _, after := range []string{"", empty} {
		read, _ := w.open(t).reads(t, after)
		missing(t, "a node that begins late", all, read)
	}
}

func (s suite) badCursors(t *testing.T) {
	w, other := s.begin(t), s.begin(t)
	all := make(map[sessions.ID]bool)
	for range 10 {
		id := w.id()
		w.a.revokes(t, id)
		all[id] = true
		other.a.revokes(t, other.id())
	}
	_, good := w.a.reads(t, "")
	_, foreign := other.a.reads(t, "")
	for range 10 { // so that the other server is further
		other.a.revokes(t, other.id())
	}
	_, further := other.a.reads(t, "")
	for name, cursor := range map[string]string{
		"of another server":                      foreign,
		"of another server, which is further":    further,
		"garbage":                                "garbage",
		"a space":                                " ",
		"a sign":                                 "-",
		"zero":                                   "0",
		"a number":                               "1",
		"a negative number":                      "-1",
		"a large number":                         "9223372036854775808",
		"an ID of a stream":                      "18446744073709551615-18446744073709551615",
		"an end of a stream":                     "$",
		"a time":                                 "2026-01-01T00:00:00Z",
		"NUL":                                    "\x00",
		"not UTF-8":                              "\xff\xfe",
		"SQL":                                    "' OR '1'='1",
		"lines":                                  "\r\nFLUSHALL\r\n",
		"a cursor and more":                      good + "x",
		"a cursor in its half":                   good[:len(good)/2],
		"the most that there can be":             strings.Repeat("1", sessions.MaxCursor),
		"more than there can be":                 strings.Repeat("1", sessions.MaxCursor+1),
		"far more than there can be":             strings.Repeat("a", 1<<20),
		"a cursor, and far more than can follow": good + strings.Repeat("0", sessions.MaxCursor),
	} {
		read, next, err := w.b.read(t.Context(), cursor)
		switch {
		case errors.Is(err, sessions.ErrCursor):
		case err != nil:
			t.Errorf("%s: %v; want ErrCursor", name, err)
		case len(cursor) > sessions.MaxCursor:
			t.Errorf("%s is a cursor, after which there is %.40q", name, next)
		default: // is it a beginning of the feed in another spelling?
			missing(t, "a node that has "+name, all, read)
		}
	}
	missing(t, "a node that begins again", all, func() map[sessions.ID]bool { read, _ := w.b.reads(t, ""); return read }())
}

func (s suite) lostCursors(t *testing.T) {
	if s.LoseCursors == nil {
		t.Skip("there is no LoseCursors")
	}
	w := s.begin(t)
	all := make(map[sessions.ID]bool)
	_, cursor := w.a.reads(t, "")
	cursors := []string{cursor}
	for range 20 {
		id := w.id()
		w.a.revokes(t, id)
		all[id] = true
		_, cursor = w.a.reads(t, cursor)
		cursors = append(cursors, cursor)
	}
	s.LoseCursors(t, w.server)
	for i, cursor := range cursors[:len(cursors)-1] { // after the last one nothing is missing
		if read, _, err := w.b.read(t.Context(), cursor); !errors.Is(err, sessions.ErrCursor) {
			t.Errorf("cursor %d: %d sessions, %v; want ErrCursor", i, len(read), err)
		}
	}
	for _, node := range []*checked{w.a, w.b, w.open(t)} {
		read, next := node.reads(t, "")
		missing(t, "a node that begins again", all, read)
		id := w.id()
		w.a.revokes(t, id)
		all[id] = true
		if read, _ := node.reads(t, next); !read[id] {
			t.Error("a session is missing after a new cursor")
		}
	}
}

func (s suite) pages(t *testing.T) {
	w := s.begin(t)
	nodes := []*checked{w.a, w.b}
	var mu sync.Mutex
	all := make(map[sessions.ID]bool)
	inParallel(2*s.size.writers, func(worker int) {
		for range s.size.revocations / s.size.writers / 2 {
			id := w.id()
			if err := nodes[worker%2].Revoke(t.Context(), id); err != nil {
				t.Errorf("Revoke: %v", err)
				return
			}
			mu.Lock()
			all[id] = true
			mu.Unlock()
		}
	})
	read := make(map[sessions.ID]bool)
	var cursors []string
	for cursor, more := "", true; more; {
		ids, next, rest, err := nodes[len(cursors)%2].Revoked(t.Context(), cursor)
		if err != nil || len(cursors) > maxPages {
			t.Fatalf("page %d: %v", len(cursors), err)
		}
		if len(ids) > maxPage {
			t.Errorf("a page of %d sessions, want %d at most", len(ids), maxPage)
		}
		if rest && next == cursor {
			t.Fatalf("page %d ends at the cursor after which it began", len(cursors))
		}
		for _, id := range ids {
			read[id] = true
		}
		cursor, more = next, rest
		cursors = append(cursors, next)
	}
	if !maps.Equal(read, all) {
		t.Errorf("the feed has %d sessions, and %d were revoked", len(read), len(all))
	}
	if rest, _ := w.b.reads(t, cursors[len(cursors)-1]); len(rest) > maxPage {
		t.Errorf("after the end there are %d sessions", len(rest))
	}
}

// maxPage is far more than a page should have: what 1 MB holds.
const maxPage = 16_384
