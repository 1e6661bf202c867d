package statusview

import (
	"cmp"
	"maps"
	"slices"
)

// Labels of counts that are added up over servers.
const (
	Logins  = "Logins"
	Refused = "Refused"
)

const (
	success = "success"
	shadow  = "true" // the label of a bearer_auth that lets everything through
)

// done are the counters of what went well at a server. They are there from the start.
func (h *history) done(server string) []Count {
	of := func(label string, is func(series) bool) Count {
		return h.sum(func(s series) bool { return s.server == server && is(s) }).count(label)
	}
	return []Count{
		of(Logins, func(s series) bool { return s.metric == metricPage || isGrant(s, "password") }),
		of("Refreshes", func(s series) bool { return isGrant(s, "refresh_token") }),
		of("Requests let through", func(s series) bool { return s.metric == metricBearer && isLetThrough(s.outcome) }),
		of(Refused, isRefused),
	}
}

func isGrant(s series, grant string) bool {
	return s.metric == metricRequests && s.grant == grant && s.outcome == success
}

func isLetThrough(outcome string) bool { return outcome == success || outcome == "anonymous" }

// isRefused tells whether a counter has requests that were answered with an error.
func isRefused(s series) bool {
	return s.metric == metricRequests && s.outcome != success ||
		s.metric == metricBearer && s.endpoint != shadow && !isLetThrough(s.outcome)
}

// refused are the counters of what a server refused, as far as there is any: those that
// rose in the last minute first.
func (h *history) refused(server string) []Count {
	if h.last == nil {
		return nil
	}
	labels := make(map[string][]series)
	for key, value := range h.last.counters {
		if label := refusal(key); label != "" && key.server == server && value > 0 {
			labels[label] = append(labels[label], key)
		}
	}
	var counts []Count
	for label, of := range labels {
		counts = append(counts, h.sum(func(s series) bool { return slices.Contains(of, s) }).count(label))
	}
	slices.SortFunc(counts, func(a, b Count) int {
		return cmp.Or(cmp.Compare(b.LastMinute, a.LastMinute), cmp.Compare(b.Total, a.Total), cmp.Compare(a.Label, b.Label))
	})
	return counts
}

// refusal is what a counter of refusals is called, and empty for any other counter.
func refusal(s series) string {
	switch s.metric {
	case metricRequests:
		where := s.endpoint
		switch {
		case s.outcome == success:
			return ""
		case s.grant != "":
			where = s.grant
		case s.endpoint == "none":
			where = "unknown path"
		}
		return where + ": " + s.outcome
	case metricThrottled:
		return "too many: " + s.outcome
	case metricReuse:
		return "refresh token reused"
	case metricBearer:
		switch {
		case isLetThrough(s.outcome):
			return ""
		case s.endpoint == shadow:
			return "bearer_auth, shadow: " + bearerReason(s.outcome)
		}
		return "bearer_auth: " + bearerReason(s.outcome)
	}
	return ""
}

// bearerReason is why a bearer_auth refused a request: its label in the metrics, which
// says "none" of a request without a token.
func bearerReason(outcome string) string {
	if outcome == "none" {
		return "no token"
	}
	return outcome
}

// passwords are the counters of the checks of passwords, by what came of them.
func (h *history) passwords() (results map[string]sum) {
	results = make(map[string]sum)
	if h.last == nil {
		return results
	}
	for key := range maps.Keys(h.last.counters) {
		if key.metric == metricPasswords {
			results[key.outcome] = sum{}
		}
	}
	for result := range results {
		results[result] = h.sum(func(s series) bool { return s.metric == metricPasswords && s.outcome == result })
	}
	return results
}
