package main

import (
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync/atomic"

	vegeta "github.com/tsenart/vegeta/v12/lib"
)

// lined makes the requests of a plan with lines, all of them beforehand, so that many
// different requests cost no more than one repeated request.
func (p plan) lined() (vegeta.Targeter, error) {
	content, err := os.ReadFile(p.Lines)
	if err != nil {
		return nil, err
	}
	lines := strings.Fields(string(content))
	if len(lines) == 0 {
		return nil, fmt.Errorf("%s has no lines", p.Lines)
	}
	targets := make([]vegeta.Target, len(lines))
	for i, line := range lines {
		header := make(http.Header, len(p.Header))
		for name, value := range p.Header {
			header.Set(name, strings.ReplaceAll(value, "{line}", line))
		}
		body := []byte(strings.ReplaceAll(p.Body, "{line}", line))
		targets[i] = vegeta.Target{Method: p.Method, URL: p.URL, Header: header, Body: body}
	}

	next, count := new(atomic.Uint64), uint64(len(targets))
	return func(target *vegeta.Target) error {
		n := next.Add(1) - 1
		if p.Once && n >= count {
			return vegeta.ErrNoTargets
		}
		*target = targets[(p.First+n)%count]
		return nil
	}, nil
}
