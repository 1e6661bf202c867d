package throttle

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
)

// C16
func TestNothingThatIsPrintedShowsAPassword(t *testing.T) {
	const secret = "hunter2-in-clear"
	w := newWorld(t, Limits{})
	a := Attempt{Account: Join("user", secret), Source: Address(netip.MustParseAddr("192.0.2.1")), Secret: secret}
	r := w.reserve(a)
	for _, value := range []any{a, &a, r, *r, r.flight, w.guesses} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x"} {
			if printed := fmt.Sprintf(verb, value); strings.Contains(printed, secret) || strings.Contains(printed, fmt.Sprintf("%x", secret)) {
				t.Errorf("%s of a %T: %s", verb, value, printed)
			}
		}
	}
	if got := fmt.Sprint(a); got != "attempt from 192.0.2.1" {
		t.Error(got)
	}
}
