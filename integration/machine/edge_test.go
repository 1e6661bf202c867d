package machine

import (
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
)

func TestAClientPassesOnlyWhereClientsDo(t *testing.T) {
	s := start(t, "")
	raw, alice := token(t, s.As("both")), s.As("both").Login(t, "alice").Access
	for _, test := range []struct {
		path, token, body string
		status            int
	}{
		{"/users", raw, "", 403},
		{"/users", alice, "the app", 200},
		{"/who", raw, "client|||both", 200},
		{"/who", alice, "user|alice|alice|both", 200},
		{"/prefixed", raw, "client|svc:both|svc:both|both", 200},
		{"/prefixed", alice, "user|alice|alice|both", 200},
	} {
		for range 2 { // the second time it is remembered
			a := s.Do(s.Request("GET", test.path, "", harness.Bearer(test.token)))
			if a.Status != test.status || test.body != "" && string(a.Body) != test.body {
				t.Errorf("%s: %d %s, want %d %s", test.path, a.Status, a.Body, test.status, test.body)
			}
		}
	}
	line := s.LastRefusal()
	if line["client_id"] != "both" || line["user_id"] != nil && line["user_id"] != "" {
		t.Errorf("logged %v", line)
	}
}
