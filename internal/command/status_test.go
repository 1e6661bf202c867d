package command

import (
	"strings"
	"testing"
	"time"

	"github.com/caddygrant/caddy-grant/internal/adminapi"
)

func TestStatusTellsWithdrawnKeysOfAnIssuerFromKeysThatHaveNotCome(t *testing.T) {
	now := time.Now()
	for want, issuer := range map[string]adminapi.Issuer{
		"no keys yet": {}, "withdrawn": {FetchedAt: &now}, "2 keys": {FetchedAt: &now, Keys: 2},
	} {
		var printed strings.Builder
		issuer.URL = "https://id.example.com"
		if err := printIssuers(&printed, []adminapi.Issuer{issuer}, now); err != nil || !strings.Contains(printed.String(), want) {
			t.Errorf("%v: no %q in\n%s", err, want, printed.String())
		}
	}
}
