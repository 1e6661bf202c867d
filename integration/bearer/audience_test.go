package bearer

import (
	"strings"
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
)

// I11: no list of audiences takes every token, least of all an empty one.
func TestAnEmptyListOfAudiencesIsRefusedAtLoad(t *testing.T) {
	s := harness.NewSite(t)
	config, err := harness.Adapt(s.Expand(strings.Replace(harness.GlobalOptions, "%OPTIONS%", "", 1) + `http://127.0.0.1:%PORT% {
	token_endpoint {
		client web {
			public
		}
		user alice ` + harness.HashCheap + `
	}
	bearer_auth {
		audience nobody
	}
	respond "in"
}
`))
	if err != nil {
		t.Fatal(err)
	}
	edited := strings.Replace(string(config), `"audience":["nobody"]`, `"audience":[]`, 1)
	if edited == string(config) {
		t.Fatalf("no audience in %s", config)
	}
	if err := harness.Validate(t, edited); err == nil || !strings.Contains(err.Error(), "audience: an empty list") {
		t.Errorf("got %v", err)
	}
}
