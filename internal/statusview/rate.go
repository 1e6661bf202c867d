package statusview

import "time"

// window is how far back the counts of the last minute go.
const window = time.Minute

// history is how the counters of a node rose lately.
type history struct {
	last  *sample
	steps []step // oldest first, none that ended before the window
}

// step is what happened between two samples.
type step struct {
	from, to time.Time
	rise     map[series]float64
}

// add takes the next sample.
func (h *history) add(s *sample) {
	if s.counters == nil {
		return
	}
	if before := h.last; before != nil && s.at.After(before.at) {
		h.steps = append(h.steps, step{before.at, s.at, rise(before, s)})
	}
	h.last = s
	for len(h.steps) > 0 && s.at.Sub(h.steps[0].to) >= window {
		h.steps = h.steps[1:]
	}
}

// rise is by how much each counter rose. After a restart all of them began at 0 again. A
// process that does not say when it started gives itself away by a counter that fell.
func rise(before, after *sample) map[series]float64 {
	restarted := before.started != after.started
	risen := make(map[series]float64, len(after.counters))
	for key, value := range after.counters {
		if was := before.counters[key]; !restarted && value >= was {
			value -= was
		}
		if value > 0 {
			risen[key] = value
		}
	}
	return risen
}

// sum is what is counted of some series.
type sum struct {
	known         bool
	perSecond     float64
	minute, total float64
}

func (h *history) sum(of func(series) bool) (s sum) {
	if h.last == nil {
		return s
	}
	for key, value := range h.last.counters {
		if of(key) {
			s.total += value
		}
	}
	for i, step := range h.steps {
		risen := 0.0
		for key, value := range step.rise {
			if of(key) {
				risen += value
			}
		}
		took := step.to.Sub(step.from)
		// of a step that began before the window, as much as lies in it
		inside := min(took, window-h.last.at.Sub(step.to))
		s.minute += risen * float64(inside) / float64(took)
		if i == len(h.steps)-1 {
			s.known, s.perSecond = true, risen/took.Seconds()
		}
	}
	return s
}

func (s sum) count(label string) Count {
	return Count{Label: label, Known: s.known, PerSecond: s.perSecond, LastMinute: s.minute, Total: s.total}
}
