package session

import (
	"context"
	"encoding/json"
	"errors"
	"time"
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

// knownIn is known for a session in an engine.
func (s *Store) knownIn(ctx context.Context, e *engine, id ID, subject string) (Known, bool, error) {
	content, err := s.load(ctx, s.noteKey(id, subject))
	if content == nil || err != nil {
		return Known{}, false, err
	}
	var note ownerNote
	if json.Unmarshal(content, &note) != nil || note.Version != recordVersion {
		return Known{}, false, nil
	}
	st, err := e.load(ctx, id)
	switch {
	case errors.Is(err, ErrDamaged), err == nil && (st.Over || st.Generation == 0 && !st.Revoked):
		return Known{}, false, nil
	case err != nil:
		return Known{}, false, err
	}
	known := Known{
		Claims:  Claims{ID: id, Subject: subject, Client: note.Client, Version: note.Session},
		Revoked: st.Revoked,
	}
	known.Ended, _ = s.memory.Ended(known.Claims)
	if !st.Revoked {
		known.Generation, known.Rotated = st.Generation, s.now().Add(-st.Age)
	}
	return known, true, nil
}
