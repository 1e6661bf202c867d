package harness

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Logged returns the log lines so far for which keep is true.
func (s *Site) Logged(keep func(line map[string]any) bool) []map[string]any {
	s.T.Helper()
	content, err := os.ReadFile(filepath.Join(s.Dir, "log.json"))
	if err != nil {
		s.T.Fatal(err)
	}
	var lines []map[string]any
	scanner := bufio.NewScanner(bytes.NewReader(content))
	scanner.Buffer(nil, 1<<20)
	for scanner.Scan() {
		var line map[string]any
		if err := json.Unmarshal(scanner.Bytes(), &line); err != nil {
			s.T.Fatalf("log line is not JSON: %s", scanner.Bytes())
		}
		if keep(line) {
			lines = append(lines, line)
		}
	}
	return lines
}

// RawLog is the whole log.
func (s *Site) RawLog() string {
	s.T.Helper()
	content, err := os.ReadFile(filepath.Join(s.Dir, "log.json"))
	if err != nil {
		s.T.Fatal(err)
	}
	return string(content)
}

// WarningsIn are the module's in what Caddy printed.
func WarningsIn(output string) []map[string]any {
	var lines []map[string]any
	for line := range strings.Lines(output) {
		var entry map[string]any
		if json.Unmarshal([]byte(line), &entry) == nil && isWarning(entry) {
			lines = append(lines, entry)
		}
	}
	return lines
}

// Warnings are the module's so far.
func (s *Site) Warnings() []map[string]any {
	s.T.Helper()
	return s.Logged(isWarning)
}

// isWarning tells whether a line of the log is a warning of the module.
func isWarning(line map[string]any) bool {
	logger, _ := line["logger"].(string)
	return line["level"] == "warn" && (strings.HasPrefix(logger, "grant") || logger == "http.handlers.token_endpoint" || logger == "http.handlers.bearer_auth")
}

// Refusals are the log lines of refused requests so far.
func (s *Site) Refusals() []map[string]any {
	s.T.Helper()
	return s.Logged(func(line map[string]any) bool { return line["msg"] == "request refused" })
}

// LastRefusal is the log line of the last refused request.
func (s *Site) LastRefusal() map[string]any {
	s.T.Helper()
	refusals := s.Refusals()
	if len(refusals) == 0 {
		s.T.Fatal("nothing was refused")
	}
	return refusals[len(refusals)-1]
}

// Reason is why the last request was refused, which the client is not told.
func (s *Site) Reason() string {
	s.T.Helper()
	reason, _ := s.LastRefusal()["reason"].(string)
	return reason
}

// Reasons are those of the refusals by bearer_auth so far.
func (s *Site) Reasons() []string {
	s.T.Helper()
	var reasons []string
	for _, line := range s.Logged(func(line map[string]any) bool { return line["logger"] == "http.handlers.bearer_auth" }) {
		reason, _ := line["reason"].(string)
		reasons = append(reasons, reason)
	}
	return reasons
}

// LastReason is why bearer_auth refused the last request, or "none".
func (s *Site) LastReason() string {
	s.T.Helper()
	reasons := s.Reasons()
	return slices.Concat([]string{"none"}, reasons)[len(reasons)]
}
