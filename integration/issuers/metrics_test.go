package issuers

import (
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
	"github.com/caddygrant/caddy-grant/integration/internal/outside"
)

// metricOf is a metric of an issuer, -1 if it is not there.
func (e edge) metricOf(issuer *outside.Issuer, name string) float64 {
	e.T.Helper()
	value, there := e.Metrics()[name+`{issuer="`+issuer.URL+`"}`]
	if !there {
		return -1
	}
	return value
}

// The metrics tell an outage, and forget an issuer that no config has.
func TestTheMetricsOfAnIssuersKeys(t *testing.T) {
	issuer := outside.New(t, outside.Options{})
	issuer.Publish(outside.NewKey(t, "EdDSA"), outside.NewKey(t, "ES256").With(map[string]any{"use": "enc"}))
	e := startSite(t, bearer("", trusting(issuer), "open /metrics"), "metrics /metrics")
	value := func(name string) float64 { return e.metricOf(issuer, name) }
	e.knows(issuer)
	if keys, well := value("issuer_keys"), value("issuer_keys_last_fetch_successful"); keys != 2 || well != 1 {
		t.Errorf("%v keys, successful %v", keys, well)
	}
	issuer.Down()
	e.get("/contacts", issuer.Token(outside.By(outside.NewKey(t, "ES256"))))
	harness.Eventually(t, "the metrics tell the outage", func() bool { return value("issuer_keys_last_fetch_successful") == 0 })
	if keys := value("issuer_keys"); keys != 2 {
		t.Errorf("%v keys during an outage", keys)
	}
	e.serve(ownServer, bearer("", "open /metrics"), "metrics /metrics")
	if keys := value("issuer_keys"); keys != -1 {
		t.Errorf("%v keys of an issuer that is gone", keys)
	}
}

// Two blocks may have the keys of an issuer from two places. A place where there are none
// is told as long as a config names it, and no longer.
func TestTheMetricsTellTheWorstOfAnIssuersKeys(t *testing.T) {
	issuer := outside.New(t, outside.Options{})
	at := func(path, keys string) string {
		return bearer(path, trusting(issuer, "jwks_url "+issuer.URL+keys))
	}
	open := `metrics /metrics`
	good, broken := at("/good/*", "/keys"), at("/broken/*", "/nothing")
	e := startSite(t, open, good)
	harness.Eventually(t, "the keys are there", func() bool { return e.get("/good/x", issuer.Token()).Status == 200 })
	value := func(name string) float64 { return e.metricOf(issuer, name) }
	e.serve(open, good, broken)
	harness.Eventually(t, "the metrics tell the place without keys", func() bool {
		return value("issuer_keys") == 0 && value("issuer_keys_last_fetch_successful") == 0 && value("issuer_keys_last_fetch_success_timestamp_seconds") == 0
	})
	fetches := issuer.Fetches(outside.KeySet)
	e.serve(open, good)
	harness.Eventually(t, "the metrics tell the place that is left", func() bool {
		return value("issuer_keys") == 1 && value("issuer_keys_last_fetch_successful") == 1 && value("issuer_keys_last_fetch_success_timestamp_seconds") > 0
	})
	if now := issuer.Fetches(outside.KeySet); now != fetches {
		t.Errorf("it took %d fetches", now-fetches)
	}
}
