package session

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"time"

	"github.com/caddyserver/certmagic"

	"github.com/caddygrant/caddy-grant/internal/storagecheck"
)

// Store holds the sessions of one authorization server in one storage, and in engines,
// see WithEngines. It is safe for concurrent use. Check, Revoked, Rotate and Revoke return within ten seconds, Poll
// within half a minute and Sweep within two, even if the storage does not: what hangs
// goes on in the background, a bounded number of calls at once.
type Store struct {
	storage certmagic.Storage
	prefix  string
	memory  *Memory
	now     func() time.Time
	witness string // empty: none

	allowance Allowance // nil: no bound
	owner     Claims    // of the session, see Of; zero: unknown

	engines   map[string]*engine
	origin    *engine // in which sessions begin; nil: in the storage
	noStorage bool    // no session lives in the storage
}

// NewStore returns the sessions under a prefix of the storage, which has no slash at
// its ends and whose parts are lower case and free of "..". Stores of the same storage
// and prefix in one process share a memory. now is the wall clock.
func NewStore(storage certmagic.Storage, prefix string, memory *Memory, now func() time.Time) *Store {
	return &Store{storage: storage, prefix: prefix, memory: memory, now: now}
}

// WithWitness names an object that is there as long as the storage is the one with the
// sessions. A storage without it, such as the directory under a volume that is no
// longer mounted, is not believed when it has nothing about a session.
func (s *Store) WithWitness(key string) *Store {
	s.witness = key
	return s
}

// Check tells whether Rotate would hand out a generation for the given one now: the
// next if that is the current one, or again the current one within the grace. The error
// says why a generation is refused, or is ErrUnavailable. A call that never returns
// from the storage does not block the session for others. It writes nothing, except to
// see whether the storage answers, where it has to believe that something is missing.
func (s *Store) Check(ctx context.Context, id ID, generation uint64, grace time.Duration) (current bool, err error) {
	switch e, err := s.engineOf(id); {
	case err != nil:
		return false, err
	case e != nil:
		return s.checkIn(ctx, e, id, generation, grace)
	}
	return call(ctx, s.memory, readLimit, func(ctx context.Context) (bool, error) {
		st, due, err := s.look(ctx, id, generation, grace)
		if err == nil && !st.found {
			if st, err = s.readSurely(ctx, id); err == nil {
				due, err = s.judge(id, st, generation, grace)
			}
		}
		return err == nil && due == generation, err
	})
}

// Glance is Check for a caller that calls Rotate next, which looks at everything: that
// a generation is the current one is taken from the record alone.
func (s *Store) Glance(ctx context.Context, id ID, generation uint64, grace time.Duration) (current bool, err error) {
	switch e, err := s.engineOf(id); {
	case err != nil:
		return false, err
	case e != nil:
		return s.glanceIn(id)
	}
	return call(ctx, s.memory, readLimit, func(ctx context.Context) (bool, error) {
		if current, err := s.seemsCurrent(ctx, id, generation); current || err != nil {
			return current, err
		}
		_, due, err := s.look(ctx, id, generation, grace)
		return err == nil && due == generation, err
	})
}

// seemsCurrent reads as little as possible.
func (s *Store) seemsCurrent(ctx context.Context, id ID, generation uint64) (bool, error) {
	st, current, err := s.readCurrent(ctx, id, generation)
	if current || err != nil || generation != 0 || st.found {
		return current, err
	}
	if known, _ := s.memory.InView(id); known {
		return false, nil
	}
	marker, err := s.load(ctx, s.markerKey(id))
	return err == nil && marker == nil, err
}

// readCurrent reads the record, and tells whether that alone says that a generation is
// the current one. The session may be over all the same, by what stands next to it.
func (s *Store) readCurrent(ctx context.Context, id ID, generation uint64) (st state, current bool, err error) {
	st, err = s.readRecord(ctx, id)
	known, _ := s.memory.InView(id)
	current = err == nil && st.found && !st.revoked && st.unread == nil && !known && st.Generation == generation
	return st, current, err
}

// Revoked tells whether the session was revoked, by what storage has. A session whose
// records were swept counts as revoked.
func (s *Store) Revoked(ctx context.Context, id ID) (bool, error) {
	switch e, err := s.engineOf(id); {
	case err != nil:
		return false, err
	case e != nil:
		return s.revokedIn(ctx, e, id)
	}
	return call(ctx, s.memory, readLimit, func(ctx context.Context) (bool, error) {
		st, err := s.readSurely(ctx, id)
		switch {
		case err != nil:
			return false, err
		case errors.Is(st.unread, ErrDamaged):
			return true, nil // it cannot be determined, and no refresh will succeed
		}
		return st.over(), st.unread
	})
}

// record is what storage keeps for a session that was refreshed or revoked: if it was
// revoked, only that.
type record struct {
	Version    int    `json:"version"`
	Generation uint64 `json:"generation"`        // at least 1
	Answer     string `json:"answer"`            // random, of the exchange that made the generation
	Rotated    int64  `json:"rotated"`           // when that was, unix milliseconds
	Revoked    string `json:"revoked,omitempty"` // when that was, see revocation

	// for Sessions; earlier versions wrote neither
	Subject string `json:"subject,omitempty"`
	Client  string `json:"client,omitempty"`
	Session int64  `json:"sver,omitempty"` // its version, see Claims
}

// state is what storage says about a session. In the zero state nothing has happened to
// it yet.
type state struct {
	record
	found   bool  // the record
	unread  error // why its content says nothing
	revoked bool
	swept   bool // the whole day
}

// buried tells whether the record itself says that the session was revoked.
func (st state) buried() bool { return st.Revoked != "" }

// over tells whether every token of the session is refused.
func (st state) over() bool { return st.revoked || st.swept }

// read reads the state of a session. What is found counts: a storage that fails can
// seem to have less than it has, and never more. What is not found counts only after a
// sign that the storage answers, and where there is nothing at all, which is how every
// session begins, after a second reading. What this process knows to be revoked is
// revoked, whatever is found.
func (s *Store) read(ctx context.Context, id ID) (state, error) {
	if s.memory.later.has(id) {
		return state{revoked: true}, nil
	}
	st, err := s.readRecord(ctx, id)
	if err != nil || st.revoked {
		return st, err
	}
	if err := s.askWitness(ctx); err != nil {
		return st, err
	}
	if err := s.readMarks(ctx, id, &st); err != nil || st.found || st.over() {
		return st, err
	}
	if st, err = s.readRecord(ctx, id); err != nil || st.revoked {
		return st, err
	}
	return st, s.readMarks(ctx, id, &st)
}

// readSurely is read for callers after which no write follows, since a write would fail
// where the session's place is down. Where nothing at all is found, it takes a sign
// that the storage answers wherever it is asked: the view tells nothing here, since a
// place that is down hides entries of the feed too.
func (s *Store) readSurely(ctx context.Context, id ID) (state, error) {
	st, err := s.read(ctx, id)
	if err != nil || st.found || st.over() || s.tellsErrors() {
		return st, err
	}
	if recent, err := s.awaitSign(ctx); recent || err != nil {
		return st, err
	}
	return s.read(ctx, id)
}

// readRecord reads what the record alone says.
func (s *Store) readRecord(ctx context.Context, id ID) (st state, err error) {
	content, err := s.load(ctx, s.recordKey(id))
	if content == nil || err != nil {
		return st, err
	}
	st.found = true
	st.record, st.unread = decodeRecord(content)
	st.revoked = st.buried()
	return st, nil
}

// readMarks reads what stands next to the record and comes after it: its marker, which
// is never removed before there is the mark of a swept day, and then that mark. So what
// is missing was not there yet when what was read earlier was.
func (s *Store) readMarks(ctx context.Context, id ID, st *state) error {
	if err := s.readMarker(ctx, id, st); err != nil || st.revoked {
		return err
	}
	swept, err := s.load(ctx, s.sweptKey(id.day))
	if st.swept = swept != nil; !st.swept && err == nil {
		st.revoked, _ = s.memory.InView(id)
	}
	return err
}

func (s *Store) readMarker(ctx context.Context, id ID, st *state) error {
	marker, err := s.load(ctx, s.markerKey(id))
	st.revoked = marker != nil
	return err
}

// askWitness returns an error where the storage is not the one that it was.
func (s *Store) askWitness(ctx context.Context) error {
	if s.witness == "" {
		return nil
	}
	_, err := s.storage.Stat(ctx, s.witness) // takes a fifth of the time of Load, and reads nothing
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return unavailable("looking for "+s.witness, errors.New("it was there before: was the storage replaced, is a volume not mounted, or does the storage answer like this when it is down?"))
	case err != nil:
		return unavailable("looking for "+s.witness, err)
	}
	s.memory.witnessed.Store(true)
	return nil
}

// look judges a generation by what storage has. What would end the session because
// something is missing, or less than there was, is looked at once more after the
// storage has answered wherever it was asked.
func (s *Store) look(ctx context.Context, id ID, generation uint64, grace time.Duration) (state, uint64, error) {
	st, err := s.read(ctx, id)
	if err != nil {
		return st, 0, err
	}
	due, err := s.judge(id, st, generation, grace)
	if !isLost(err) {
		return st, due, err
	}
	if err := storagecheck.Answers(ctx, s.storage, s.probeKey("")); err != nil {
		return st, 0, unavailable("checking whether it has lost a session", err)
	}
	if st, err = s.read(ctx, id); err != nil {
		return st, 0, err
	}
	due, err = s.judge(id, st, generation, grace)
	return st, due, err
}

// isLost tells whether an error says that storage has lost what was in it.
func isLost(err error) bool { return errors.Is(err, ErrAhead) || errors.Is(err, ErrDamaged) }

// judge says which generation to hand out for the given one: the same means that the
// next one has to be made. It is valid for what was read, until another write.
func (s *Store) judge(id ID, st state, generation uint64, grace time.Duration) (uint64, error) {
	switch {
	case st.revoked:
		return 0, ErrRevoked
	case st.swept:
		return 0, ErrOver
	case st.unread != nil:
		return 0, st.unread
	case generation == st.Generation:
		return generation, nil
	case generation > st.Generation:
		return 0, ErrAhead
	case generation+1 == st.Generation && (s.withinGrace(st.record, grace) || s.memory.undelivered.has(id, st.record)):
		return st.Generation, nil
	}
	return 0, ErrReused
}

// withinGrace goes by the clocks of two nodes, so it counts in both directions: a clock
// that is behind does not make the grace last longer.
func (s *Store) withinGrace(r record, grace time.Duration) bool {
	return grace > 0 && s.now().Sub(time.UnixMilli(r.Rotated)).Abs() <= grace
}

// load reads an object, nil if there is none. An object that is there is never nil.
func (s *Store) load(ctx context.Context, key string) ([]byte, error) {
	content, err := s.storage.Load(ctx, key)
	switch {
	case err != nil && ctx.Err() != nil: // some storages report this as a missing object too
		return nil, unavailable("loading "+key, ctx.Err())
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, unavailable("loading "+key, err)
	case content == nil:
		return []byte{}, nil
	}
	return content, nil
}

func (s *Store) recordKey(id ID) string   { return path.Join(s.prefix, "sessions", id.day, id.random) }
func (s *Store) markerKey(id ID) string   { return s.recordKey(id) + markerSuffix }
func (s *Store) sweptKey(d string) string { return path.Join(s.prefix, "swept", d) }
func (s *Store) probeKey(n string) string { return path.Join(s.prefix, "probe", n) }

// lockKey is the name of the lock under which a generation is exchanged. Each name is
// usually locked once: 5 seconds after certmagic has released a lock file it keeps a
// file of that name fresh if there is one, so forever if it belongs to another node
// that died with it.
func (s *Store) lockKey(id ID, generation uint64) string {
	return s.recordKey(id) + "." + strconv.FormatUint(generation, 10)
}

func (s *Store) feedKey(hour string) string {
	return path.Join(s.prefix, "revocations", hour)
}

func encodeRecord(r record) []byte {
	r.Version = recordVersion
	encoded, _ := json.Marshal(r) // numbers and a string of hex digits: cannot fail
	return append(encoded, '\n')
}

func decodeRecord(content []byte) (record, error) {
	var of struct {
		Version int `json:"version"`
	}
	if err := json.Unmarshal(content, &of); err == nil && of.Version > recordVersion {
		return record{}, unavailable("reading a session", fmt.Errorf("its record has version %d, this program reads version %d", of.Version, recordVersion))
	}
	var r record
	switch err := json.Unmarshal(content, &r); {
	case err != nil || r.Version != recordVersion:
		return record{}, ErrDamaged
	case r.Revoked != "":
		return record{Revoked: r.Revoked}, nil
	case r.Generation == 0 || r.Answer == "":
		return record{}, ErrDamaged
	}
	return r, nil
}

func unavailable(doing string, err error) error {
	return fmt.Errorf("%w: %s: %w", ErrUnavailable, doing, err)
}

const (
	recordVersion = 1
	markerSuffix  = ".revoked"

	readLimit = 3 * time.Second
)
