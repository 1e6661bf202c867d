package session

import (
	"context"
	"errors"
	"time"

	"github.com/caddygrant/caddy-grant/internal/clock"
	"github.com/caddygrant/caddy-grant/internal/oneline"
)

// BeginNotices makes the object that tells of news, unless there is one, so that from
// then on it is known to be missing where it cannot be read.
func (s *Store) BeginNotices(ctx context.Context) error {
	if set := s.memory.notices.set.Load(); set != nil && set.latest != (latestNotice{}) {
		return nil
	}
	_, err := call(ctx, s.memory, revokeLimit, func(ctx context.Context) (struct{}, error) {
		return struct{}{}, s.beginNotices(ctx)
	})
	if err != nil {
		return err
	}
	return s.ReadNotices(ctx)
}

// beginNotices needs no lock: a latest that says less than there is hides nothing.
func (s *Store) beginNotices(ctx context.Context) error {
	if err := s.askWitness(ctx); err != nil {
		return err
	}
	key := s.noticeKey(latestName)
	content, err := s.load(ctx, key)
	if err == nil && content == nil && !s.tellsErrors() {
		if err = s.certain(ctx, "making "+key); err == nil {
			content, err = s.load(ctx, key)
		}
	}
	if err != nil || content != nil {
		return err
	}
	return s.ensure(ctx, key, encodeLatest(latestNotice{Version: noticeVersion, Change: newAnswer()}))
}

// Tell makes a notice. When it returns nil, this process knows it, and so does every
// other node that reads from then on. After ErrUnavailable the notice may or may not
// have been made; to repeat it is safe.
func (s *Store) Tell(ctx context.Context, kind NoticeKind, of string) (Notice, error) {
	detached, cancel := context.WithTimeout(context.WithoutCancel(ctx), revokeLimit)
	defer cancel()
	n, err := call(detached, s.memory, revokeLimit, func(ctx context.Context) (Notice, error) {
		for range announceTries {
			n, told, err := s.tell(ctx, kind, of)
			if told || err != nil {
				return n, err
			}
		}
		return Notice{}, unavailable("storing a notice", errors.New("other nodes were quicker at every attempt"))
	})
	if err != nil {
		return Notice{}, err
	}
	if err := s.ReadNotices(detached); err != nil {
		return Notice{}, err
	}
	return n, nil
}

// tell is one attempt, under a lock for the notice that comes next. It is not told if
// another node was quicker.
func (s *Store) tell(ctx context.Context, kind NoticeKind, of string) (n Notice, told bool, err error) {
	if err := s.readNotices(ctx); err != nil {
		return n, false, err
	}
	before := s.memory.notices.set.Load()
	if before == nil {
		return n, false, unavailable("storing a notice", errNothingYet)
	}
	// a name of its own for each lock, see lockKey
	err = s.locked(ctx, s.noticeKey(latestName)+"."+before.latest.Change, func(ctx context.Context) (err error) {
		if err := s.readNotices(ctx); err != nil {
			return err
		}
		known := s.memory.notices.set.Load()
		if known.latest.Change != before.latest.Change {
			return nil
		}
		now := s.now()
		n = newNotice(max(known.number()+1, now.UnixMilli()), kind, of, now)
		if err := s.ensure(ctx, s.noticeKey(n.name()), encodeNotice(n)); err != nil {
			return err
		}
		if err := clock.Expired(ctx); err != nil { // the lock may have another holder by now
			return unavailable("storing a notice", err)
		}
		if err := s.storeLatest(ctx, n.Number); err != nil {
			return err
		}
		if told, err = s.isNext(ctx, n); err != nil || !told {
			return err
		}
		s.deleteSuperseded(ctx, known, n, now)
		return nil
	})
	return n, told && err == nil, err
}

// isNext tells whether no other notice came first with the same number, or a higher one,
// which a session may have that began before this notice was stored. Not every storage
// has locks that let one node at a time make a notice.
func (s *Store) isNext(ctx context.Context, n Notice) (bool, error) {
	names, err := s.listKnown(ctx, s.noticeKey(""))
	if err != nil {
		return false, err
	}
	for _, name := range names {
		if parts := noticeName.FindStringSubmatch(name); parts != nil && name != n.name() && numberOf(parts) >= n.Number {
			return false, nil
		}
	}
	return true, nil
}

// deleteSuperseded removes notices that say nothing any longer. What fails is left for
// the next time.
func (s *Store) deleteSuperseded(ctx context.Context, known *noticeSet, n Notice, now time.Time) {
	all := map[string]Notice{n.name(): n}
	for name, other := range known.byName {
		all[name] = other
	}
	for _, name := range newNoticeSet(latestNotice{Number: n.Number}, all).superseded(now) {
		if s.delete(ctx, s.noticeKey(name)) != nil {
			return
		}
	}
}

// storeLatest says that there is something new.
func (s *Store) storeLatest(ctx context.Context, number int64) error {
	key, latest := s.noticeKey(latestName), latestNotice{Version: noticeVersion, Number: number, Change: newAnswer()}
	stored := s.storage.Store(ctx, key, encodeLatest(latest))
	content, err := s.load(ctx, key)
	if err != nil {
		return err
	}
	if decodeLatest(content) != latest {
		return unavailable("storing "+key, oneline.Join(stored, errors.New("storage does not have what was stored in it")))
	}
	return nil
}

// locked runs f under a lock of the storage, for lockHold at most.
func (s *Store) locked(ctx context.Context, name string, f func(context.Context) error) error {
	locking, cancel := context.WithTimeout(ctx, lockWait)
	defer cancel()
	if err := s.storage.Lock(locking, name); err != nil {
		return unavailable("locking "+name, err)
	}
	defer s.release(ctx, name)
	held, cancel := context.WithTimeout(ctx, lockHold)
	defer cancel()
	return f(held)
}
