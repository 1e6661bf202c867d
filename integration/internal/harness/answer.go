package harness

import (
	"maps"
	"net/http"
	"reflect"
	"regexp"
	"slices"
	"testing"
)

// Answer is a response, read to its end.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
	JSON   map[string]any // nil if the body is not a JSON object
}

// Want fails the test unless the answer has that status and, if code is not empty, that
// error code.
func (a Answer) Want(t *testing.T, status int, code string) {
	t.Helper()
	got, _ := a.JSON["error"].(string)
	if a.Status != status || got != code {
		t.Fatalf("got %d %q, want %d %q; body: %s", a.Status, got, status, code, a.Body)
	}
}

// Text is a member of the JSON answer that must be a string.
func (a Answer) Text(t *testing.T, member string) string {
	t.Helper()
	value, ok := a.JSON[member].(string)
	if !ok {
		t.Fatalf("%s is not a string in %s", member, a.Body)
	}
	return value
}

// WantSameOutward fails the test unless two answers are the same to a client.
func WantSameOutward(t *testing.T, got, want Answer) {
	t.Helper()
	if !reflect.DeepEqual(outward(got), outward(want)) {
		t.Errorf("got %v, want %v", outward(got), outward(want))
	}
}

// outward is all that a stranger sees of an answer, without what says when it was made.
func outward(a Answer) map[string][]string {
	seen := maps.Clone(map[string][]string(a.Header))
	delete(seen, "Date")
	seen["status and body"] = []string{http.StatusText(a.Status), string(a.Body)}
	return seen
}

// WellFormedError holds what every error has in common.
func WellFormedError(t *testing.T, a Answer) {
	t.Helper()
	if members := slices.Sorted(maps.Keys(a.JSON)); !slices.Equal(members, []string{"error", "error_description"}) {
		t.Errorf("E1: members %v", members)
	}
	// RFC 6749 §5.2 allows these characters, which leaves out what ends a JSON or
	// header string
	for _, member := range []string{"error", "error_description"} {
		if value := a.Text(t, member); !errorText.MatchString(value) {
			t.Errorf("E2: %s is %q", member, value)
		}
	}
	// the last two are the documented exceptions
	codes := []string{
		"invalid_request", "invalid_client", "invalid_grant", "invalid_scope", "unauthorized_client", "unsupported_grant_type",
		"temporarily_unavailable", "server_error",
	}
	if code := a.Text(t, "error"); !slices.Contains(codes, code) {
		t.Errorf("E3: %q is not registered", code)
	}
	for name, want := range map[string]string{
		"Content-Type":  "application/json; charset=UTF-8",
		"Cache-Control": "no-store",
		"Pragma":        "no-cache",
	} {
		if got := a.Header[name]; !slices.Equal(got, []string{want}) {
			t.Errorf("E1, E4: %s is %q, want %q", name, got, want)
		}
	}
}

// errorText is all that may be in an error_description (RFC 6749 section 5.2).
var errorText = regexp.MustCompile(`^[\x20-\x21\x23-\x5B\x5D-\x7E]+$`)
