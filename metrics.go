package caddygrant

import (
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/caddygrant/caddy-grant/internal/livefile"
	"github.com/caddygrant/caddy-grant/internal/password"
)

// The collectors are made once, so what they count survives a reload. Labels have values
// of closed sets only: what the config says, or what the code says, never a request.
var (
	requests = counter("requests_total",
		"Requests to the endpoints, by grant type at the token endpoint, and by outcome: success or the error code.",
		"server", "endpoint", "grant_type", "outcome")

	refreshReuse = counter("refresh_reuse_total",
		"Refresh tokens that were used a second time, which ended their session.",
		"server")

	bearerChecks = counter("bearer_checks_total",
		"Checks of requests by bearer_auth, by outcome: success, anonymous, none for missing credentials, the error code, or unavailable. Those that only look on count as well.",
		"server", "outcome")

	passwordChecks = counter("password_checks_total",
		"Passwords and client secrets that were to be compared, by what became of it: hashed, cached, joined an equal one that was under way, throttled, or shed because too many were waiting.",
		"kind", "result")

	hashDuration = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Namespace: metricsNamespace,
		Subsystem: metricsSubsystem,
		Name:      "hash_duration_seconds",
		Help:      "How long hashing a password took, without the time that it waited for its turn.",
		Buckets:   []float64{.001, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5},
	}, []string{"scheme"})

	hashesRunning = gaugeOfGate("hashes_running", "Passwords that are being hashed.",
		func(running, _ int) int { return running })
	hashesWaiting = gaugeOfGate("hashes_waiting", "Requests that wait for their turn to have a password hashed.",
		func(_, waiting int) int { return waiting })

	fileEntries = gauge("file_entries",
		"How many users or clients the version of the file that is in force has.", fileLabels...)
	fileReloadSuccessful = gauge("file_last_reload_successful",
		"Whether the users or clients file as it is now is in force (1), or an earlier version since it is missing or broken (0).", fileLabels...)
	fileReloadSuccess = gauge("file_last_reload_success_timestamp_seconds",
		"When the version of the users or clients file that is in force was read.", fileLabels...)

	revocationsRead = gauge("revocations_last_read_timestamp_seconds",
		"When the revoked sessions were last read from storage. What other nodes revoked since then is not known here.",
		"server")
)

var collectors = []prometheus.Collector{
	requests, refreshReuse, bearerChecks, passwordChecks, hashDuration, hashesRunning, hashesWaiting,
	fileEntries, fileReloadSuccessful, fileReloadSuccess, revocationsRead,
}

var fileLabels = []string{"path", "reads"}

func counter(name, help string, labels ...string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: metricsNamespace, Subsystem: metricsSubsystem, Name: name, Help: help,
	}, labels)
}

func gauge(name, help string, labels ...string) *prometheus.GaugeVec {
	return prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Namespace: metricsNamespace, Subsystem: metricsSubsystem, Name: name, Help: help,
	}, labels)
}

// observedGate is the gate of the process, for gauges that are read when somebody asks.
var observedGate atomic.Pointer[password.Gate]

func gaugeOfGate(name, help string, of func(running, waiting int) int) prometheus.GaugeFunc {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Namespace: metricsNamespace, Subsystem: metricsSubsystem, Name: name, Help: help,
	}, func() float64 {
		gate := observedGate.Load()
		if gate == nil {
			return 0
		}
		return float64(of(gate.Load()))
	})
}

// registerMetrics adds the collectors to a config's registry.
func registerMetrics(registry *prometheus.Registry) error {
	if registry == nil {
		return nil
	}
	for _, collector := range collectors {
		err := registry.Register(collector)
		if _, again := errors.AsType[prometheus.AlreadyRegisteredError](err); err != nil && !again {
			return fmt.Errorf("registering metrics: %w", err)
		}
	}
	return nil
}

// startMetrics makes the series of a server, so that they are there before the first event.
func (s *Server) startMetrics() {
	for grantType := range s.grants {
		requests.WithLabelValues(s.Name, endpointToken, grantType, outcomeSuccess)
	}
	refreshReuse.WithLabelValues(s.Name)
	bearerChecks.WithLabelValues(s.Name, outcomeSuccess)
	for _, kind := range []string{kindUser, kindClient} {
		for _, result := range []string{checkHashed, checkCached, checkJoined, checkThrottled, checkShed} {
			passwordChecks.WithLabelValues(kind, result)
		}
	}
	for _, mix := range append(s.users.hashes(), s.clients.hashes()...) {
		for params := range mix.All() {
			if !params.Cheap() {
				hashDuration.WithLabelValues(string(params.Scheme))
			}
		}
	}
}

// observeCheck counts a comparison, and times the hash if this one made it.
func observeCheck(c credential, result password.Result) {
	how := checkHashed
	switch {
	case result.Cached:
		how = checkCached
	case result.Joined:
		how = checkJoined
	}
	passwordChecks.WithLabelValues(c.kind, how).Inc()
	if result.Hashing > 0 {
		hashDuration.WithLabelValues(string(c.hash.Params().Scheme)).Observe(result.Hashing.Seconds())
	}
}

func observeFile(key fileKey, status livefile.Status) {
	successful := 1.0
	if status.Err != nil {
		successful = 0
	}
	fileReloadSuccessful.WithLabelValues(key.path, key.reads).Set(successful)
	fileReloadSuccess.WithLabelValues(key.path, key.reads).Set(unixSeconds(status.LoadedAt))
}

func observeEntries(key fileKey, n int) {
	fileEntries.WithLabelValues(key.path, key.reads).Set(float64(n))
}

func observeRevocations(server string, at time.Time) {
	revocationsRead.WithLabelValues(server).Set(unixSeconds(at))
}

func unixSeconds(t time.Time) float64 { return float64(t.UnixNano()) / 1e9 }

// forgetRevocations removes the series of a server that is gone.
func forgetRevocations(server string) { revocationsRead.DeleteLabelValues(server) }

// forgetFile removes the series of a file that nobody follows any more.
func forgetFile(key fileKey) {
	followed := false
	processState.Range(func(other, _ any) bool {
		k, ok := other.(fileKey)
		followed = ok && k.path == key.path && k.reads == key.reads
		return !followed
	})
	if followed {
		return
	}
	for _, of := range []*prometheus.GaugeVec{fileEntries, fileReloadSuccessful, fileReloadSuccess} {
		of.DeleteLabelValues(key.path, key.reads)
	}
}

const (
	metricsNamespace = "caddy"
	metricsSubsystem = "grant"

	outcomeSuccess = "success"

	// results of a password check
	checkHashed    = "hashed"
	checkCached    = "cached"
	checkJoined    = "joined"
	checkThrottled = "throttled"
	checkShed      = "shed"
)
