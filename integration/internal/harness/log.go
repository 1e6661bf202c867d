package harness

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
)

// Logged returns the log lines so far for which keep is true.
func (s *Site) Logged(keep func(line map[string]any) bool) []map[string]any {
	s.T.Helper()
	all, err := s.log.next(filepath.Join(s.Dir, "log.json"))
	if err != nil {
		s.T.Fatal(err)
	}
	var lines []map[string]any
	for _, line := range all {
		if keep(line) {
			lines = append(lines, line)
		}
	}
	return lines
}

// readLog is what was read of a log so far: tests ask for lines again and again.
type readLog struct {
	mu    sync.Mutex
	size  int64
	lines []map[string]any
}

// next reads what is new, and returns all lines.
func (l *readLog) next(path string) ([]map[string]any, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	if _, err := file.Seek(l.size, io.SeekStart); err != nil {
		return nil, err
	}
	content, err := io.ReadAll(file)
	if err != nil {
		return nil, err
	}
	for raw := range bytes.Lines(content) {
		if !bytes.HasSuffix(raw, []byte("\n")) {
			break // Caddy is still writing it
		}
		var line map[string]any
		if err := json.Unmarshal(raw, &line); err != nil {
			return nil, fmt.Errorf("log line is not JSON: %s", raw)
		}
		l.size += int64(len(raw))
		l.lines = append(l.lines, line)
	}
	return l.lines, nil
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
