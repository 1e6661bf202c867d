package harness

import (
	"io"
	"net/http"
	"strconv"
	"strings"
)

// OurMetrics is how the names of this module's metrics begin.
const OurMetrics = "caddy_grant_"

// Exposition is what Caddy says of this module's metrics.
func (s *Site) Exposition() string {
	s.T.Helper()
	var ours strings.Builder
	for line := range strings.Lines(s.AllMetrics()) {
		if strings.HasPrefix(strings.TrimPrefix(strings.TrimPrefix(line, "# HELP "), "# TYPE "), OurMetrics) {
			ours.WriteString(line)
		}
	}
	return ours.String()
}

// AllMetrics is all that Caddy says. Right after a reload it asks again, like
// [Site.Relogin].
func (s *Site) AllMetrics() string {
	s.T.Helper()
	var failed error
	for range 50 {
		response, err := s.Client.Get(s.URL("/metrics"))
		if err == nil {
			body, err := io.ReadAll(response.Body)
			response.Body.Close()
			if err != nil || response.StatusCode != http.StatusOK {
				s.T.Fatalf("/metrics: %d %v %s", response.StatusCode, err, body)
			}
			return string(body)
		}
		failed = err
		s.Client.CloseIdleConnections()
	}
	s.T.Fatalf("/metrics gives no answer: %v", failed)
	return ""
}

// Metrics are the values of the series, by their names without what all have in common.
func (s *Site) Metrics() map[string]float64 {
	s.T.Helper()
	series := make(map[string]float64)
	for line := range strings.Lines(s.Exposition()) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		end := strings.LastIndexByte(line, ' ')
		value, err := strconv.ParseFloat(strings.TrimSpace(line[end:]), 64)
		if err != nil {
			s.T.Fatalf("%s: %v", line, err)
		}
		series[strings.TrimPrefix(line[:end], OurMetrics)] = value
	}
	return series
}
