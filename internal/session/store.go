package session

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"time"

	"github.com/caddyserver/certmagic"
)

// Store is the sessions of one authorization server in one storage. It is safe for concurrent use. Check, Revoked, Rotate
// and Revoke return within ten seconds, Poll within half a minute and Sweep within two, also if the storage does not:
// what hangs goes on in the background, a bounded number of times at once.
type Store struct {
	storage certmagic.Storage
	prefix  string
	memory  *Memory
	now     func() time.Time
	witness string // empty: none

	allowance Allowance // nil: no bound
}

// NewStore returns the sessions under a prefix of the storage, which has no slash at its ends and whose parts are lower
// case and free of "..". Stores of the same storage and prefix in one process share a memory. now is the wall clock.
func NewStore(storage certmagic.Storage, prefix string, memory *Memory, now func() time.Time) *Store {
	return &Store{storage: storage, prefix: prefix, memory: memory, now: now}
}

// WithWitness names an object that is there as long as the storage is the one in which the sessions are. A storage
// without it, such as the directory under a volume that is not mounted any more, is not believed when it has nothing to
// say of a session.
func (s *Store) WithWitness(key string) *Store {
	s.witness = key
	return s
}

// Check tells whether Rotate would hand out a generation for the given one now: the next if that is the current one, or
// again the current one within the grace. The error is one of a generation that is worth nothing, or ErrUnavailable. It
// writes nothing, and what never comes back from the storage keeps the session from nobody.
func (s *Store) Check(ctx context.Context, id ID, generation uint64, grace time.Duration) (current bool, err error) {
	st, err := call(ctx, s.memory, readLimit, func(ctx context.Context) (state, error) { return s.read(ctx, id) })
	if err != nil {
		return false, err
	}
	due, err := s.judge(id, st, generation, grace)
	return err == nil && due == generation, err
}

// Revoked tells whether the session was revoked, by what storage has. One whose records were swept counts as revoked.
func (s *Store) Revoked(ctx context.Context, id ID) (bool, error) {
	st, err := call(ctx, s.memory, readLimit, func(ctx context.Context) (state, error) { return s.read(ctx, id) })
	if errors.Is(err, ErrDamaged) {
		return true, nil // it cannot be told, and no refresh will succeed
	}
	return st.revoked || st.swept, err
}

// record is what storage keeps of a session that was refreshed.
type record struct {
	Version    int    `json:"version"`
	Generation uint64 `json:"generation"` // at least 1
	Answer     string `json:"answer"`     // random, of the exchange that made the generation
	Rotated    int64  `json:"rotated"`    // when that was, unix milliseconds
}

// state is what storage says of a session. The zero state is that of a session to which nothing happened yet.
type state struct {
	record
	revoked bool
	swept   bool // the whole day
}

// read reads the state of a session. The record comes first, then its marker, which is never taken back before there is
// the mark of a swept day, and the mark last: so what is missing was not there yet when what was read before it was.
func (s *Store) read(ctx context.Context, id ID) (state, error) {
	var st state
	if s.memory.later.has(id) {
		return state{revoked: true}, nil
	}
	content, err := s.load(ctx, s.recordKey(id))
	if err != nil {
		return st, err
	}
	var damaged error
	if content != nil {
		st.record, damaged = decodeRecord(content)
	}
	marker, err := s.load(ctx, s.markerKey(id))
	if err != nil {
		return st, err
	}
	st.revoked = marker != nil
	if !st.revoked {
		swept, err := s.load(ctx, s.sweptKey(id.day))
		if err != nil {
			return st, err
		}
		st.swept = swept != nil
	}
	if damaged != nil && !st.revoked && !st.swept {
		return st, damaged
	}
	if content == nil && !st.revoked && !st.swept {
		return st, s.askWitness(ctx)
	}
	return st, nil
}

// askWitness is an error where the storage is not the one that it was.
func (s *Store) askWitness(ctx context.Context) error {
	if s.witness == "" {
		return nil
	}
	_, err := s.storage.Stat(ctx, s.witness) // which takes a fifth of the time that Load does, and reads nothing
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return unavailable("looking for "+s.witness, errors.New("it was there before: is another storage in its place, or a volume not mounted?"))
	case err != nil:
		return unavailable("looking for "+s.witness, err)
	}
	return nil
}

// judge says which generation to hand out for the given one: the same means that the next one has to be made. It holds
// for what was read, until somebody else writes.
func (s *Store) judge(id ID, st state, generation uint64, grace time.Duration) (uint64, error) {
	switch {
	case st.revoked:
		return 0, ErrRevoked
	case st.swept:
		return 0, ErrOver
	case generation == st.Generation:
		return generation, nil
	case generation > st.Generation:
		return 0, ErrAhead
	case generation+1 == st.Generation && (s.withinGrace(st.record, grace) || s.memory.undelivered.has(id, st.record)):
		return st.Generation, nil
	}
	return 0, ErrReused
}

// withinGrace goes by the clocks of two nodes, so it counts in both directions: a clock that is behind does not make
// the grace last longer.
func (s *Store) withinGrace(r record, grace time.Duration) bool {
	return grace > 0 && s.now().Sub(time.UnixMilli(r.Rotated)).Abs() <= grace
}

// load reads an object, nil if there is none. An object that is there is never nil.
func (s *Store) load(ctx context.Context, key string) ([]byte, error) {
	content, err := s.storage.Load(ctx, key)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, unavailable("loading "+key, err)
	case content == nil:
		return []byte{}, nil
	}
	return content, nil
}

// list returns the names directly below a key, none if it does not exist. The file system's List fails with the error
// of a missing key also when a file that it saw disappears before it looks closer, as temporary files do: so that one
// is believed only of a key that is missing indeed.
func (s *Store) list(ctx context.Context, key string) ([]string, error) {
	for try := 1; ; try++ {
		names, err := s.listNames(ctx, key)
		if errors.Is(err, fs.ErrNotExist) && s.missing(ctx, key) {
			return nil, nil
		}
		if err != nil && (!errors.Is(err, fs.ErrNotExist) || try == listTries) {
			return nil, unavailable("listing "+key, err)
		}
		if err == nil {
			return names, nil
		}
	}
}

// missing tells whether a key is not there for sure. [certmagic.Storage] has Exists, which says no also when it could not
// find out.
func (s *Store) missing(ctx context.Context, key string) bool {
	_, err := s.storage.Stat(ctx, key)
	return errors.Is(err, fs.ErrNotExist)
}

// listTimes returns the names directly below a key that are times in that layout, in order.
func (s *Store) listTimes(ctx context.Context, key, layout string) ([]string, error) {
	names, err := s.list(ctx, key)
	names = slices.DeleteFunc(names, func(name string) bool { return !isTime(name, layout) })
	slices.Sort(names)
	return names, err
}

func (s *Store) recordKey(id ID) string   { return path.Join(s.prefix, "sessions", id.day, id.random) }
func (s *Store) markerKey(id ID) string   { return s.recordKey(id) + markerSuffix }
func (s *Store) sweptKey(d string) string { return path.Join(s.prefix, "swept", d) }

// lockKey is the name of the lock under which a generation is exchanged. Each is locked once, as a rule: certmagic keeps
// a lock file fresh that is there 5 seconds after it gave back its own of that name, and so, for ever, that of another
// node which died with it.
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
	if err := json.Unmarshal(content, &r); err != nil || r.Version != recordVersion || r.Generation == 0 || r.Answer == "" {
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
	listTries     = 20

	readLimit = 3 * time.Second
)
