package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	vegeta "github.com/tsenart/vegeta/v12/lib"
)

func linedPlan(t *testing.T) plan {
	path := filepath.Join(t.TempDir(), "lines")
	if err := os.WriteFile(path, []byte("a\nb\nc\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return plan{Header: map[string]string{"Authorization": "Bearer {line}"}, Body: "x={line}", Lines: path}
}

// sent are the lines of the requests, or nothing for a request that is not made.
func sent(t *testing.T, p plan, n int) string {
	targeter, err := p.targeter()
	if err != nil {
		t.Fatal(err)
	}
	var lines strings.Builder
	for range n {
		var target vegeta.Target
		err := targeter(&target)
		if errors.Is(err, vegeta.ErrNoTargets) {
			continue
		}
		line := strings.TrimPrefix(string(target.Body), "x=")
		if err != nil || target.Header.Get("Authorization") != "Bearer "+line {
			t.Fatalf("error %v, header %v, body %s", err, target.Header, target.Body)
		}
		lines.WriteString(line)
	}
	return lines.String()
}

func TestLinesComeInTurn(t *testing.T) {
	p := linedPlan(t)
	if got := sent(t, p, 7); got != "abcabca" {
		t.Errorf("sent %s", got)
	}
	p.First = 5
	if got := sent(t, p, 4); got != "cabc" {
		t.Errorf("from the sixth on sent %s", got)
	}
}

func TestOnceIsEachLineOnce(t *testing.T) {
	p := linedPlan(t)
	p.First, p.Once = 1, true
	if got := sent(t, p, 7); got != "bca" {
		t.Errorf("sent %s", got)
	}
}

func TestNoLinesAreAnError(t *testing.T) {
	p := linedPlan(t)
	if err := os.WriteFile(p.Lines, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := p.targeter(); err == nil {
		t.Error("there was no error")
	}
}
