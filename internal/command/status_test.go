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

// Two bearer_auths may name other places for the keys of one issuer.
func TestKeySetsOfOneIssuerAreToldApart(t *testing.T) {
	now := time.Now()
	var out strings.Builder
	const url = "https://a.example"
	err := printIssuers(&out, []adminapi.Issuer{
		{URL: url, Keys: 2, FetchedAt: &now}, {URL: url, JWKSURL: "https://keys.example/jwks", Error: "gone"}, {URL: "https://b.example", JWKSURL: "https://b.example/k"},
	}, now)
	got := strings.Join(strings.Fields(out.String()), " ")
	for _, want := range []string{url + " (keys of its metadata) 2 keys", url + " (keys of https://keys.example/jwks) no keys yet", url + " (keys of https://keys.example/jwks): gone", " https://b.example no keys yet"} {
		if err != nil || !strings.Contains(got, want) {
			t.Errorf("%v: no %q in\n%s", err, want, out.String())
		}
	}
}
