package session

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"

	"golang.org/x/sync/errgroup"
)

// readPartly is the notices that were read by attempts which did not get through: the
// next attempt goes on from there, however slow the storage is.
type readPartly struct {
	mu  sync.Mutex
	all map[string]Notice
}

func (p *readPartly) get(name string) (Notice, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	n, has := p.all[name]
	return n, has
}

func (p *readPartly) add(n Notice) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.all == nil {
		p.all = make(map[string]Notice)
	}
	p.all[n.name()] = n
}

// forget drops them when all were read.
func (p *readPartly) forget() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.all = nil
}

// knownNotice finds a notice that need not be loaded: it never changes.
func (s *Store) knownNotice(known *noticeSet, name string) (n Notice, has bool) {
	if known != nil {
		if n, has = known.byName[name]; has {
			return n, true
		}
	}
	return s.memory.notices.partly.get(name)
}

// loadEach loads notices by the parts of their names, a few at a time. They are not
// whole if one was deleted meanwhile.
func (s *Store) loadEach(ctx context.Context, unknown [][]string, all map[string]Notice) (whole bool, err error) {
	loaded := make([]*Notice, len(unknown))
	loads, loading := errgroup.WithContext(ctx)
	loads.SetLimit(loadsAtOnce)
	for i, parts := range unknown {
		loads.Go(func() (err error) {
			loaded[i], err = s.loadNotice(loading, parts)
			return err
		})
	}
	if err := loads.Wait(); err != nil {
		return false, err
	}
	for i, n := range loaded {
		if n == nil {
			return false, nil
		}
		all[unknown[i][0]] = *n
	}
	return true, nil
}

// loadNotice returns nil if the notice is no longer there.
func (s *Store) loadNotice(ctx context.Context, parts []string) (n *Notice, err error) {
	defer func() {
		if p := recover(); p != nil { // not in the goroutine of call
			err = unavailable("loading a notice", fmt.Errorf("[PANIC] %T in the storage\n%s", p, debug.Stack()))
		}
	}()
	content, err := s.load(ctx, s.noticeKey(parts[0]))
	if err != nil || content == nil {
		return nil, err
	}
	found := decodeNotice(parts, content)
	s.memory.notices.partly.add(found)
	return &found, nil
}

const loadsAtOnce = 16
