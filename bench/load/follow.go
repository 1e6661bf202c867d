package main

import (
	"encoding/json"
	"errors"
	"os"
	"strings"
	"sync/atomic"

	vegeta "github.com/tsenart/vegeta/v12/lib"
)

// followed are the refresh tokens of a plan that follows: each works once, and the answer
// to it has the one that the same session is refreshed with next. Sessions take turns.
// There have to be more of them than workers.
type followed struct {
	plan   plan
	tokens chan string
	number atomic.Uint64 // of the next request
}

// follow takes the tokens of the plan's file.
func (p plan) follow() (*followed, error) {
	lines, err := p.readLines()
	f := &followed{plan: p, tokens: make(chan string, len(lines))}
	f.number.Store(p.First)
	for _, token := range lines {
		f.tokens <- token
	}
	return f, err
}

// next is a targeter.
func (f *followed) next(target *vegeta.Target) error {
	select {
	case token := <-f.tokens:
		*target = f.plan.withLine(token, f.number.Add(1)-1)
		return nil
	default:
		return errNoToken
	}
}

// add takes the refresh token of an answer, and says whether it has one.
func (f *followed) add(body []byte) bool {
	var answer struct {
		Refresh string `json:"refresh_token"`
	}
	if json.Unmarshal(body, &answer) != nil || answer.Refresh == "" {
		return false
	}
	f.tokens <- answer.Refresh // for which next has made room
	return true
}

// save writes the tokens that are left into the plan's file, for the next plan.
func (f *followed) save() error {
	var lines strings.Builder
	for range len(f.tokens) {
		lines.WriteString(<-f.tokens)
		lines.WriteByte('\n')
	}
	return os.WriteFile(f.plan.Lines, []byte(lines.String()), 0o600)
}

var errNoToken = errors.New("no token is left: there have to be more lines than workers")
