package sessionstest

import (
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/caddygrant/caddy-grant/sessions"
)

func (s suite) zero(t *testing.T) {
	w := s.begin(t)
	id := w.id()
	w.a.has(t, id, at(0, ""))
	w.b.has(t, id, at(0, ""))
	w.a.wins(t, w.id(), 1) // of another
	w.b.has(t, id, at(0, ""))
}

// chain uses one answer for two generations in a row too: what makes a repetition is
// the generation and the answer.
func (s suite) chain(t *testing.T) {
	w := s.begin(t)
	id := w.id()
	nodes := []*checked{w.a, w.b, w.b, w.a}
	var answer string
	for next := uint64(1); next <= 30; next++ {
		if next%10 != 0 {
			answer = newAnswer()
		}
		nodes[next%4].swaps(t, id, next, answer, at(next, answer))
		w.a.has(t, id, at(next, answer))
		w.b.has(t, id, at(next, answer))
	}
	w.open(t).has(t, id, at(30, answer))
}

func (s suite) gaps(t *testing.T) {
	w := s.begin(t)
	id := w.id()
	for _, next := range []uint64{2, 5, math.MaxInt32, math.MaxUint32, math.MaxUint32 + 1} {
		w.a.swaps(t, id, next, newAnswer(), at(0, ""))
		w.b.has(t, id, at(0, ""))
	}
	former := w.a.wins(t, id, 1)
	answer := w.b.wins(t, id, 2)
	for _, next := range []uint64{1, 2, 4, 5, 100} {
		w.a.swaps(t, id, next, newAnswer(), at(2, answer))
	}
	w.a.swaps(t, id, 1, former, at(2, answer)) // which was spent
	w.b.has(t, id, at(2, answer))
	w.a.wins(t, id, 3)
}

func (s suite) repeated(t *testing.T) {
	w := s.begin(t)
	id := w.id()
	for next := uint64(1); next <= 3; next++ {
		answer := w.a.wins(t, id, next)
		for range 3 {
			w.a.swaps(t, id, next, answer, at(next, answer))
			w.b.swaps(t, id, next, answer, at(next, answer))
		}
		w.b.has(t, id, at(next, answer))
	}
}

func (s suite) lost(t *testing.T) {
	w := s.begin(t)
	id := w.id()
	for next := uint64(1); next <= 3; next++ {
		answer := w.a.wins(t, id, next)
		w.b.swaps(t, id, next, newAnswer(), at(next, answer))
		w.a.swaps(t, id, next, newAnswer(), at(next, answer))
		w.b.has(t, id, at(next, answer))
		w.b.swaps(t, id, next, answer, at(next, answer)) // the winner's repetition still wins
	}
}

// age assumes that both clocks run at the same rate, and that ages are exact to a
// second.
func (s suite) age(t *testing.T) {
	w := s.begin(t)
	id := w.id()
	for next := uint64(1); next <= 2; next++ {
		before := time.Now()
		answer := w.a.wins(t, id, next)
		made := time.Now()
		var age time.Duration
		eventually(t, "the age grows", func() error {
			if age = w.b.load(t, id).Age; age == 0 {
				return errors.New("it is 0")
			}
			return nil
		})
		grows := func(st sessions.State, err error) {
			t.Helper()
			if err != nil || st.Age < age {
				t.Fatalf("the age was %s, and is %s afterwards; error %v", age, st.Age, err)
			}
			age = st.Age
		}
		grows(w.a.Swap(t.Context(), id, next, answer)) // is not made again
		grows(w.b.Load(t.Context(), id))
		grows(w.a.Swap(t.Context(), id, next, newAnswer())) // lost
		grows(w.a.Swap(t.Context(), id, next+5, newAnswer()))
		time.Sleep(1500*time.Millisecond - time.Since(made))
		least := time.Since(made)
		grows(w.a.Load(t.Context(), id))
		if most := time.Since(before); age < least-time.Second || age > most+time.Second {
			t.Errorf("the age is %s, of an exchange that was %s ago", age, least)
		}
	}
}

func (s suite) revoked(t *testing.T) {
	w := s.begin(t)
	for generations := range uint64(3) {
		id := w.id()
		answer := newAnswer()
		for next := range generations {
			answer = w.a.wins(t, id, next+1)
		}
		for range 2 {
			w.a.revokes(t, id)
			w.b.revokes(t, id)
			for _, node := range []*checked{w.a, w.b, w.open(t)} {
				node.has(t, id, isRevoked)
				node.swaps(t, id, max(1, generations), answer, isRevoked) // a repetition
				for _, next := range []uint64{1, 2, 3, 4} {
					node.swaps(t, id, next, newAnswer(), isRevoked)
				}
				node.has(t, id, isRevoked)
			}
		}
	}
}

// apart has sessions whose IDs differ in one character, in the day only, and in what
// engines may use to spread them.
func (s suite) apart(t *testing.T) {
	w := s.begin(t)
	one := w.id()
	ids := []sessions.ID{one, one, one, one, one}
	ids[1].Day = w.ending(31).Day
	ids[2].Random = flip(one.Random, 0)
	ids[3].Random = flip(one.Random, len(one.Random)-1)
	ids[4].Random = flip(one.Random, len(one.Random)/2)
	answers := make([]string, len(ids))
	for next := uint64(1); next <= 2; next++ {
		for i, id := range ids {
			answers[i] = w.a.wins(t, id, next)
		}
	}
	w.a.revokes(t, ids[0])
	w.b.has(t, ids[0], isRevoked)
	for i, id := range ids[1:] {
		w.b.has(t, id, at(2, answers[i+1]))
	}
	read, _ := w.b.reads(t, "")
	if len(read) != 1 || !read[ids[0]] {
		t.Errorf("%d sessions are in the feed", len(read))
	}
}

// flip replaces a hex digit.
func flip(s string, i int) string {
	digit := "1"
	if s[i] == '1' {
		digit = "2"
	}
	return s[:i] + digit + s[i+1:]
}

func (s suite) answersOfOtherForms(t *testing.T) {
	w := s.begin(t)
	id := w.id()
	for _, answer := range []string{
		"", "a", strings.Repeat("a", 31), strings.Repeat("a", 33), strings.Repeat("A", 32), strings.Repeat("g", 32), strings.Repeat("\x00", 32),
		strings.Repeat("a", 31) + "\n", strings.Repeat("a", 31) + "'", strings.Repeat("é", 16), strings.Repeat("a", 31) + "\xff", strings.Repeat("a", 64<<10),
	} {
		if st, err := w.a.Engine.Swap(t.Context(), id, 1, answer); err == nil {
			t.Errorf("answer %.40q: %s, want an error", answer, describe(st))
		}
	}
	if st, err := w.a.Engine.Swap(t.Context(), id, 0, newAnswer()); err == nil && !same(st, at(0, "")) {
		t.Errorf("Swap to 0: %s", describe(st))
	}
	w.b.has(t, id, at(0, ""))
	answer := w.a.wins(t, id, 1)
	if st, err := w.a.Engine.Swap(t.Context(), id, 0, newAnswer()); err == nil && !same(st, at(1, answer)) {
		t.Errorf("Swap to 0: %s", describe(st))
	}
	w.b.has(t, id, at(1, answer))
}

func (s suite) invalidIDs(t *testing.T) {
	w := s.begin(t)
	good := w.id()
	change := func(f func(*sessions.ID)) sessions.ID {
		id := good
		f(&id)
		return id
	}
	for _, id := range []sessions.ID{
		{},
		{Random: good.Random, Epoch: good.Epoch},
		{Day: good.Day, Epoch: good.Epoch},
		{Day: good.Day, Random: good.Random},
		change(func(id *sessions.ID) { id.Day = "20261131" }),
		change(func(id *sessions.ID) { id.Day = "2026-01-01" }),
		change(func(id *sessions.ID) { id.Day = "99999999" }),
		change(func(id *sessions.ID) { id.Day += "'" }),
		change(func(id *sessions.ID) { id.Day = "../.." }),
		change(func(id *sessions.ID) { id.Random = strings.ToUpper("abcdef" + id.Random[6:]) }),
		change(func(id *sessions.ID) { id.Random = id.Random[1:] }),
		change(func(id *sessions.ID) { id.Random += "0" }),
		change(func(id *sessions.ID) { id.Random = id.Random[:39] + "*" }),
		change(func(id *sessions.ID) { id.Random = id.Random[:39] + "}" }),
		change(func(id *sessions.ID) { id.Random = id.Random[:39] + "\x00" }),
		change(func(id *sessions.ID) { id.Random = strings.Repeat("0", 64<<10) }),
		change(func(id *sessions.ID) { id.Epoch = "" }),
		change(func(id *sessions.ID) { id.Epoch = strings.ToUpper("abcdef" + id.Epoch[6:]) }),
		change(func(id *sessions.ID) { id.Epoch += "\n" }),
	} {
		if st, err := w.a.Load(t.Context(), id); err == nil {
			t.Errorf("Load of %.80q: %s, want an error", id, describe(st))
		}
		if st, err := w.a.Swap(t.Context(), id, 1, newAnswer()); err == nil {
			t.Errorf("Swap of %.80q: %s, want an error", id, describe(st))
		}
		if err := w.a.Revoke(t.Context(), id); err == nil {
			t.Errorf("Revoke of %.80q: want an error", id)
		}
	}
	w.b.has(t, good, at(0, ""))
	if read, _ := w.b.reads(t, ""); len(read) > 0 {
		t.Errorf("%d sessions are in the feed", len(read))
	}
}

func (s suite) damaged(t *testing.T) {
	if s.Damage == nil {
		t.Skip("there is no Damage")
	}
	w := s.begin(t)
	id := w.id()
	w.a.wins(t, id, 1)
	s.Damage(t, w.server, id)
	for range 2 {
		for next := range uint64(3) {
			if st, err := w.a.Swap(t.Context(), id, next+1, newAnswer()); !errors.Is(err, sessions.ErrDamaged) {
				t.Errorf("Swap: %s, %v; want ErrDamaged", describe(st), err)
			}
		}
		if st, err := w.b.Load(t.Context(), id); !errors.Is(err, sessions.ErrDamaged) {
			t.Errorf("Load: %s, %v; want ErrDamaged", describe(st), err)
		}
	}
	w.a.revokes(t, id)
	w.b.has(t, id, isRevoked)
	w.b.swaps(t, id, 2, newAnswer(), isRevoked)
	if read, _ := w.b.reads(t, ""); !read[id] {
		t.Error("it is not in the feed")
	}
}

// largeGenerations are out of reach, unless they are planted.
func (s suite) largeGenerations(t *testing.T) {
	w := s.begin(t)
	large := []uint64{1 << 53, 1<<53 + 1, math.MaxInt64, math.MaxInt64 + 1, math.MaxUint64}
	id := w.id()
	for _, next := range large {
		if st, err := w.a.Swap(t.Context(), id, next, newAnswer()); err == nil && !same(st, at(0, "")) || isCertain(err) {
			t.Errorf("Swap to %d: %s, %v", next, describe(st), err)
		}
		w.b.has(t, id, at(0, ""))
	}
	if s.Plant == nil {
		return
	}
	for _, next := range append(large[:4:4], 1<<53+2) {
		id, former, answer := w.id(), newAnswer(), newAnswer()
		s.Plant(t, w.server, id, at(next-1, former))
		st, err := w.a.Swap(t.Context(), id, next, answer)
		switch {
		case err == nil && won(st, next, answer):
			w.b.has(t, id, at(next, answer))
			w.b.swaps(t, id, next, newAnswer(), at(next, answer))
		case isCertain(err):
			t.Errorf("Swap to %d: %v", next, err)
		case err == nil && !same(st, at(next-1, former)):
			t.Errorf("Swap to %d: %s", next, describe(st))
		default: // it is refused; what matters is that nothing else happens
			w.b.has(t, id, at(next-1, former))
		}
	}
}
