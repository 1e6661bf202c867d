package main

import (
	"bytes"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	vegeta "github.com/tsenart/vegeta/v12/lib"
)

// plan says what to send. bench has the same type.
type plan struct {
	Method string            `json:"method"`
	URL    string            `json:"url"`
	Header map[string]string `json:"header,omitempty"`
	Body   string            `json:"body,omitempty"`

	// In the values of Header and in Body, {n} is the number of the request, {user} is
	// that modulo Users, and {ip} an IPv4 address that is its own up to 2^24 requests.
	First uint64 `json:"first,omitempty"` // the number of the first request
	Users uint64 `json:"users,omitempty"`

	// In a plan with a file of lines, {line} is the one with the number of the request,
	// modulo their count. Nothing else is replaced then.
	Lines string `json:"lines,omitempty"`
	Once  bool   `json:"once,omitempty"` // it ends when each line was sent

	Follow bool     `json:"follow,omitempty"` // the lines are refresh tokens, see follow.go
	Others []string `json:"others,omitempty"` // more addresses, which have their turns with URL, in a plan with lines

	Rate     int           `json:"rate,omitempty"` // per second; 0: each worker sends as soon as it has an answer
	Workers  uint64        `json:"workers"`        // at most
	Duration time.Duration `json:"duration"`       // 0: without end

	Expect []expectation `json:"expect"` // what an answer may be
}

// expectation is a kind of answer.
type expectation struct {
	Status   uint16 `json:"status"`
	Contains string `json:"contains"` // what the body has in it
}

func (e expectation) fits(r *vegeta.Result) bool {
	return r.Code == e.Status && bytes.Contains(r.Body, []byte(e.Contains))
}

// address is where the request with that number goes.
func (p plan) address(n uint64) string {
	if n %= uint64(len(p.Others) + 1); n > 0 {
		return p.Others[n-1]
	}
	return p.URL
}

// targeter makes the requests of a plan.
func (p plan) targeter() (vegeta.Targeter, error) {
	if p.Lines != "" {
		return p.lined()
	}
	header := make(http.Header)
	fixed := !strings.Contains(p.Body, "{")
	for name, value := range p.Header {
		header.Set(name, value)
		fixed = fixed && !strings.Contains(value, "{")
	}
	if fixed { // the most requests a second come from these plans: spare them the rest
		body := []byte(p.Body)
		return func(target *vegeta.Target) error {
			*target = vegeta.Target{Method: p.Method, URL: p.URL, Header: header, Body: body}
			return nil
		}, nil
	}

	next := new(atomic.Uint64)
	next.Store(p.First)
	return func(target *vegeta.Target) error {
		n := next.Add(1) - 1
		fill := strings.NewReplacer(
			"{n}", strconv.FormatUint(n, 10),
			"{user}", strconv.FormatUint(n%max(1, p.Users), 10),
			"{ip}", fmt.Sprintf("10.%d.%d.%d", byte(n>>16), byte(n>>8), byte(n)),
		)
		filled := make(http.Header, len(header))
		for name, values := range header {
			filled.Set(name, fill.Replace(values[0]))
		}
		*target = vegeta.Target{Method: p.Method, URL: p.URL, Header: filled, Body: []byte(fill.Replace(p.Body))}
		return nil
	}, nil
}
