package nodes

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
)

const (
	shotsPerRound  = 50
	roundsAtOnce   = 5
	roundsVariable = "CADDY_GRANT_ROUNDS"
)

// G11: one refresh token is sent to two Caddy processes on one storage, 50 times at
// once. There are 20 rounds, half of them with a grace and half without, or as many as
// the environment variable CADDY_GRANT_ROUNDS says. A round takes a second and more,
// since a waiter for a lock of the file system polls once a second, so some rounds run
// at the same time.
func TestNodesParallelUses(t *testing.T) {
	t.Parallel()
	rounds := max(1, fromEnvironment(t, roundsVariable, 20)/2)

	t.Run("without grace", func(t *testing.T) {
		t.Parallel()
		nodes := newCluster(t).startNodes(2, "refresh_grace 0s")
		var mu sync.Mutex
		var over []tokens
		statuses := make(map[int]int)
		inRounds(t, rounds, func(round int) error {
			ended, answers, err := roundWithoutGrace(nodes, nodes[round%2])
			mu.Lock()
			defer mu.Unlock()
			over = append(over, ended...)
			for _, a := range answers {
				statuses[a.Status]++
			}
			return err
		})
		edgesRefuse(t, nodes, over...) // G10, I22
		t.Logf("%d rounds, %d sessions' and successors' tokens are dead, answers by status: %v", rounds, len(over), statuses)
	})

	t.Run("with a grace", func(t *testing.T) {
		t.Parallel()
		nodes := newCluster(t).startNodes(2, "refresh_grace 30s")
		var mu sync.Mutex
		var alive []tokens
		statuses := make(map[int]int)
		inRounds(t, rounds, func(round int) error {
			living, answers, err := roundWithGrace(nodes, nodes[round%2])
			mu.Lock()
			defer mu.Unlock()
			alive = append(alive, living...)
			for _, a := range answers {
				statuses[a.Status]++
			}
			return err
		})
		edgesAccept(t, nodes, alive...)
		t.Logf("%d rounds, %d tokens live, answers by status: %v", rounds, len(alive), statuses)
	})
}

// inRounds runs rounds, some at a time, and fails the test with what went wrong in
// them.
func inRounds(t *testing.T, rounds int, play func(round int) error) {
	t.Helper()
	slots := make(chan struct{}, roundsAtOnce)
	var wg sync.WaitGroup
	for round := range rounds {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			if err := play(round); err != nil {
				t.Errorf("round %d: %v", round, err)
			}
		})
	}
	wg.Wait()
	if t.Failed() {
		t.FailNow()
	}
}

// roundWithoutGrace begins a session at one node and fires. It returns the session's
// tokens, which must all be worth nothing then.
func roundWithoutGrace(nodes []*clusterNode, at *clusterNode) ([]tokens, []harness.Answer, error) {
	login, err := goodLogin(nodes, at)
	if err != nil {
		return nil, nil, err
	}
	answers, err := fire(nodes, login.refresh)
	if err != nil {
		return nil, answers, err
	}
	over := []tokens{login}
	for _, a := range answers {
		switch {
		case a.Status == http.StatusOK:
			tk, err := tokensIn(a)
			if err != nil {
				return nil, answers, err
			}
			over = append(over, tk)
		case !refusedOrUnavailable(a):
			return nil, answers, fmt.Errorf("answer %d %s", a.Status, a.Body)
		}
	}
	if len(over) > 2 {
		return nil, answers, fmt.Errorf("%d successes with one refresh token, want at most 1", len(over)-1)
	}
	for _, n := range nodes {
		for i := range over {
			if err := n.knowsEnd(over[len(over)-1-i]); err != nil { // the successor first
				return nil, answers, fmt.Errorf("after %d successes: %w", len(over)-1, err)
			}
		}
	}
	return over, answers, nil
}

// roundWithGrace does the same where all must get the same generation. The session
// lives on, and the tokens that it returns are good.
func roundWithGrace(nodes []*clusterNode, at *clusterNode) ([]tokens, []harness.Answer, error) {
	login, err := goodLogin(nodes, at)
	if err != nil {
		return nil, nil, err
	}
	answers, err := fire(nodes, login.refresh)
	if err != nil {
		return nil, answers, err
	}
	var successes []tokens
	for _, a := range answers {
		if a.Status == http.StatusServiceUnavailable && a.Header.Get("Retry-After") != "" {
			continue
		}
		tk, err := tokensIn(a)
		if err != nil {
			return nil, answers, err
		}
		if tk.generation != 1 || tk.session != login.session {
			return nil, answers, fmt.Errorf("generation %d of %s, want 1 of %s", tk.generation, tk.session, login.session)
		}
		successes = append(successes, tk)
	}
	if len(successes) == 0 {
		return nil, answers, errors.New("no success")
	}
	last, err := nodes[rand.IntN(len(nodes))].refresh(successes[rand.IntN(len(successes))])
	if err != nil {
		return nil, answers, fmt.Errorf("the session does not live on: %w", err)
	}
	return []tokens{login, successes[0], last}, answers, nil
}

// goodLogin makes sure that what is refused later was good before.
func goodLogin(nodes []*clusterNode, at *clusterNode) (tokens, error) {
	login, err := at.logIn()
	if err != nil {
		return login, err
	}
	for _, n := range nodes {
		if status, err := n.edge(login.access); err != nil || status != http.StatusOK {
			return login, fmt.Errorf("after the login the edge answers %d, %w", status, err)
		}
		if active, err := n.active(login.refresh); err != nil || !active {
			return login, fmt.Errorf("after the login introspection says %v, %w", active, err)
		}
	}
	return login, nil
}

func refusedOrUnavailable(a harness.Answer) bool {
	switch a.Status {
	case http.StatusBadRequest:
		return a.JSON["error"] == "invalid_grant"
	case http.StatusServiceUnavailable:
		return a.Header.Get("Retry-After") != ""
	}
	return false
}

// fire sends a refresh token to the nodes in turn, all at once.
func fire(nodes []*clusterNode, refresh string) ([]harness.Answer, error) {
	answers, failures := make([]harness.Answer, shotsPerRound), make([]error, shotsPerRound)
	begin := make(chan struct{})
	var wg sync.WaitGroup
	for i := range shotsPerRound {
		wg.Go(func() {
			<-begin
			answers[i], failures[i] = nodes[i%len(nodes)].tryRefresh(refresh)
		})
	}
	time.Sleep(10 * time.Millisecond) // until most of them stand in line
	close(begin)
	wg.Wait()
	return answers, errors.Join(failures...)
}
