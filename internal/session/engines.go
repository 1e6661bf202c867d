package session

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/caddygrant/caddy-grant/internal/oneline"
	"github.com/caddygrant/caddy-grant/sessions"
)

// Engines say where a server's sessions live, if not in the storage alone.
type Engines struct {
	// New is the name of the engine in which sessions begin. Empty: in the storage.
	New string

	// All are the engines that this node knows, by name. A session stays for life in
	// the engine that its ID names.
	All map[string]sessions.Engine

	// Identities tell engines of one name apart that are set up differently: what is
	// known of the sessions in one says nothing of those in another. By name, optional.
	Identities map[string]string

	// Storage says that there are sessions in the storage too. Where there are no
	// engines, all are.
	Storage bool

	// Failed is told of each call of an engine that fails, by the engine's name and one
	// of EngineCalls. Optional.
	Failed func(engine, call string)
}

// Names are those of the engines, first that in which sessions begin, and then in order.
// Where all sessions are in the storage, there are none.
func (e Engines) Names() []string {
	if len(e.All) == 0 {
		return nil
	}
	names := slices.Collect(maps.Keys(e.All))
	if e.Storage {
		names = append(names, StorageEngine)
	}
	first := cmp.Or(e.New, StorageEngine)
	slices.Sort(names)
	names = slices.DeleteFunc(names, func(name string) bool { return name == first })
	return slices.Insert(names, 0, first)
}

// WithEngines returns the same sessions, with those in engines.
func (s *Store) WithEngines(engines Engines) *Store {
	with := *s
	with.engines, with.noStorage = make(map[string]*engine, len(engines.All)), len(engines.All) > 0 && !engines.Storage
	for name, opened := range engines.All {
		with.engines[name] = &engine{Engine: opened, name: name, failed: engines.Failed, known: s.memory.engine(name, engines.Identities[name])}
	}
	with.origin = with.engines[engines.New]
	return &with
}

// engine is an engine that a Store uses.
type engine struct {
	sessions.Engine
	name   string
	failed func(engine, call string) // nil: no one is told
	known  *engineKnowledge
	last   atomic.Pointer[askedEpoch]
}

// askedEpoch is what an engine said when it was last asked for its epoch. What the process
// knows may be of another one: a config of before a reload, or one that was refused, can
// have another engine by the same name.
type askedEpoch struct {
	epoch string
	at    time.Time
}

// epochOfNew is the epoch in which sessions begin, empty if it is not known. An engine
// that was opened by a reload and has not answered yet is taken for the one of before.
func (e *engine) epochOfNew() string {
	if last := e.last.Load(); last != nil {
		return last.epoch
	}
	return e.known.epochOfNew()
}

// isDue tells whether to ask for the epoch.
func (e *engine) isDue() bool {
	last := e.last.Load()
	return last == nil || time.Since(last.at) >= epochFor || last.epoch != e.known.epochOfNew()
}

// engineOf returns the engine of a session, nil for the storage. A session that lives
// where this node is not told to look is unavailable.
func (s *Store) engineOf(id ID) (*engine, error) {
	name := id.engineName()
	switch e := s.engines[name]; {
	case e != nil:
		return e, nil
	case name == "" && !s.noStorage:
		return nil, nil
	case name == "":
		return nil, unavailable("looking for a session", fmt.Errorf("%w: it lives in the storage: add \"also storage\" to the sessions of the token_endpoint", ErrUnknownEngine))
	}
	return nil, unavailable("looking for a session", fmt.Errorf("%w: it lives in the engine %q: add \"also %s\" to the sessions of the token_endpoint, with the settings of that engine", ErrUnknownEngine, name, name))
}

// Origin is for a session that begins now. Only what this process knows counts, so no
// login waits for an engine.
func (s *Store) Origin(ctx context.Context) (Origin, error) {
	version, err := s.Version(ctx)
	if err != nil || s.origin == nil {
		return Origin{Version: version}, err
	}
	epoch := s.origin.epochOfNew()
	if epoch == "" {
		return Origin{}, unavailable("beginning a session", fmt.Errorf("the engine %s has not answered since this process started", s.origin.name))
	}
	return Origin{Version: version, engine: s.origin.name + "-" + epoch}, nil
}

// EngineNames are those of the engines, in order.
func (s *Store) EngineNames() []string { return slices.Sorted(maps.Keys(s.engines)) }

// inEach calls f for all engines at the same time. The results are in the order of
// EngineNames.
func inEach[T any](s *Store, f func(*engine) T) []T {
	names := s.EngineNames()
	results := make([]T, len(names))
	var all sync.WaitGroup
	for i, name := range names {
		all.Go(func() { results[i] = f(s.engines[name]) })
	}
	all.Wait()
	return results
}

// KeepEpoch asks an engine for the epoch of new sessions, once after it was opened and
// then every minute, or when the process has learned of another one. It returns the epoch
// if it is new since the last time: then the engine has lost what was in it, and all
// sessions that lived there before are over. An error that wraps [sessions.ErrUnsuitable]
// says that the engine must be set up differently.
func (s *Store) KeepEpoch(ctx context.Context, name string) (renewed string, err error) {
	return s.keepEpoch(ctx, s.engines[name])
}

func (s *Store) keepEpoch(ctx context.Context, e *engine) (renewed string, err error) {
	if e.isDue() {
		_, err = s.readEpoch(ctx, e)
	}
	return e.known.takeRenewal(), err
}

// Renewal is an epoch that KeepEpoch returned.
type Renewal struct{ Engine, Epoch string }

// KeepEpochs is KeepEpoch of all engines at the same time. All that is returned is in the
// order of EngineNames.
func (s *Store) KeepEpochs(ctx context.Context) (renewed []Renewal, err error) {
	type kept struct {
		Renewal
		err error
	}
	for _, k := range inEach(s, func(e *engine) kept {
		epoch, err := s.keepEpoch(ctx, e)
		return kept{Renewal{e.name, epoch}, err}
	}) {
		if k.Epoch != "" {
			renewed = append(renewed, k.Renewal)
		}
		err = oneline.Join(err, k.err)
	}
	return renewed, err
}

// KnowsEpoch tells whether an engine has answered since this process started.
func (s *Store) KnowsEpoch(name string) bool { return s.engines[name].known.epochOfNew() != "" }

func (s *Store) readEpoch(ctx context.Context, e *engine) (string, error) {
	epoch, err := callEngine(ctx, e, epochLimit, e.Epoch)
	switch {
	case errors.Is(err, ErrUnavailable):
		return "", err
	case err != nil:
		return "", e.unavailable("asking for its epoch", err)
	case !sessions.IsEpoch(epoch):
		return "", e.unavailable("asking for its epoch", errors.New("it has another form"))
	}
	e.known.setEpoch(epoch)
	e.last.Store(&askedEpoch{epoch, time.Now()})
	return epoch, nil
}

// callEngine is callAt of an engine, with one of its slots after the others.
func callEngine[T any](ctx context.Context, e *engine, limit time.Duration, f func(context.Context) (T, error), each ...slots) (T, error) {
	return callAt(ctx, e.place(), limit, f, append(each, e.known.slots)...)
}

func (e *engine) place() string { return "the engine " + e.name }

func (e *engine) unavailable(doing string, err error) error {
	return unavailable(doing+" in the engine "+e.name, err)
}

// load returns the state of a session. One of another epoch is over.
func (e *engine) load(ctx context.Context, id ID) (sessions.State, error) {
	st, err := e.Load(ctx, id.inEngine())
	return e.stated("loading a session", st, err)
}

// stated is a state that an engine returned, or its error as one of ours.
func (e *engine) stated(doing string, st sessions.State, err error) (sessions.State, error) {
	switch {
	case errors.Is(err, sessions.ErrOtherEpoch):
		return sessions.State{Over: true}, nil
	case errors.Is(err, sessions.ErrDamaged):
		return sessions.State{}, ErrDamaged
	case err != nil:
		return sessions.State{}, e.unavailable(doing, err)
	case !st.Revoked && !st.Over && (st.Generation == 0) != (st.Answer == ""):
		return sessions.State{}, e.unavailable(doing, fmt.Errorf("it has generation %d with the answer %q", st.Generation, st.Answer))
	}
	return st, nil
}

const (
	// StorageEngine is how configs name the storage among the engines.
	StorageEngine = "storage"

	// epochLimit is for an engine that has much to look at, or makes its first epoch.
	epochLimit = 15 * time.Second

	// epochFor is how long an epoch that was read is taken for the current one by
	// sessions that begin: what an engine lost is noticed by then at the latest.
	epochFor = time.Minute
)
