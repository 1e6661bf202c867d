package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// plan tells the load generator what to send, see load/plan.go.
type plan struct {
	Method   string            `json:"method"`
	URL      string            `json:"url"`
	Header   map[string]string `json:"header,omitempty"`
	Body     string            `json:"body,omitempty"`
	First    uint64            `json:"first,omitempty"`
	Users    uint64            `json:"users,omitempty"`
	Lines    string            `json:"lines,omitempty"`
	Once     bool              `json:"once,omitempty"`
	Follow   bool              `json:"follow,omitempty"`
	Others   []string          `json:"others,omitempty"`
	Rate     int               `json:"rate,omitempty"`
	Workers  uint64            `json:"workers"`
	Duration time.Duration     `json:"duration"`
	Expect   []expectation     `json:"expect"`

	pinned bool // to the core that is for the load
}

type expectation struct {
	Status   uint16 `json:"status"`
	Contains string `json:"contains"`
}

// outcome is what it reports in the end, see load/attack.go.
type outcome struct {
	Answers []uint64      `json:"answers"`
	Seconds float64       `json:"seconds"`
	P50     time.Duration `json:"p50"`
	P99     time.Duration `json:"p99"`
	Max     time.Duration `json:"max"`

	Unexpected      uint64 `json:"unexpected"`
	FirstUnexpected string `json:"first_unexpected"`
}

// answers is how many met an expectation.
func (o outcome) answers() uint64 {
	total := uint64(0)
	for _, n := range o.Answers {
		total += n
	}
	return total
}

func (o outcome) perSecond() float64 { return float64(o.answers()) / o.Seconds }

// fitting is the rate of the answers that met one expectation.
func (o outcome) fitting(expectation int) float64 { return float64(o.Answers[expectation]) / o.Seconds }

// offer sends a load and waits until it has ended: when its time is up, or the context ends. It is an error if there
// was an unexpected answer.
func (b *bench) offer(ctx context.Context, p plan) (outcome, error) {
	b.calls++
	if p.Lines == "" {
		p.First = b.calls << 19 // numbers are not used twice: 2^24 addresses are 32 loads of 2^19
	}
	var o outcome
	input, err := json.Marshal(p)
	if err != nil {
		return o, err
	}
	core := anyCore
	if p.pinned {
		core = b.cores.load
	}
	output, err := b.output(ctx, core, input, "load")
	if err != nil && (ctx.Err() == nil || len(output) == 0) {
		return o, err
	}
	if err := json.Unmarshal(output, &o); err != nil {
		return o, fmt.Errorf("the load generator: %w", err)
	}
	answers := o.answers()
	switch {
	case o.Unexpected > 0:
		return o, fmt.Errorf("%d of %d answers of %s were unexpected, the first: %s", o.Unexpected, o.Unexpected+answers, p.URL, o.FirstUnexpected)
	case answers == 0 || o.Seconds <= 0:
		return o, fmt.Errorf("there was no answer of %s", p.URL)
	}
	return o, nil
}

// background offers a load until it is stopped.
func (b *bench) background(ctx context.Context, p plan) (stop func() (outcome, error)) {
	ctx, cancel := context.WithCancel(ctx)
	var o outcome
	var err error
	done := make(chan struct{})
	go func() {
		defer close(done)
		o, err = b.offer(ctx, p)
	}()
	return func() (outcome, error) {
		cancel()
		<-done
		return o, err
	}
}

// posting is a plan that sends a form, which may have placeholders.
func posting(address string, form url.Values) plan {
	return plan{
		Method: http.MethodPost, URL: address, Header: map[string]string{"Content-Type": formType},
		Body: strings.NewReplacer("%7B", "{", "%7D", "}").Replace(form.Encode()),
	}
}
