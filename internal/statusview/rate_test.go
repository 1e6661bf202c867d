package statusview

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/caddygrant/caddy-grant/internal/adminapi"
)

// fake is a node that answers what a test sets.
type fake struct {
	issuers  []adminapi.Issuer
	statuses []adminapi.Status
	metrics  string
	err      error
	hang     bool
}

func (f *fake) Servers(ctx context.Context) ([]adminapi.Status, error) {
	if f.hang {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return f.statuses, f.err
}

func (f *fake) Get(_ context.Context, path string) ([]byte, error) {
	if path == adminapi.PathIssuers && f.issuers != nil {
		return json.Marshal(f.issuers)
	}
	if f.metrics == "" || path != "/metrics" {
		return nil, errors.New("404 Not Found")
	}
	return []byte(f.metrics), nil
}

// requests are the metrics of a server with so many logins and refusals.
func requests(started, logins, refused int) string {
	return fmt.Sprintf(`# HELP caddy_grant_requests_total Requests.
# TYPE caddy_grant_requests_total counter
caddy_grant_requests_total{endpoint="token",grant_type="password",outcome="success",server="default"} %d
caddy_grant_requests_total{endpoint="token",grant_type="password",outcome="invalid_grant",server="default"} %d
caddy_grant_requests_total{endpoint="token",grant_type="password",outcome="success",server="other"} 70
# TYPE process_start_time_seconds gauge
process_start_time_seconds %d
`, logins, refused, started)
}

// at is a sample at a second.
func at(t *testing.T, second int, metrics string) *sample {
	t.Helper()
	s, err := ask(t.Context(), &fake{metrics: metrics})
	if err != nil || s.warning != "" {
		t.Fatal(err, s.warning)
	}
	s.at = time.Unix(0, 0).Add(time.Duration(second) * time.Second)
	return s
}

func wantLogins(t *testing.T, h *history, perSecond, minute, total float64) {
	t.Helper()
	got := h.done("default")[0]
	if got.Label != "Logins" || !got.Known || math.Abs(got.PerSecond-perSecond) > 1e-9 || math.Abs(got.LastMinute-minute) > 1e-9 || got.Total != total {
		t.Errorf("got %+v, want %v a second, %v in the last minute, %v", got, perSecond, minute, total)
	}
}

func TestFirstSampleHasTotalsAndNoRate(t *testing.T) {
	var h history
	h.add(at(t, 0, requests(1, 12, 3)))
	if got := h.done("default")[0]; got.Known || got.Total != 12 || got.LastMinute != 0 {
		t.Errorf("got %+v", got)
	}
}

func TestRateIsOfTheLastTwoSamplesAndTheMinuteOfAllInIt(t *testing.T) {
	var h history
	h.add(at(t, 0, requests(1, 10, 0)))
	h.add(at(t, 4, requests(1, 18, 0)))
	wantLogins(t, &h, 2, 8, 18)
	h.add(at(t, 6, requests(1, 19, 0)))
	wantLogins(t, &h, 0.5, 9, 19)
	h.add(at(t, 64, requests(1, 19, 0))) // a step that ended as the minute began
	wantLogins(t, &h, 0, 1, 19)
	h.add(at(t, 200, requests(1, 19+136, 0))) // of a longer one the part in the window
	wantLogins(t, &h, 1, 60, 155)
}

func TestCounterThatFellBeganAgainAtZero(t *testing.T) {
	var h history
	h.add(at(t, 0, requests(0, 100, 0)))
	h.add(at(t, 2, requests(0, 4, 0)))
	wantLogins(t, &h, 2, 4, 4)
}

func TestRestartIsSeenAlsoWhereTheCounterRose(t *testing.T) {
	var h history
	h.add(at(t, 0, requests(1000, 5, 0)))
	h.add(at(t, 2, requests(2000, 8, 0)))
	wantLogins(t, &h, 4, 8, 8)
}

func TestServersAreCountedApart(t *testing.T) {
	var h history
	h.add(at(t, 0, requests(1, 0, 0)))
	h.add(at(t, 2, requests(1, 0, 6)))
	wantLogins(t, &h, 0, 0, 0)
	if got := h.refused("default"); len(got) != 1 || got[0].Label != "password: invalid_grant" || got[0].PerSecond != 3 {
		t.Errorf("refused: %+v", got)
	}
	if got := h.refused("other"); len(got) != 0 {
		t.Errorf("refused by another: %+v", got)
	}
}

func TestMetricsOfOthersAreNotParsed(t *testing.T) {
	at(t, 0, requests(1, 0, 0)+"go_broken{ nothing like it\n")
	s, err := ask(t.Context(), &fake{metrics: "caddy_grant_requests_total{ broken\n"})
	if err != nil || s.counters != nil || !strings.HasPrefix(s.warning, "no counters: ") {
		t.Errorf("got %+v, %v", s, err)
	}
}
