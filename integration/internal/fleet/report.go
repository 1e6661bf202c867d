package fleet

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// report is what happened.
type report struct {
	mu         sync.Mutex
	counts     map[[2]string]int
	violations []string
	traces     map[[20]byte][]string // what was done with a session that was used
	lasted     time.Duration
}

func (r *report) begin() {
	r.counts, r.traces = make(map[[2]string]int), make(map[[20]byte][]string)
}

// count counts what came of an operation.
func (r *report) count(op, outcome string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.counts[[2]string{op, outcome}]++
}

func (r *report) ran(lasted time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lasted = lasted
}

// trace remembers the last things that were done with a session.
func (r *report) trace(n *name, format string, arguments ...any) {
	line := fmt.Sprintf(format, arguments...)
	r.mu.Lock()
	defer r.mu.Unlock()
	lines, found := r.traces[n.random]
	if !found && len(r.traces) >= mostTraces {
		return
	}
	if len(lines) == linesOfTrace {
		lines = slices.Delete(lines, 0, 1)
	}
	r.traces[n.random] = append(lines, line)
}

// violate is that something happened which must not. Only the first ones are kept.
func (r *report) violate(n *name, format string, arguments ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.violations) >= mostViolations {
		return
	}
	text := fmt.Sprintf(format, arguments...)
	if n != nil {
		text = fmt.Sprintf("session %x, generation %d: %s\n\t%s", n.random, n.generation, text, strings.Join(r.traces[n.random], "\n\t"))
	}
	r.violations = append(r.violations, text)
}

// broken tells that there is no need to go on.
func (r *report) broken() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.violations) >= mostViolations
}

// Violations are what happened and must not, with what was done before.
func (r *report) Violations() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.violations)
}

// Count is how often an operation had that outcome. Empty stands for any.
func (r *report) Count(op, outcome string) (n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for key, count := range r.counts {
		if (op == "" || key[0] == op) && (outcome == "" || key[1] == outcome) {
			n += count
		}
	}
	return n
}

// String is a table of all outcomes.
func (r *report) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	keys := slices.SortedFunc(maps.Keys(r.counts), func(a, b [2]string) int { return slices.Compare(a[:], b[:]) })
	var text strings.Builder
	fmt.Fprintf(&text, "%d sessions used in %v\n", len(r.traces), r.lasted.Round(time.Millisecond))
	for _, key := range keys {
		fmt.Fprintf(&text, "%-12s %-32s %9d\n", key[0], key[1], r.counts[key])
	}
	return text.String()
}

const (
	mostViolations = 20
	mostTraces     = 100_000
	linesOfTrace   = 12
)
