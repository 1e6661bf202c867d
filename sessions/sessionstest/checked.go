package sessionstest

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/caddygrant/caddy-grant/sessions"
)

// checked is an engine of which each answer is checked for its form.
type checked struct {
	sessions.Engine
	t           reporter
	secrets     []string
	interrupted bool // the engine is away at times
}

// reporter is a test, or a check of rapid.
type reporter interface {
	Helper()
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
	Context() context.Context
}

func (c *checked) Epoch(ctx context.Context) (string, error) {
	epoch, err := c.Engine.Epoch(ctx)
	c.fails("Epoch", err)
	if err == nil && !sessions.IsEpoch(epoch) {
		c.t.Errorf("Epoch: %q is not an epoch", epoch)
	}
	return epoch, err
}

func (c *checked) Load(ctx context.Context, id sessions.ID) (sessions.State, error) {
	st, err := c.Engine.Load(ctx, id)
	c.fails("Load", err)
	c.state("Load", st, err)
	return st, err
}

func (c *checked) Swap(ctx context.Context, id sessions.ID, next uint64, answer string) (sessions.State, error) {
	st, err := c.Engine.Swap(ctx, id, next, answer)
	c.fails("Swap", err)
	c.state("Swap", st, err)
	return st, err
}

func (c *checked) Revoke(ctx context.Context, id sessions.ID) error {
	err := c.Engine.Revoke(ctx, id)
	c.fails("Revoke", err)
	return err
}

func (c *checked) Revoked(ctx context.Context, after string) ([]sessions.ID, string, bool, error) {
	ids, next, more, err := c.Engine.Revoked(ctx, after)
	c.fails("Revoked", err)
	if err == nil && (next == "" || len(next) > sessions.MaxCursor) {
		c.t.Errorf("Revoked: a cursor of %d bytes", len(next))
	}
	for _, id := range ids {
		if !id.IsValid() {
			c.t.Errorf("Revoked: %q is not the ID of a session", id)
		}
	}
	return ids, next, more, err
}

func (c *checked) Sweep(ctx context.Context) (bool, error) {
	more, err := c.Engine.Sweep(ctx)
	c.fails("Sweep", err)
	return more, err
}

// fails looks for secrets in an error.
func (c *checked) fails(op string, err error) {
	if err == nil {
		return
	}
	for _, secret := range c.secrets {
		if strings.Contains(err.Error(), secret) {
			c.t.Errorf("%s: a secret is in the error", op)
		}
	}
}

func (c *checked) state(op string, st sessions.State, err error) {
	live := err == nil && !st.Revoked && !st.Over
	switch {
	case st.Age < 0:
		c.t.Errorf("%s: the age is %s", op, st.Age)
	case live && st.Generation == 0 && (st.Answer != "" || st.Age != 0):
		c.t.Errorf("%s: generation 0 has answer %q and age %s", op, st.Answer, st.Age)
	case live && st.Generation > 0 && !isAnswer(st.Answer):
		c.t.Errorf("%s: generation %d has answer %q", op, st.Generation, st.Answer)
	}
}

func (c *checked) epoch(t reporter) string {
	t.Helper()
	var epoch string
	err := c.asks(func() (err error) { epoch, err = c.Epoch(t.Context()); return err })
	if err != nil {
		t.Fatalf("Epoch: %v", err)
	}
	return epoch
}

// asks calls do, and again if the client may not have noticed yet that the engine is back.
func (c *checked) asks(do func() error) error {
	err := do()
	for deadline := time.Now().Add(patience); c.interrupted && err != nil && !isCertain(err) && time.Now().Before(deadline); err = do() {
		time.Sleep(50 * time.Millisecond)
	}
	return err
}

func (c *checked) load(t reporter, id sessions.ID) sessions.State {
	t.Helper()
	var st sessions.State
	err := c.asks(func() (err error) { st, err = c.Load(t.Context(), id); return err })
	if err != nil {
		t.Fatalf("Load: %v", err)
	}
	return st
}

// has loads a session and compares it, without the age.
func (c *checked) has(t reporter, id sessions.ID, want sessions.State) {
	t.Helper()
	if st := c.load(t, id); !same(st, want) {
		t.Fatalf("Load: %s, want %s", describe(st), describe(want))
	}
}

// swaps makes a swap and compares what it returns, without the age.
func (c *checked) swaps(t reporter, id sessions.ID, next uint64, answer string, want sessions.State) {
	t.Helper()
	var st sessions.State
	err := c.asks(func() (err error) { st, err = c.Swap(t.Context(), id, next, answer); return err })
	if err != nil {
		t.Fatalf("Swap to %d: %v", next, err)
	}
	if !same(st, want) {
		t.Fatalf("Swap to %d: %s, want %s", next, describe(st), describe(want))
	}
}

// wins makes a swap that wins.
func (c *checked) wins(t reporter, id sessions.ID, next uint64) (answer string) {
	t.Helper()
	answer = newAnswer()
	c.swaps(t, id, next, answer, at(next, answer))
	return answer
}

func (c *checked) revokes(t reporter, id sessions.ID) {
	t.Helper()
	if err := c.asks(func() error { return c.Revoke(t.Context(), id) }); err != nil {
		t.Fatalf("Revoke: %v", err)
	}
}

// reads reads the feed from a cursor to its end.
func (c *checked) reads(t reporter, after string) (read map[sessions.ID]bool, cursor string) {
	t.Helper()
	err := c.asks(func() (err error) { read, cursor, err = c.read(t.Context(), after); return err })
	if err != nil {
		t.Fatalf("Revoked: %v", err)
	}
	return read, cursor
}

// read is reads that may fail.
func (c *checked) read(ctx context.Context, after string) (read map[sessions.ID]bool, cursor string, err error) {
	read = make(map[sessions.ID]bool)
	for range maxPages {
		ids, next, more, err := c.Revoked(ctx, after)
		if err != nil {
			return nil, "", err
		}
		for _, id := range ids {
			read[id] = true
		}
		if after = next; !more {
			return read, next, nil
		}
	}
	c.t.Errorf("Revoked: the feed does not end after %d pages", maxPages)
	return read, after, nil
}

// describe is a state for people.
func describe(st sessions.State) string {
	switch {
	case st.Over:
		return "over"
	case st.Revoked:
		return "revoked"
	case st.Generation == 0 && st.Answer == "":
		return "generation 0"
	}
	return fmt.Sprintf("generation %d by %q, %s ago", st.Generation, st.Answer, st.Age.Round(time.Millisecond))
}

const (
	maxPages = 100_000
)
