package caddygrant

import (
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/caddygrant/caddy-grant/internal/livefile"
)

// fileLabels are set by the config, never by a request.
var fileLabels = []string{"path", "reads"}

var (
	fileReloadSuccessful = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Namespace: metricsNamespace,
		Subsystem: metricsSubsystem,
		Name:      "file_last_reload_successful",
		Help:      "Whether the users or clients file as it is now is in force (1), or an earlier version since it is missing or broken (0).",
	}, fileLabels)

	fileReloadSuccess = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Namespace: metricsNamespace,
		Subsystem: metricsSubsystem,
		Name:      "file_last_reload_success_timestamp_seconds",
		Help:      "When the version of the users or clients file that is in force was read.",
	}, fileLabels)
)

var revocationsRead = prometheus.NewGaugeVec(prometheus.GaugeOpts{
	Namespace: metricsNamespace,
	Subsystem: metricsSubsystem,
	Name:      "revocations_last_read_timestamp_seconds",
	Help:      "When the revoked sessions were last read from storage. What other nodes revoked since then is not known here.",
}, []string{"server"})

// registerMetrics adds the collectors to a config's registry. They are made once, so what
// they count survives a reload.
func registerMetrics(registry *prometheus.Registry) error {
	if registry == nil {
		return nil
	}
	for _, collector := range []prometheus.Collector{fileReloadSuccessful, fileReloadSuccess, revocationsRead} {
		err := registry.Register(collector)
		if _, again := errors.AsType[prometheus.AlreadyRegisteredError](err); err != nil && !again {
			return fmt.Errorf("registering metrics: %w", err)
		}
	}
	return nil
}

func observeFile(key fileKey, status livefile.Status) {
	successful := 1.0
	if status.Err != nil {
		successful = 0
	}
	fileReloadSuccessful.WithLabelValues(key.path, key.reads).Set(successful)
	fileReloadSuccess.WithLabelValues(key.path, key.reads).Set(float64(status.LoadedAt.UnixNano()) / 1e9)
}

func observeRevocations(server string, at time.Time) {
	revocationsRead.WithLabelValues(server).Set(float64(at.UnixNano()) / 1e9)
}

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
	fileReloadSuccessful.DeleteLabelValues(key.path, key.reads)
	fileReloadSuccess.DeleteLabelValues(key.path, key.reads)
}

const (
	metricsNamespace = "caddy"
	metricsSubsystem = "grant"
)
