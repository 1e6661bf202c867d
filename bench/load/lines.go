package main

import (
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync/atomic"

	vegeta "github.com/tsenart/vegeta/v12/lib"
)

// readLines returns the lines of the plan's file.
func (p plan) readLines() ([]string, error) {
	content, err := os.ReadFile(p.Lines)
	if err != nil {
		return nil, err
	}
	lines := strings.Fields(string(content))
	if len(lines) == 0 {
		return nil, fmt.Errorf("%s has no lines", p.Lines)
	}
	return lines, nil
}

// withLine is the request with a line. Its number says where it goes.
func (p plan) withLine(line string, number uint64) vegeta.Target {
	header := make(http.Header, len(p.Header))
	for name, value := range p.Header {
		header.Set(name, strings.ReplaceAll(value, "{line}", line))
	}
	body := []byte(strings.ReplaceAll(p.Body, "{line}", line))
	return vegeta.Target{Method: p.Method, URL: p.address(number), Header: header, Body: body}
}

// lined makes the requests of a plan with lines, all of them beforehand, so that many
// different requests cost no more than one repeated request.
func (p plan) lined() (vegeta.Targeter, error) {
	lines, err := p.readLines()
	if err != nil {
		return nil, err
	}
	targets := make([]vegeta.Target, len(lines))
	for i, line := range lines {
		targets[i] = p.withLine(line, uint64(i))
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
