package sessionstest

import (
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/caddygrant/caddy-grant/sessions"
)

// Memory is an engine in memory as its server: what any number of nodes share, also
// those of several authorization servers. It keeps every promise of [sessions.Engine]
// unless a method or a [Fault] says otherwise, and is safe for concurrent use.
type Memory struct {
	now func() time.Time

	mu      sync.Mutex
	servers map[string]*kept
	latest  time.Time // that now has returned: what is over stays over
	stopped bool
	late    []func()
}

// NewMemory returns an empty engine. now is its clock, and may be called at any time;
// nil is [time.Now], which is the clock of a bubble inside of one.
func NewMemory(now func() time.Time) *Memory {
	if now == nil {
		now = time.Now
	}
	return &Memory{now: now, servers: make(map[string]*kept)}
}

// Open opens the engine for an authorization server, as another node does.
func (m *Memory) Open(server string) *Node { return &Node{memory: m, server: server} }

// kept is what an engine has of one authorization server.
type kept struct {
	epoch string
	days  map[string]map[string]record // by the day and the random bits of an ID
	swept string                       // the last day that Sweep has begun to remove
	part  bool                         // it has lost a part, see FlushPart

	feedID string // part of cursors
	feed   []entry
	seq    uint64 // of the newest entry there was
}

type record struct {
	generation uint64
	answer     string
	made       time.Time
	revoked    bool
	announced  bool // and in the feed
	damaged    bool
}

type entry struct {
	seq uint64
	id  sessions.ID
}

func (k *kept) clone() *kept {
	c := *k
	c.feed = slices.Clone(k.feed)
	c.days = make(map[string]map[string]record, len(k.days))
	for day, records := range k.days {
		c.days[day] = maps.Clone(records)
	}
	return &c
}

// of returns what there is of a server, which may be nothing. The mutex is held.
func (m *Memory) of(server string) *kept {
	k := m.servers[server]
	if k == nil {
		k = &kept{days: make(map[string]map[string]record)}
		m.servers[server] = k
	}
	return k
}

// time is the clock, which does not go back. The mutex is held.
func (m *Memory) time() time.Time {
	if now := m.now(); now.After(m.latest) {
		m.latest = now
	}
	return m.latest
}

// Flush loses everything that is kept, epochs included.
func (m *Memory) Flush() {
	m.mu.Lock()
	defer m.mu.Unlock()
	clear(m.servers)
}

// FlushPart loses all records of the sessions whose random bits begin with 0 to 7, as a
// cluster does of which a shard is empty: nothing is known of these sessions from then
// on. A node that is opened afterwards makes a new epoch.
func (m *Memory) FlushPart() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, k := range m.servers {
		k.part = true
		for _, records := range k.days {
			maps.DeleteFunc(records, func(random string, _ record) bool { return isInPart(random) })
		}
	}
}

func isInPart(random string) bool { return random < "8" }

// Snapshot is what an engine had at some moment.
type Snapshot struct{ servers map[string]*kept }

// Snapshot is a copy of everything, such as a replica that lags behind, or a backup.
func (m *Memory) Snapshot() Snapshot {
	m.mu.Lock()
	defer m.mu.Unlock()
	return Snapshot{cloneAll(m.servers)}
}

// FailOver puts a snapshot in the place of what there is: what was acknowledged since
// is lost. Cursors of before are not valid afterwards.
func (m *Memory) FailOver(to Snapshot) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.servers = cloneAll(to.servers)
	for _, k := range m.servers {
		k.renewFeed()
	}
}

func cloneAll(servers map[string]*kept) map[string]*kept {
	clones := make(map[string]*kept, len(servers))
	for server, k := range servers {
		clones[server] = k.clone()
	}
	return clones
}

// TrimFeeds makes every cursor one that cannot be continued. All entries of sessions
// that are not over stay.
func (m *Memory) TrimFeeds() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, k := range m.servers {
		k.renewFeed()
	}
}

// Damage makes the record of a session unreadable. If it has none, it gets one.
func (m *Memory) Damage(server string, id sessions.ID) {
	m.mu.Lock()
	defer m.mu.Unlock()
	k := m.of(server)
	r := k.get(id)
	r.damaged = true
	k.put(id, r)
}

// Plant puts a record in the place of what there is of a session, whatever its day is: a
// revoked one is also put into the feed. Its age is 0.
func (m *Memory) Plant(server string, id sessions.ID, st sessions.State) {
	m.mu.Lock()
	defer m.mu.Unlock()
	k := m.of(server)
	k.put(id, record{generation: st.Generation, answer: st.Answer, made: m.time()})
	if st.Revoked {
		k.bury(id, false)
	}
}

// Remains tells whether anything is kept of a session.
func (m *Memory) Remains(server string, id sessions.ID) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	k := m.of(server)
	_, found := k.days[id.Day][id.Random]
	return found || slices.ContainsFunc(k.feed, func(e entry) bool { return e.id == id })
}

// Stop makes all calls of all nodes fail, without any effect, until Start.
func (m *Memory) Stop() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.stopped = true
}

// Start ends what Stop began.
func (m *Memory) Start() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.stopped = false
}

// ComesTrue does what calls that met [Late] have left to be done, in their order, each
// under its condition. It returns how many there were.
func (m *Memory) ComesTrue() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	late := m.late
	m.late = nil
	for _, effect := range late {
		effect()
	}
	return len(late)
}

// Kept is how many records there are of a server, and how many entries of the feed.
func (m *Memory) Kept(server string) (records, entries int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	k := m.of(server)
	for _, day := range k.days {
		records += len(day)
	}
	return records, len(k.feed)
}

// hasEpoch tells whether the epoch is there, in all parts.
func (k *kept) hasEpoch() bool { return k.epoch != "" && !k.part }

// begin makes an epoch, with which everything of before is over.
func (k *kept) begin() {
	*k = kept{epoch: sessions.NewEpoch(), days: make(map[string]map[string]record)}
	k.renewFeed()
}

func (k *kept) renewFeed() { k.feedID = sessions.NewEpoch() }

func (k *kept) get(id sessions.ID) record { return k.days[id.Day][id.Random] }

func (k *kept) put(id sessions.ID, r record) {
	day := k.days[id.Day]
	if day == nil {
		day = make(map[string]record)
		k.days[id.Day] = day
	}
	day[id.Random] = r
}

// isOver tells whether a session is over, which is for good.
func (k *kept) isOver(id sessions.ID, now time.Time) bool {
	return id.Day <= k.swept || !now.Before(id.Over())
}

// check returns the error that comes before any state. A missing epoch says nothing.
func (k *kept) check(id sessions.ID) error {
	switch {
	case k.epoch == "":
		return errNoEpoch
	case k.epoch != id.Epoch:
		return sessions.ErrOtherEpoch
	case k.part && isInPart(id.Random):
		return errNoEpoch
	}
	return nil
}

// state is the state of a session at that time.
func (k *kept) state(id sessions.ID, now time.Time) (sessions.State, error) {
	if err := k.check(id); err != nil {
		return sessions.State{}, err
	}
	r := k.get(id)
	switch {
	case k.isOver(id, now):
		return sessions.State{Over: true}, nil
	case r.revoked:
		return sessions.State{Revoked: true}, nil
	case r.damaged:
		return sessions.State{}, sessions.ErrDamaged
	case r.generation == 0:
		return sessions.State{}, nil
	}
	return sessions.State{Generation: r.generation, Answer: r.answer, Age: max(0, now.Sub(r.made))}, nil
}

// swap is Swap at that time.
func (k *kept) swap(id sessions.ID, next uint64, answer string, now time.Time) (sessions.State, error) {
	st, err := k.state(id, now)
	if err != nil || st.Revoked || st.Over || st.Generation != next-1 {
		return st, err
	}
	k.put(id, record{generation: next, answer: answer, made: now})
	return sessions.State{Generation: next, Answer: answer}, nil
}

// revoke is Revoke at that time, or only its first half, which is the marker.
func (k *kept) revoke(id sessions.ID, now time.Time, half bool) error {
	if err := k.check(id); err != nil || k.isOver(id, now) {
		return err
	}
	k.bury(id, half)
	return nil
}

func (k *kept) bury(id sessions.ID, half bool) {
	r := record{revoked: true, announced: k.get(id).announced}
	if !half && !r.announced {
		k.seq++
		k.feed = append(k.feed, entry{k.seq, id})
		r.announced = true
	}
	k.put(id, r)
}

// page is a page of the feed after a cursor.
func (k *kept) page(after string) (ids []sessions.ID, next string, more bool, err error) {
	if k.epoch == "" {
		return nil, "", false, errNoEpoch
	}
	from := uint64(0)
	if after != "" {
		if len(after) <= sessions.EpochLength || after[:sessions.EpochLength] != k.feedID {
			return nil, "", false, sessions.ErrCursor
		}
		if from, err = strconv.ParseUint(after[sessions.EpochLength:], 10, 64); err != nil || from > k.seq {
			return nil, "", false, sessions.ErrCursor
		}
	}
	begin, _ := slices.BinarySearchFunc(k.feed, from, func(e entry, from uint64) int {
		if e.seq <= from {
			return -1
		}
		return 1
	})
	end := min(len(k.feed), begin+pageLength)
	for _, e := range k.feed[begin:end] {
		ids = append(ids, e.id)
		from = e.seq
	}
	return ids, k.feedID + strconv.FormatUint(from, 10), end < len(k.feed), nil
}

// sweep removes days that are over, each in one step.
func (k *kept) sweep(now time.Time) {
	for day := range k.days {
		if id := (sessions.ID{Day: day}); k.isOver(id, now) {
			k.swept = max(k.swept, day)
			delete(k.days, day)
		}
	}
	k.feed = slices.DeleteFunc(k.feed, func(e entry) bool { return k.isOver(e.id, now) })
}

// pageLength is how many entries a page of the feed has.
const pageLength = 500
