package session

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/caddygrant/caddy-grant/sessions"
)

// ownerNote is what is noted of a session in an engine, which knows no owners.
type ownerNote struct {
	Version int       `json:"version"`
	Noted   time.Time `json:"noted"`
	Client  string    `json:"client,omitempty"`
	Session int64     `json:"sver,omitempty"` // its version, see Claims
}

// note is the content of the object by which Sessions finds a session. That of a session
// in the storage says nothing, since the record does.
func (s *Store) note(id ID) []byte {
	if id.engine == "" {
		return revocation(s.now())
	}
	encoded, _ := json.Marshal(ownerNote{recordVersion, s.now().UTC().Truncate(time.Second), s.owner.Client, s.owner.Version}) // cannot fail
	return append(encoded, '\n')
}

// noted is what is noted of a session in an engine, and where to put what the engine says
// of it.
type noted struct {
	Claims
	into *found
}

// noteOf reads what is noted of a session in an engine.
func (s *Store) noteOf(ctx context.Context, id ID, subject string) (_ *noted, there bool, err error) {
	content, err := s.load(ctx, s.noteKey(id, subject))
	if content == nil || err != nil {
		return nil, false, err
	}
	var note ownerNote
	if json.Unmarshal(content, &note) != nil || note.Version != recordVersion {
		return nil, false, nil
	}
	return &noted{Claims: Claims{ID: id, Subject: subject, Client: note.Client, Version: note.Session}}, true, nil
}

// readIn reads a session in its engine, unless that failed before. An engine that fails
// is not asked again: each session would take as long.
func (s *Store) readIn(ctx context.Context, n *noted, failed error) error {
	known := Known{Claims: n.Claims}
	known.Ended, _ = s.memory.Ended(n.Claims)
	known.Revoked, _ = s.memory.InView(n.ID)
	var st sessions.State
	if failed == nil {
		st, failed = s.stateOf(ctx, n.ID)
	}
	switch {
	case errors.Is(failed, ErrDamaged):
		return nil
	case failed != nil && (known.Ended || known.Revoked): // whatever its engine would say
		n.into.known = &known
	case failed != nil:
		n.into.unread = &Unread{n.Claims, n.ID.engineName(), failed}
	case st.Over, st.Generation == 0 && !st.Revoked:
	default:
		if known.Revoked = st.Revoked || known.Revoked; !known.Revoked {
			known.Generation, known.Rotated = st.Generation, s.now().Add(-st.Age)
		}
		n.into.known = &known
	}
	return failed
}

// stateOf is the state of a session in an engine.
func (s *Store) stateOf(ctx context.Context, id ID) (sessions.State, error) {
	e, err := s.engineOf(id)
	if err != nil {
		return sessions.State{}, err
	}
	return callEngine(ctx, e, listLimit, func(ctx context.Context) (sessions.State, error) { return e.load(ctx, id) })
}

// listLimit is how long a list waits for an engine.
const listLimit = 2 * time.Second
