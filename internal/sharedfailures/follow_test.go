package sharedfailures

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddygrant/caddy-grant/internal/throttle"
)

// guessed is how many passwords are looked at, of one account, while someone guesses
// through the nodes in turn, an hour long.
func guessed(nodes []*member, every time.Duration, source func(i int) string) (looked int) {
	for i := range int(time.Hour / every) {
		if nodes[i%len(nodes)].tries(from(source(i), "alice")) {
			looked++
		}
		time.Sleep(every)
	}
	return looked
}

// One password guessed at through four nodes in turn is looked at as often as through
// one, plus what fits into the delay.
func TestAPasswordIsGuessedAtThroughFourNodesAsOftenAsThroughOne(t *testing.T) {
	const nodes, every = 4, 100 * time.Millisecond
	for name, source := range map[string]func(i int) string{
		"from anywhere":   nth,
		"from one source": func(int) string { return "192.0.2.1" },
	} {
		t.Run(name, func(t *testing.T) {
			through := func(nodes int) (looked int) {
				inBubble(t, func(t *testing.T, s *shelf) {
					all := joinAll(t, s, throttle.Limits{}, nodes)
					looked = guessed(all, every, source)
				})
				return looked
			}
			one, four := through(1), through(nodes)
			perNode := int(delay/every) / nodes // what a node lets pass within the delay
			t.Logf("through one node %d passwords are looked at, through four %d; at most %d", one, four, one+(nodes-1)*perNode)
			if four < one || four > one+(nodes-1)*perNode {
				t.Errorf("through one node %d passwords are looked at, through four %d", one, four)
			}
		})
	}
}

func TestAFailureIsSeenByAllNodesWithinFiveSeconds(t *testing.T) {
	inBubble(t, func(t *testing.T, s *shelf) {
		nodes := joinAll(t, s, throttle.Limits{AccountCeiling: 10}, 4)
		for round := range 40 {
			name := fmt.Sprint("user", round)
			time.Sleep(time.Duration(round) * 137 * time.Millisecond) // at any point of the rhythm
			for i := range 10 {
				nodes[round%4].fails(1, from(nth(round<<8|i), name))
			}
			time.Sleep(delay)
			wantAll(nodes, false, from("192.0.2.1", name), name)
		}
	})
}

func TestALoginForgivesAtAllNodesWithinFiveSeconds(t *testing.T) {
	inBubble(t, func(t *testing.T, s *shelf) {
		nodes := joinAll(t, s, throttle.Limits{AccountCeiling: 10}, 3)
		owner := from("198.51.100.1", "alice")
		nodes[0].succeeds(owner)
		for i := range 10 {
			nodes[1].fails(1, from(nth(i), "alice"))
		}
		time.Sleep(3 * delay) // its known source is told once the failures are
		wantAll(nodes, false, from("192.0.2.1", "alice"), "the ceiling")
		wantAll(nodes, true, owner, "the owner at a known source")
		nodes[2].succeeds(owner)
		time.Sleep(delay)
		wantAll(nodes, true, from("192.0.2.1", "alice"), "the ceiling after a login")
	})
}

// Nothing is written where nothing fails, and one list tells that nothing is new.
func TestAServerAtWhichNothingFailsIsOneListAtATime(t *testing.T) {
	inBubble(t, func(t *testing.T, s *shelf) {
		nodes := joinAll(t, s, throttle.Limits{}, 3)
		for i := range 1000 {
			nodes[i%3].succeeds(from(nth(i), fmt.Sprint("user", i)))
		}
		time.Sleep(2 * time.Hour)
		s.want(t, "nothing fails")
		for _, m := range nodes {
			calls := m.way.called()
			if lists, most := calls["List"], int(2*time.Hour/ReadEvery)+20; lists > most || calls["Store"]+calls["Load"]+calls["Stat"]+calls["Delete"] > 0 {
				t.Errorf("called %v, want at most %d lists", calls, most)
			}
		}
	})
}

func TestAFailureIsWrittenOnceAndReadOnce(t *testing.T) {
	inBubble(t, func(t *testing.T, s *shelf) {
		nodes := joinAll(t, s, throttle.Limits{}, 3)
		alice := from("192.0.2.1", "alice")
		alice.Source = throttle.Party("web") // of an address, time forgives some
		nodes[0].fails(1, alice)
		time.Sleep(5 * time.Hour)
		s.want(t, "one failure", fmt.Sprintf("%s/failures/%x-1", testPrefix, nodes[0].id))
		for i, m := range nodes {
			calls := m.way.called()
			wrote := calls["Store"] + calls["Delete"]
			if i == 0 && (wrote != 1 || calls["Load"] != 0) || i > 0 && (wrote > 2 || calls["Load"] != 1) { // 2: to see the storage's clock
				t.Errorf("node %d called %v", i, calls)
			}
		}
		time.Sleep(15 * time.Hour)
		if calls := nodes[0].way.called(); calls["Store"] < 1 || calls["Store"] > 3 {
			t.Errorf("a node that lives writes its object anew before it ages out: %v", calls)
		}
		if n := len(s.names()); n != 1 {
			t.Errorf("%d objects", n)
		}
	})
}

// Nothing that strangers type makes the storage grow.
func TestAFloodOfNamesIsOneBoundedObjectANode(t *testing.T) {
	inBubble(t, func(t *testing.T, s *shelf) {
		nodes := joinAll(t, s, throttle.Limits{}, 2)
		for i := range 10_000 {
			nodes[i%2].tries(from(nth(i), fmt.Sprint("name", i)))
			if i%100 == 0 {
				time.Sleep(time.Second)
			}
		}
		time.Sleep(delay)
		names := s.names()
		if len(names) != 2 {
			t.Errorf("the storage has %d objects", len(names))
		}
		for _, name := range names {
			if size := len(s.content[name]); size > maxObject/2 {
				t.Errorf("%s has %d bytes", name, size)
			}
		}
	})
}

func TestAStorageThatIsDownLeavesEachNodeToItself(t *testing.T) {
	for name, fault := range map[string]func(*way){
		"it refuses": func(w *way) { w.down = errors.New("connection refused") },
		"it panics":  func(w *way) { w.panics = true },
		"it hangs":   func(w *way) { w.hangs = make(chan struct{}) },
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, s *shelf) {
				nodes := joinAll(t, s, throttle.Limits{AccountCeiling: 10}, 2)
				for i := range 10 {
					nodes[0].fails(1, from(nth(i), "alice"))
				}
				time.Sleep(delay)
				for _, m := range nodes {
					m.way.set(fault)
				}
				for i := range 10 {
					nodes[0].fails(1, from(nth(i), "bob"))
				}
				time.Sleep(time.Minute)
				wantAll(nodes, false, from("192.0.2.1", "alice"), "what was told before")
				nodes[0].want(false, from("192.0.2.1", "bob"), "its own failures")
				nodes[1].want(true, from("192.0.2.1", "bob"), "what it cannot know")
				for i, m := range nodes {
					all := m.allTold()
					if m.failing() == "" || strings.Contains(fmt.Sprint(all), "a bug") { // whatever panics may contain a secret
						t.Errorf("node %d told %q", i, all)
					}
				}
				for _, m := range nodes {
					m.way.set(func(w *way) {
						if w.hangs != nil {
							close(w.hangs)
						}
						w.down, w.panics, w.hangs = nil, false, nil
					})
				}
				time.Sleep(4 * delay)
				wantAll(nodes, false, from("192.0.2.1", "bob"), "what is told again")
				for i, m := range nodes {
					if failing := m.failing(); failing != "" {
						t.Errorf("node %d still tells %q", i, failing)
					}
				}
			})
		})
	}
}

// A read that finds nothing, as with a storage that hides its errors, forgives nothing.
func TestAReadThatFindsNothingForgivesNothing(t *testing.T) {
	inBubble(t, func(t *testing.T, s *shelf) {
		nodes := joinAll(t, s, throttle.Limits{AccountCeiling: 10}, 2)
		for i := range 10 {
			nodes[0].fails(1, from(nth(i), "alice"))
		}
		time.Sleep(delay)
		nodes[1].way.set(func(w *way) { w.hides = true })
		time.Sleep(50 * time.Minute)
		nodes[1].want(false, from("192.0.2.1", "alice"), "nothing is found")
		nodes[1].way.set(func(w *way) { w.hides = false })
		time.Sleep(delay)
		nodes[1].want(false, from("192.0.2.1", "alice"), "it is found again")
	})
}

func TestAnObjectThatWasLostIsWrittenAgain(t *testing.T) {
	inBubble(t, func(t *testing.T, s *shelf) {
		m := join(t, s, throttle.Limits{AccountCeiling: 10})
		for i := range 10 {
			m.fails(1, from(nth(i), "alice"))
		}
		time.Sleep(delay)
		for _, name := range s.names() {
			s.mu.Lock()
			delete(s.objects, name)
			s.mu.Unlock()
		}
		time.Sleep(3 * delay)
		next := join(t, s, throttle.Limits{AccountCeiling: 10})
		time.Sleep(delay)
		next.want(false, from("192.0.2.1", "alice"), "after the storage has lost everything")
	})
}

func TestFailuresOutliveARestartAndAgeOut(t *testing.T) {
	for _, ahead := range []time.Duration{0, 1000 * time.Hour, -1000 * time.Hour} {
		inBubble(t, func(t *testing.T, s *shelf) {
			s.ahead = ahead
			limits := throttle.Limits{AccountCeiling: 10, MaxDelay: 48 * time.Hour}
			m := join(t, s, limits)
			for i := range 10 {
				m.fails(1, from(nth(i), "alice"))
			}
			m.fails(5, from("192.0.2.1", "bob"))
			time.Sleep(delay)
			m.stop()

			m = join(t, s, limits)
			time.Sleep(delay)
			m.want(false, from("192.0.2.1", "alice"), "after a restart")
			m.want(false, from("192.0.2.1", "bob"), "a pair after a restart")
			m.stop()

			time.Sleep(23 * time.Hour)
			m = join(t, s, limits)
			time.Sleep(delay)
			m.want(false, from("192.0.2.1", "alice"), "a day later, less an hour")
			m.want(true, from("192.0.2.1", "bob"), "the wait of a pair is over")
			if wait := m.wait(from("192.0.2.1", "alice")); wait > 25*time.Hour+time.Minute {
				t.Errorf("wait %v, though the last failure was 23 hours ago", wait)
			}
			time.Sleep(time.Hour)
			m.want(true, from("192.0.2.1", "alice"), "a day later")
			time.Sleep(4 * time.Hour)
			s.want(t, "what counts for nothing is removed")
		})
	}
}

func TestWhatIsLeftOfACrashIsRemoved(t *testing.T) {
	inBubble(t, func(t *testing.T, s *shelf) {
		m := join(t, s, throttle.Limits{})
		for i := range 3 {
			m.fails(1, from(nth(i), "alice"))
			time.Sleep(delay)
		}
		replaced := testPrefix + "/failures/" + name{m.id, 1}.String()
		s.put(replaced, encode(new(throttle.Report)))
		s.put(testPrefix+"/failures/"+name{throttle.NodeID{9}, 0}.String(), nil)
		join(t, s, throttle.Limits{})
		time.Sleep(3 * time.Hour)
		if names := s.names(); len(names) != 1 || names[0] == replaced {
			t.Errorf("the storage has %q", names)
		}
	})
}

func TestDamagedObjectsAreSkipped(t *testing.T) {
	inBubble(t, func(t *testing.T, s *shelf) {
		whole := encode(&throttle.Report{Counts: [3][]throttle.Count{{{Key: throttle.Key{1}, Failures: 1}}}})
		for i, content := range [][]byte{nil, []byte("GFC1"), whole[:len(whole)-1], append(whole, 0), make([]byte, maxObject+1)} {
			s.put(testPrefix+"/failures/"+name{throttle.NodeID{byte(i)}, 1}.String(), content)
		}
		for _, name := range []string{"0-1", "x", "00000000000000ff-01", "00000000000000ff-18446744073709551616", "00000000000000FF-1"} {
			s.put(testPrefix+"/failures/"+name, whole)
		}
		nodes := joinAll(t, s, throttle.Limits{AccountCeiling: 10}, 2)
		time.Sleep(delay)
		for i := range 10 {
			nodes[0].fails(1, from(nth(i), "alice"))
		}
		time.Sleep(delay)
		nodes[1].want(false, from("192.0.2.1", "alice"), "an object beside damaged ones")
		time.Sleep(time.Minute)
		nodes[1].way.called()
		time.Sleep(time.Minute)
		if calls := nodes[1].way.called(); calls["Load"] > 0 {
			t.Errorf("damaged objects are read again and again: %v", calls)
		}
		if failing := nodes[1].failing(); failing != "" {
			t.Errorf("still tells %q", failing)
		}
	})
}

func TestAReloadGoesOnWithTheSameObject(t *testing.T) {
	inBubble(t, func(t *testing.T, s *shelf) {
		m := join(t, s, throttle.Limits{})
		m.fails(1, from("192.0.2.1", "alice"))
		time.Sleep(delay)
		before := m.stop
		m.follow() // the next config begins before the previous one ends
		m.fails(1, from("192.0.2.1", "alice"))
		before()
		time.Sleep(delay)
		synctest.Wait()
		if names := s.names(); len(names) != 1 || !strings.HasPrefix(names[0], fmt.Sprintf("%s/failures/%x-", testPrefix, m.id)) {
			t.Errorf("the storage has %q", names)
		}
	})
}

func TestANodeThatHasRetiredNeitherTellsNorHears(t *testing.T) {
	inBubble(t, func(t *testing.T, s *shelf) {
		nodes := joinAll(t, s, throttle.Limits{AccountCeiling: 10}, 2)
		nodes[0].Retire()
		for i := range 10 {
			nodes[0].fails(1, from(nth(i), "alice"))
			nodes[1].fails(1, from(nth(i), "bob"))
		}
		time.Sleep(delay)
		nodes[1].want(true, from("192.0.2.1", "alice"), "it tells nothing")
		nodes[0].want(true, from("192.0.2.1", "bob"), "it hears nothing")
	})
}

func TestMoreObjectsThanNodesAreNotRead(t *testing.T) {
	inBubble(t, func(t *testing.T, s *shelf) {
		empty := encode(new(throttle.Report))
		for i := range maxPeers + 100 {
			s.put(testPrefix+"/failures/"+name{throttle.NodeID{1, byte(i >> 8), byte(i)}, 1}.String(), empty)
		}
		m := join(t, s, throttle.Limits{})
		time.Sleep(time.Minute)
		if calls := m.way.called(); calls["Load"] != maxPeers {
			t.Errorf("called %v", calls)
		}
	})
}
