package session

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
)

// This file is for the tests of sessions: what an OAuth client does at the endpoints,
// and the sites where it does that.

// numericClaim is a claim that must be a whole number.
func numericClaim(t *testing.T, token, claim string) int64 {
	t.Helper()
	_, claims := harness.Decoded(t, token)
	written, ok := claims[claim].(json.Number)
	if !ok {
		t.Fatalf("%s is %v", claim, claims[claim])
	}
	value, err := written.Int64()
	if err != nil {
		t.Fatalf("%s is %s, no whole number", claim, written)
	}
	return value
}

// sleepUntil waits for a NumericDate, and a moment longer.
func sleepUntil(date int64) { time.Sleep(time.Until(time.Unix(date, 0)) + 20*time.Millisecond) }

// wantUnlogged fails the test if a secret is anywhere in the log, but for the debug
// line in which Caddy itself shows the config.
func wantUnlogged(s *harness.Site, t *testing.T, secrets ...string) {
	t.Helper()
	for line := range bytes.Lines([]byte(s.RawLog())) {
		if bytes.Contains(line, []byte(`"msg":"adjusted config"`)) {
			continue
		}
		for _, secret := range secrets {
			if bytes.Contains(line, []byte(secret)) {
				t.Fatalf("C16: the log has %q: %s", secret, line)
			}
		}
	}
}

// unplug puts a file in the place of the storage, or of something in it, so that
// nothing there can be read or written, by any process. What it returns puts the
// storage back.
func unplug(s *harness.Site, inside ...string) (plug func()) {
	s.T.Helper()
	path := filepath.Join(append([]string{harness.StorageOf(s)}, inside...)...)
	aside := filepath.Join(s.Dir, "unplugged")
	must := func(err error) {
		s.T.Helper()
		if err != nil {
			s.T.Fatal(err)
		}
	}
	must(os.Rename(path, aside))
	must(os.WriteFile(path, []byte("a file where a directory should be"), 0o600))
	return func() {
		s.T.Helper()
		must(os.Remove(path))
		must(os.Rename(aside, path))
	}
}

// stateOf is the path in the storage of what is kept of a token's session.
func stateOf(s *harness.Site, t *testing.T, token, what string) string {
	t.Helper()
	day, random, _ := strings.Cut(harness.TextClaim(t, token, "sid"), "-")
	servers, err := filepath.Glob(filepath.Join(harness.StorageOf(s), "grant", "*"))
	if err != nil || len(servers) != 1 {
		t.Fatalf("the storage has %v: %v", servers, err)
	}
	return filepath.Join(servers[0], "sessions", day, random+what)
}
