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

func TestWhyAnIssuerFailsIsBelowTheTable(t *testing.T) {
	now := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	before := now.Add(-time.Hour)
	const why = `status 401 instead of 200; the metadata is of the issuer "http://localhost:9002"`
	var out strings.Builder
	err := printIssuers(&out, []adminapi.Issuer{
		{URL: "https://a.example", Error: why},
		{URL: "https://b.example", Keys: 2, FetchedAt: &before, Error: "gone\nx"},
	}, now)
	const want = `OUTSIDE ISSUER     KEYS         FETCHED
https://a.example  no keys yet  the last attempt failed
https://b.example  2 keys       1 hour ago, the last attempt failed
  https://a.example: ` + why + `
  https://b.example: gone\nx
`
	if err != nil || out.String() != want {
		t.Errorf("%v\n%s", err, out.String())
	}
}
