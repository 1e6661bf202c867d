package statusview

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/caddygrant/caddy-grant/internal/adminapi"
)

// sample is what a node told at a time.
type sample struct {
	at       time.Time // with a monotonic clock: rates need no clock that is right
	statuses []adminapi.Status
	issuers  []adminapi.Issuer
	counters map[series]float64 // nil: it has no metrics
	started  float64            // when the process started, 0 if it does not tell
	warning  string             // why there are no counters
}

// series is a counter. Labels that a metric does not have are empty.
type series struct {
	metric, server, endpoint, grant, outcome string
}

// The metrics that are looked at, without the prefix caddy_grant_.
const (
	metricRequests  = "requests_total"
	metricPage      = "page_logins_total"
	metricThrottled = "throttled_total"
	metricReuse     = "refresh_reuse_total"
	metricBearer    = "bearer_checks_total"
	metricPasswords = "password_checks_total"
	metricHashes    = "hash_duration_seconds"

	metricHashTime = metricHashes + "_sum"
	metricHashed   = metricHashes + "_count"
)

const (
	metricPrefix = "caddy_grant_"
	metricStart  = "process_start_time_seconds"
)

// ask asks a node for all that is shown. Without counters there is still the state.
func ask(ctx context.Context, source Source) (*sample, error) {
	statuses, err := source.Servers(ctx)
	if err != nil {
		return nil, err
	}
	for i := range statuses {
		makePrintable(reflect.ValueOf(&statuses[i]).Elem())
	}
	s := &sample{statuses: statuses, issuers: issuersOf(ctx, source)}
	text, err := source.Get(ctx, "/metrics")
	if err == nil {
		err = s.read(text)
	}
	if err != nil {
		s.warning = Printable(fmt.Sprintf("no counters: %v", err))
	}
	s.at = time.Now()
	return s, nil
}

// issuersOf are the outside issuers of a node, none if it is of a version without them.
func issuersOf(ctx context.Context, source Source) (issuers []adminapi.Issuer) {
	answer, err := source.Get(ctx, adminapi.PathIssuers)
	if err != nil || json.Unmarshal(answer, &issuers) != nil {
		return nil
	}
	for i := range issuers {
		makePrintable(reflect.ValueOf(&issuers[i]).Elem())
	}
	return issuers
}

// read parses the metrics in Prometheus' text format. Those of others, which can be
// many, are left out.
func (s *sample) read(text []byte) error {
	var ours bytes.Buffer
	for line := range bytes.Lines(text) {
		name := bytes.TrimPrefix(bytes.TrimPrefix(line, []byte("# HELP ")), []byte("# TYPE "))
		if bytes.HasPrefix(name, []byte(metricPrefix)) || bytes.HasPrefix(name, []byte(metricStart)) {
			ours.Write(line)
		}
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(&ours)
	if err != nil {
		return err
	}
	s.counters = make(map[series]float64)
	for name, family := range families {
		for _, metric := range family.GetMetric() {
			switch name {
			case metricStart:
				s.started = metric.GetGauge().GetValue()
			case metricPrefix + metricHashes:
				s.counters[series{metric: metricHashTime}] += metric.GetHistogram().GetSampleSum()
				s.counters[series{metric: metricHashed}] += float64(metric.GetHistogram().GetSampleCount())
			default:
				if counter := metric.GetCounter(); counter != nil {
					s.counters[seriesOf(name[len(metricPrefix):], metric)] += counter.GetValue()
				}
			}
		}
	}
	return nil
}

func seriesOf(name string, metric *dto.Metric) series {
	found := series{metric: name}
	for _, label := range metric.GetLabel() {
		value := Printable(label.GetValue())
		switch label.GetName() {
		case "server":
			found.server = value
		case "endpoint", "kind", "shadow":
			found.endpoint = value
		case "grant_type":
			found.grant = value
		case "outcome", "limit", "result":
			found.outcome = value
		}
	}
	return found
}
