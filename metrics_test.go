package caddygrant

import (
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/caddygrant/caddy-grant/internal/credential"
)

// seriesOf gathers the series with a label of that value, by name and labels.
func seriesOf(t *testing.T, value string) map[string]float64 {
	t.Helper()
	registry := prometheus.NewPedanticRegistry()
	for range 2 { // as after a reload into the same registry
		if err := registerMetrics(registry); err != nil {
			t.Fatal(err)
		}
	}
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	out := make(map[string]float64)
	for _, family := range families {
		for _, metric := range family.GetMetric() {
			var labels []string
			found := false
			for _, label := range metric.GetLabel() {
				found = found || label.GetValue() == value
				labels = append(labels, label.GetValue())
			}
			if found {
				name := strings.TrimPrefix(family.GetName(), "caddy_grant_") + " " + strings.Join(labels, " ")
				out[name] = metric.GetCounter().GetValue() + metric.GetGauge().GetValue() + float64(metric.GetHistogram().GetSampleCount())
			}
		}
	}
	return out
}

func TestEveryMetricTakesPlainValues(t *testing.T) {
	of := fmt.Sprint("run ", time.Now().UnixNano()) // what was counted stays
	at := time.Unix(1790000000, 0)
	for _, test := range []struct {
		name string
		do   func()
		want map[string]float64
	}{
		{"requests", func() { countRequest(of, "token", "password", "success") },
			map[string]float64{"requests_total token password success " + of: 1}},
		{"throttled", func() { countThrottled(of, "pair") }, map[string]float64{"throttled_total pair " + of: 1}},
		{"refresh reuse", func() { countRefreshReuse(of) }, map[string]float64{"refresh_reuse_total " + of: 1}},
		{"bearer checks", func() { countBearerCheck(of, true, "none") }, map[string]float64{"bearer_checks_total none " + of + " true": 1}},
		{"password checks", func() { credentialMetrics{}.Checked(of, "cached") }, map[string]float64{"password_checks_total " + of + " cached": 1}},
		{"hashes", func() { credentialMetrics{}.Hashed(of, time.Second) }, map[string]float64{"hash_duration_seconds " + of: 1}},
		{"files", func() { observeEntries(of, "users", 3); observeFile(of, "users", false, at) }, map[string]float64{
			"file_entries " + of + " users": 3, "file_last_reload_successful " + of + " users": 0,
			"file_last_reload_success_timestamp_seconds " + of + " users": 1790000000,
		}},
		{"a file that works", func() { observeFile(of, "users", true, at) }, map[string]float64{"file_last_reload_successful " + of + " users": 1}},
		{"a file that is no longer followed", func() { forgetFile(of, "users") }, map[string]float64{
			"file_entries " + of + " users": -1, "file_last_reload_successful " + of + " users": -1,
			"file_last_reload_success_timestamp_seconds " + of + " users": -1,
		}},
		{"an engine", func() { followEngine(of, "redis", false) }, map[string]float64{
			"engine_last_attempt_successful redis " + of: 0, "engine_failures_total epoch redis " + of: 0,
			"engine_failures_total load redis " + of: 0, "engine_failures_total swap redis " + of: 0, "engine_failures_total revoke redis " + of: 0,
			"engine_failures_total revoked redis " + of: 0, "engine_failures_total sweep redis " + of: 0,
		}},
		{"calls of an engine that failed", func() { countEngineFailure(of, "redis", "swap") }, map[string]float64{"engine_failures_total swap redis " + of: 1}},
		{"another config with the engine", func() { followEngine(of, "redis", true); unfollowEngine(of, "redis") }, map[string]float64{"engine_last_attempt_successful redis " + of: 1}},
		{"an engine that fails", func() { observeEngine(of, "redis", false) }, map[string]float64{"engine_last_attempt_successful redis " + of: 0}},
		{"an engine that no config follows", func() { unfollowEngine(of, "redis"); observeEngine(of, "redis", true) }, map[string]float64{
			"engine_last_attempt_successful redis " + of: -1, "engine_failures_total swap redis " + of: 1,
		}},
		{"a view", func() { followView(of, time.Time{}) }, map[string]float64{"revocations_last_read_timestamp_seconds " + of: 0}},
		{"another config with it", func() { followView(of, at); unfollowView(of) }, map[string]float64{"revocations_last_read_timestamp_seconds " + of: 1790000000}},
		{"a view that no config keeps up with", func() { unfollowView(of); observeView(of, at) }, map[string]float64{"revocations_last_read_timestamp_seconds " + of: -1}},
	} {
		want := seriesOf(t, of)
		test.do()
		for name, value := range test.want {
			if want[name] = value; value < 0 {
				delete(want, name)
			}
		}
		if got := seriesOf(t, of); !maps.Equal(got, want) {
			t.Errorf("%s:\n%v\nwant\n%v", test.name, got, want)
		}
	}
}

func TestASeriesIsThereBeforeItsFirstEvent(t *testing.T) {
	of := fmt.Sprint("run ", time.Now().UnixNano())
	startServer(of, true, true, []string{"password"}, []string{of})
	startBearerChecks(of, false)
	got := seriesOf(t, of)
	counts := make(map[string]int)
	for name, value := range got {
		if value != 0 {
			t.Errorf("%s is %v", name, value)
		}
		counts[strings.Fields(name)[0]]++
	}
	for name := range seriesOf(t, credential.KindUser) {
		counts[strings.Fields(name)[0]]++
	}
	want := map[string]int{"requests_total": 37, "throttled_total": 8, "page_logins_total": 1, "refresh_reuse_total": 1, "bearer_checks_total": 9, "password_checks_total": 7, "hash_duration_seconds": 1}
	if fmt.Sprint(counts) != fmt.Sprint(want) {
		t.Errorf("%v, want %v", counts, want)
	}
}

func TestTheGaugesOfTheGateReadItWhenAsked(t *testing.T) {
	before := observedGate.Load()
	t.Cleanup(func() { observedGate.Store(before) })
	running := 2
	observeGate(func() (int, int) { return running, running + 1 })
	for range 2 {
		registry := prometheus.NewPedanticRegistry()
		registry.MustRegister(hashesRunning, hashesWaiting)
		families, err := registry.Gather()
		if err != nil {
			t.Fatal(err)
		}
		for i, family := range families { // running, then waiting
			if got := int(family.GetMetric()[0].GetGauge().GetValue()); got != running+i {
				t.Errorf("%s is %d with %d running", family.GetName(), got, running)
			}
		}
		running++
	}
}

// The clock is that of the test.
func TestTheUseOfAKeyIsNewsOnceAnHour(t *testing.T) {
	of, start := fmt.Sprint("keys ", time.Now().UnixNano()), time.Unix(1_800_000_000, 0)
	for _, test := range []struct {
		key   string
		after time.Duration
		news  bool
	}{
		{"a", 0, true}, {"a", time.Second, false}, {"b", time.Second, true}, {"a", time.Hour - time.Second, false}, {"a", time.Hour, true},
		{"a", 2*time.Hour - time.Second, false}, {"a", 2 * time.Hour, true},
		{"a", 0, true}, // the clock was set back
	} {
		if got := observeAPIKeyUse(of, test.key, start.Add(test.after)); got != test.news {
			t.Errorf("%s after %s: %t", test.key, test.after, got)
		}
	}
	forgetAPIKeys(of, func(name string) bool { return name == "b" })
	if got := seriesOf(t, of); len(got) != 1 {
		t.Errorf("the series are %v", got)
	}
	for i := range maxCountedKeys + 10 {
		observeAPIKeyUse(of, fmt.Sprint(i), start)
	}
	if got := seriesOf(t, of); len(got) != maxCountedKeys+1 {
		t.Errorf("there are %d series", len(got))
	}
	forgetAPIKeys(of, func(string) bool { return false })
	if got := seriesOf(t, of); len(got) != 0 {
		t.Errorf("the series are %v", got)
	}
	if !observeAPIKeyUse(of, "new", start) || len(seriesOf(t, of)) != 1 {
		t.Error("a key has no series after others are gone")
	}
	forgetAPIKeys(of, func(string) bool { return false })
}

// A reload that changes jwks_url follows the issuer's keys anew before it leaves those
// that were followed until then, and several blocks may have another jwks_url each.
func TestTheSeriesOfAnIssuerTellTheWorstOfItsKeys(t *testing.T) {
	const issuer = "https://moved.example.com"
	const keys, successful, fetched = "issuer_keys ", "issuer_keys_last_fetch_successful ", "issuer_keys_last_fetch_success_timestamp_seconds "
	want := func(when string, k, s, f float64) {
		t.Helper()
		got := seriesOf(t, issuer)
		if got[keys+issuer] != k || got[successful+issuer] != s || got[fetched+issuer] != f || len(got) != 3 {
			t.Errorf("%s: %v", when, got)
		}
	}
	first := startIssuer(issuer)
	want("before the first attempt", 0, 0, 0)
	first.observe(2, time.Unix(100, 0), true)
	second := startIssuer(issuer)
	want("while others begin", 2, 1, 100)
	second.observe(0, time.Time{}, false)
	want("while others cannot be fetched", 0, 0, 0)
	first.observe(2, time.Unix(200, 0), true)
	want("after a fetch of those that can", 0, 0, 0)
	second.forget()
	want("once the others are left", 2, 1, 200)
	third := startIssuer(issuer)
	third.observe(3, time.Unix(300, 0), true)
	want("with more keys elsewhere", 2, 1, 200)
	first.forget()
	want("once only these are followed", 3, 1, 300)
	third.forget()
	if left := seriesOf(t, issuer); len(left) != 0 {
		t.Errorf("left of an issuer that is gone: %v", left)
	}
}
