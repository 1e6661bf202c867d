package config

import (
	"fmt"
	"strings"
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
	"github.com/caddygrant/caddy-grant/integration/internal/repo"
)

// A subdirective with a typo gets the one that was meant, whichever it is.
func TestAMistypedSubdirectiveGetsASuggestion(t *testing.T) {
	for _, test := range []struct{ of, parser, block string }{
		{"token_endpoint", "parseEndpointSetting", "token_endpoint {\n%s\n}\n"},
		{"user", "parseUser", "token_endpoint {\nuser alice " + harness.HashBcrypt + " {\n%s\n}\n}\n"},
		{"client", "parseClient", "token_endpoint {\nclient web {\n%s\n}\n}\n"},
		{"password_checks", "parsePasswordChecks", "token_endpoint {\npassword_checks {\n%s\n}\n}\n"},
		{"throttle", "parseThrottle", "token_endpoint {\nthrottle {\n%s\n}\n}\n"},
		{"bearer_auth", "parseBearerSetting", "bearer_auth {\n%s\n}\n"},
	} {
		refused := func(word string) string {
			_, err := harness.Adapt("http://localhost {\n" + fmt.Sprintf(test.block, word) + "}\n")
			if err == nil {
				t.Fatalf("%s takes %s", test.of, word)
			}
			return err.Error()
		}
		for _, word := range repo.Cases(t, test.parser) {
			if len(word) < 3 {
				continue // everything is near to it
			}
			for _, typo := range []string{word + "x", "x" + word, word[:1] + "_" + word[1:]} {
				if got := refused(typo); !strings.Contains(got, "of "+test.of+": did you mean "+word+"?") {
					t.Errorf("%s: %s", typo, got)
				}
			}
		}
		for _, other := range []string{"reverse_proxy", "x", "zz"} {
			if got := refused(other); strings.Contains(got, "did you mean") || !strings.Contains(got, "unrecognized subdirective "+other+" of "+test.of) {
				t.Errorf("%s: %s", other, got)
			}
		}
	}
}
