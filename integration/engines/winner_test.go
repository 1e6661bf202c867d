package engines

import (
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
)

const (
	rounds = 200 // of each engine
	shots  = 50  // of each round
	atOnce = 4   // rounds
)

// One token is sent to two nodes, 50 times at once: there is one success. All other uses
// end the session, and the tokens of the success with it.
func TestEnginesLetOneOfFiftyUsesWin(t *testing.T) {
	for name, line := range map[string]func() string{
		"Redis":      func() string { return redisLine(newRedis(t).Address()) },
		"PostgreSQL": func() string { return postgresLine(newPostgres(t).Address()) },
	} {
		t.Run(name, func(t *testing.T) {
			f := newFleet(t)
			at := line()
			nodes := []*node{f.start(at), f.start(at)}
			var unavailable, refused atomic.Int64
			var over []tokens
			var mu sync.Mutex
			slots := make(chan struct{}, atOnce)
			var all sync.WaitGroup
			for round := range rounds {
				slots <- struct{}{}
				all.Go(func() {
					defer func() { <-slots }()
					ended, err := fire(nodes, round, &unavailable, &refused)
					if err != nil {
						t.Errorf("round %d: %v", round, err)
					}
					mu.Lock()
					defer mu.Unlock()
					over = append(over, ended...)
				})
			}
			all.Wait()
			if !t.Failed() {
				edgesRefuse(t, nodes, over)
			}
			t.Logf("%d rounds of %d uses: one success each, %d refused, %d answered 503", rounds, shots, refused.Load(), unavailable.Load())
		})
	}
}

// fire is one round. It returns the tokens of the session, all of which are worth nothing
// then. Every other session has a generation already.
func fire(nodes []*node, round int, unavailable, refused *atomic.Int64) ([]tokens, error) {
	used, err := nodes[round%2].logIn(withoutGrace)
	if err == nil && round%4 > 1 {
		used, err = nodes[round%2].refresh(used)
	}
	if err != nil {
		return nil, err
	}
	answers, failures := make([]answer, shots), make([]error, shots)
	begin := make(chan struct{})
	var group sync.WaitGroup
	for i := range shots {
		group.Go(func() {
			<-begin
			answers[i], failures[i] = nodes[i%2].tryRefresh(used)
		})
	}
	close(begin)
	group.Wait()
	if err := errors.Join(failures...); err != nil {
		return nil, err
	}
	over := []tokens{used}
	for _, a := range answers {
		switch {
		case a.status == http.StatusOK:
			over = append(over, a.tokens)
		case a.unavailable():
			unavailable.Add(1)
		case a.refused():
			refused.Add(1)
		default:
			return nil, fmt.Errorf("answer %s", a)
		}
	}
	if len(over) != 2 {
		return nil, fmt.Errorf("%d successes with one refresh token", len(over)-1)
	}
	for i := range over {
		for _, n := range nodes {
			if err := n.refuses(over[len(over)-1-i]); err != nil { // the successor first
				return nil, err
			}
		}
	}
	return over, nil
}
