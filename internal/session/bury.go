package session

import (
	"context"
	"errors"

	"github.com/caddygrant/caddy-grant/internal/clock"
)

// bury replaces the record of a session with a record that says it was revoked. It does
// so under the lock of the exchange that would come next, so that no exchange can put
// back a record that it read earlier. lost is nil where the session is to be revoked in
// any case: its marker is there already then.
//
// A holder that has not released that lock within lockHold no longer writes, and the
// marker stops the next holder. So after that time it is done without the lock, unless
// the session is to end because of what the storage has lost.
func (s *Store) bury(ctx context.Context, id ID, lost func(context.Context) error) error {
	waiting, cancel := context.WithTimeout(ctx, lockHold)
	defer cancel()
	// exchanges and other revocations in this process; without the mutex the lock is
	// enough
	if unlock, _, err := s.memory.mutexes.lock(waiting, id); err == nil {
		defer unlock()
	}
	for range buryTries {
		st, err := s.readRecord(ctx, id)
		if st.buried() || err != nil {
			return err
		}
		done, err := s.buryAt(ctx, waiting, id, st.Generation, lost)
		if done || err != nil {
			return err
		}
	}
	return unavailable("revoking a session", errors.New("other writers keep changing its record"))
}

// buryAt is one attempt, with the lock of a generation. It is not done if that
// generation is no longer the current one, or if another writer has changed the record
// meanwhile.
func (s *Store) buryAt(ctx, waiting context.Context, id ID, generation uint64, lost func(context.Context) error) (bool, error) {
	lock := s.lockKey(id, generation)
	switch err := s.storage.Lock(waiting, lock); {
	case err == nil:
		defer s.release(ctx, lock)
	case lost != nil:
		return false, unavailable("locking "+lock, err)
	default:
		<-waiting.Done()
	}
	held, cancel := context.WithTimeout(ctx, lockHold)
	defer cancel()
	st, err := s.readRecord(held, id)
	if st.buried() || err != nil {
		return st.buried(), err
	}
	if st.Generation != generation {
		return false, nil
	}
	if lost != nil {
		if err := lost(held); err != nil {
			return false, err
		}
	}
	if err := clock.Expired(held); err != nil {
		return false, unavailable("storing "+s.recordKey(id), err)
	}
	stored := s.storage.Store(held, s.recordKey(id), revocation(s.now()))
	st, err = s.readRecord(held, id)
	switch {
	case st.buried() || err != nil:
		return st.buried(), err
	case stored != nil:
		return false, unavailable("storing "+s.recordKey(id), stored)
	}
	return false, nil
}

// buryTries is how often a record may change between reading and locking.
const buryTries = 5
