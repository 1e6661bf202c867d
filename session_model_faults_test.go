package caddygrant

import (
	"context"
	"slices"
	"strings"
	"time"
)

// How the storage of TestModelOfSessions fails.

// modelFault is how calls fail after the next few.
type modelFault struct {
	kind         modelFaultKind
	after, times int
}

type modelFaultKind int

const (
	modelRefused  modelFaultKind = iota // fails
	modelDone                           // succeeds, and is reported as failed
	modelTorn                           // half of it is written
	modelSlow                           // hangs until its context ends, and does nothing
	modelSlowDone                       // hangs until its context ends, and succeeds
	modelStuck                          // hangs whatever its context says, and succeeds when it is released
	modelHangUp                         // the client hangs up; the call itself succeeds
	modelCrash                          // the process ends before the call
	modelFaultKinds
)

// arm sets what fails next.
func (d *modelDisk) arm(fault modelFault) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.fault = fault
}

func (d *modelDisk) stuckCalls() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.stuck)
}

// busy tells whether calls go on, apart from those that are stuck.
func (d *modelDisk) busy() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.calls > len(d.stuck)
}

func (d *modelDisk) count(n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.calls += n
}

// failing returns how a call is to fail.
func (d *modelDisk) failing(p *modelProcess, key string) (modelFaultKind, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	session := strings.Contains(key, "/sessions") || strings.Contains(key, "/revocations") ||
		strings.Contains(key, "/swept") || strings.Contains(key, "/probe")
	switch {
	case p.dead || !session || d.fault.times == 0:
		return 0, false
	case d.fault.after > 0:
		d.fault.after--
		return 0, false
	}
	d.fault.times--
	d.fired++
	return d.fault.kind, true
}

// call does something, or fails to do it. tear does half of it.
func (s *modelStorage) call(ctx context.Context, key string, do func() error, tear func()) error {
	d := s.disk
	d.count(1)
	defer d.count(-1)
	alive := func(do func() error) error {
		d.mu.Lock()
		defer d.mu.Unlock()
		if s.process.dead {
			return errModelStorage
		}
		return do()
	}
	if d.obeys && ctx.Err() != nil {
		return ctx.Err()
	}
	kind, fails := d.failing(s.process, key)
	if !fails {
		return alive(do)
	}
	switch kind {
	case modelDone:
		_ = alive(do)
	case modelTorn:
		if tear != nil {
			_ = alive(func() error { tear(); return nil })
		}
	case modelSlow:
		<-ctx.Done()
	case modelSlowDone:
		_ = alive(do)
		<-ctx.Done()
	case modelStuck:
		stuck := &modelStuckCall{s.process, make(chan struct{})}
		d.mu.Lock()
		d.stuck = append(d.stuck, stuck)
		d.mu.Unlock()
		<-stuck.release
		return alive(do)
	case modelHangUp:
		if d.hangUp != nil {
			d.hangUp()
			time.Sleep(time.Millisecond) // the caller that waits for this returns first
		}
		return alive(do)
	case modelCrash:
		d.crash(s.process)
	}
	return errModelStorage
}

// crash ends a process. Its locks are there until they are stale.
func (d *modelDisk) crash(p *modelProcess) {
	d.mu.Lock()
	defer d.mu.Unlock()
	p.dead = true
	for _, lock := range d.locks {
		if lock.process == p && lock.stale.IsZero() {
			lock.stale = time.Now().Add(modelLockStale)
		}
	}
}

// release lets the stuck calls of a process go on.
func (d *modelDisk) release(p *modelProcess) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.stuck = slices.DeleteFunc(d.stuck, func(c *modelStuckCall) bool {
		if c.process == p {
			close(c.release)
		}
		return c.process == p
	})
}
