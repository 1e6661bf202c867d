package caddygrant

import (
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/caddygrant/caddy-grant/internal/credential"
	"github.com/caddygrant/caddy-grant/internal/event"
	"github.com/caddygrant/caddy-grant/internal/labelset"
	"github.com/caddygrant/caddy-grant/internal/oauth"
	"github.com/caddygrant/caddy-grant/internal/session"
	"github.com/caddygrant/caddy-grant/internal/throttle"
)

// The collectors are made once, so their counts survive a reload. Labels only have
// values of closed sets: from the config or from the code, never from a request.
var (
	requests = counter("requests_total",
		"Requests to the endpoints, by grant type at the token endpoint, and by outcome: success or the error code.",
		"server", "endpoint", "grant_type", "outcome")

	pageLogins = counter("page_logins_total",
		"Logins on the login page, whose requests also count the page being shown.",
		"server")
	clientRequests = counter("client_requests_total",
		"Token requests of clients that have authenticated, by client and grant, and by outcome: success, or refused. client_id is empty for clients beyond the first 500 of a server.",
		"server", "client_id", "grant_type", "outcome")

	throttled = counter("throttled_total",
		"Requests that were refused because of earlier ones, by limit: pair (an account from one source), account, address, network (an IPv6 /48), rate (revocations of a user in a minute), sessions (first refreshes of a user by a client), revocations (of those sessions), or client (revocations of a client).",
		"server", "limit")

	refreshReuse = counter("refresh_reuse_total",
		"Refresh tokens that were used a second time, which ends their session.",
		"server")

	passwordChecks = counter("password_checks_total",
		"Checks of passwords and client secrets, by result: compared, cached, repeated (the same wrong one as a moment ago), joined (to an equal one under way), throttled, shed (too many were waiting), or client_gone (before its turn).",
		"kind", "result")

	hashDuration = collected(prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Namespace: metricsNamespace,
		Subsystem: metricsSubsystem,
		Name:      "hash_duration_seconds",
		Help:      "How long hashing a password took, without the time that it waited for its turn.",
		Buckets:   []float64{.001, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5},
	}, []string{"scheme"}))

	hashesRunning = gaugeOfGate("hashes_running", "Passwords that are being hashed.",
		func(running, _ int) int { return running })
	hashesWaiting = gaugeOfGate("hashes_waiting", "Requests that wait for their turn to have a password hashed.",
		func(_, waiting int) int { return waiting })

	fileEntries = gauge("file_entries",
		"How many users, clients or API keys the active version of the file has.", fileLabels...)
	fileReloadSuccessful = gauge("file_last_reload_successful",
		"Whether the file of users, clients or API keys is active as it is now (1), or an earlier version because the file is missing or broken (0).", fileLabels...)
	fileReloadSuccess = gauge("file_last_reload_success_timestamp_seconds",
		"When the active version of the file of users, clients or API keys was read.", fileLabels...)

	droppedEvents = counter("events_dropped_total",
		"Events that no handler got, since too many of that event were waiting for their handlers.",
		"event")

	engineSuccessful = gauge("engine_last_attempt_successful",
		"Whether the last attempt to reach a session engine succeeded (1), or sessions in it are unavailable (0).",
		"server", "engine")
	engineFailures = counter("engine_failures_total",
		"Calls of a session engine that failed, by call: epoch (asking whether it still has its sessions), load (of a session), swap (a refresh), revoke, revoked (reading what other nodes revoked), or sweep.",
		"server", "engine", "call")
)

var fileLabels = []string{"path", "reads"}

// collectors are all that the functions below have made.
var collectors []prometheus.Collector

func collected[C prometheus.Collector](made C) C {
	collectors = append(collectors, made)
	return made
}

func counter(name, help string, labels ...string) *prometheus.CounterVec {
	return collected(prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: metricsNamespace, Subsystem: metricsSubsystem, Name: name, Help: help,
	}, labels))
}

func gauge(name, help string, labels ...string) *prometheus.GaugeVec {
	return collected(prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Namespace: metricsNamespace, Subsystem: metricsSubsystem, Name: name, Help: help,
	}, labels))
}

// observedGate reads the gate of the process, for gauges that are read at a scrape.
var observedGate atomic.Pointer[func() (running, waiting int)]

// observeGate makes the gauges of the gate read it.
func observeGate(load func() (running, waiting int)) { observedGate.Store(&load) }

func gaugeOfGate(name, help string, of func(running, waiting int) int) prometheus.GaugeFunc {
	return collected(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Namespace: metricsNamespace, Subsystem: metricsSubsystem, Name: name, Help: help,
	}, func() float64 {
		load := observedGate.Load()
		if load == nil {
			return 0
		}
		return float64(of((*load)()))
	}))
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

// The start functions create series, so that they exist before the first event.

func startRequests(server, endpoint, grantType string, outcomes []string) {
	for _, outcome := range outcomes {
		requests.WithLabelValues(server, endpoint, grantType, outcome)
	}
}

// startServer creates the series of a server that offers these grants and has hashes of
// these schemes.
func startServer(server string, hasMetadata, hasPage bool, grantTypes, schemes []string) {
	for endpoint, outcomes := range endpointOutcomes {
		switch endpoint {
		case oauth.EndpointMetadata:
			if !hasMetadata {
				continue
			}
		case oauth.EndpointLogin, oauth.EndpointLogout:
			if !hasPage {
				continue
			}
		}
		startRequests(server, endpoint, "", outcomes)
	}
	for _, grantType := range grantTypes {
		startRequests(server, oauth.EndpointToken, grantType, grantOutcomes)
	}
	for _, scheme := range schemes {
		hashDuration.WithLabelValues(scheme)
	}
	if hasPage {
		pageLogins.WithLabelValues(server)
	}
	startThrottled(server)
	refreshReuse.WithLabelValues(server)
	startPasswordChecks()
}

// startClient creates the series of a client.
func startClient(server, id, grantType string) {
	for _, outcome := range []string{outcomeSuccess, outcomeRefused} {
		clientRequests.WithLabelValues(server, countedClients.Label(server, id), grantType, outcome)
	}
}

func startThrottled(server string) {
	for _, limit := range throttleLimits {
		throttled.WithLabelValues(server, string(limit))
	}
}

func startPasswordChecks() {
	for _, kind := range []string{credential.KindUser, credential.KindClient} {
		for _, result := range credential.Results {
			passwordChecks.WithLabelValues(kind, result)
		}
	}
}

func startEvents() {
	for _, kind := range event.Kinds {
		droppedEvents.WithLabelValues(kind.Name)
	}
}

func countDroppedEvent(name string) { droppedEvents.WithLabelValues(name).Inc() }

func countRequest(server, endpoint, grantType, outcome string) {
	requests.WithLabelValues(server, endpoint, grantType, outcome).Inc()
}

func countPageLogin(server string) { pageLogins.WithLabelValues(server).Inc() }

// countClientRequest counts a token request of a client that has authenticated: no
// stranger makes a series.
func countClientRequest(server, id, grantType, outcome string) {
	if outcome != outcomeSuccess {
		outcome = outcomeRefused
	}
	clientRequests.WithLabelValues(server, countedClients.Label(server, id), grantType, outcome).Inc()
}

// countedClients are those that have series of their own, by server.
var countedClients = labelset.New(maxCountedClients)

func countThrottled(server, limit string) { throttled.WithLabelValues(server, limit).Inc() }

func countRefreshReuse(server string) { refreshReuse.WithLabelValues(server).Inc() }

// credentialMetrics counts checks of passwords and secrets.
type credentialMetrics struct{}

// Checked counts a check.
func (credentialMetrics) Checked(kind, result string) {
	passwordChecks.WithLabelValues(kind, result).Inc()
}

// Hashed times a hash.
func (credentialMetrics) Hashed(scheme string, took time.Duration) {
	hashDuration.WithLabelValues(scheme).Observe(took.Seconds())
}

// observeEntries is called for a version of a file that takes effect.
func observeEntries(path, reads string, n int) {
	fileEntries.WithLabelValues(path, reads).Set(float64(n))
}

// observeFile tells whether a file is active as it is now, and when the active version
// of it was read.
func observeFile(path, reads string, successful bool, loadedAt time.Time) {
	fileReloadSuccessful.WithLabelValues(path, reads).Set(float(successful))
	fileReloadSuccess.WithLabelValues(path, reads).Set(unixSeconds(loadedAt))
}

// forgetFile removes the series of a file that is no longer followed.
func forgetFile(path, reads string) {
	for _, of := range []*prometheus.GaugeVec{fileEntries, fileReloadSuccessful, fileReloadSuccess} {
		of.DeleteLabelValues(path, reads)
	}
}

var engineFollowers labelset.Followers

// followEngine creates the series of an engine.
func followEngine(server, engine string, answers bool) {
	engineFollowers.Begin(labelset.Of{server, engine}, func(bool) { setEngine(server, engine, answers) })
	for _, call := range session.EngineCalls {
		engineFailures.WithLabelValues(server, engine, call)
	}
}

// observeEngine is called after an attempt to reach an engine, which may end after
// unfollowEngine.
func observeEngine(server, engine string, answers bool) {
	engineFollowers.Observe(labelset.Of{server, engine}, func() { setEngine(server, engine, answers) })
}

func setEngine(server, engine string, answers bool) {
	engineSuccessful.WithLabelValues(server, engine).Set(float(answers))
}

func unfollowEngine(server, engine string) {
	engineFollowers.End(labelset.Of{server, engine}, func() { engineSuccessful.DeleteLabelValues(server, engine) })
}

func countEngineFailure(server, engine, call string) {
	engineFailures.WithLabelValues(server, engine, call).Inc()
}

// unixSeconds is 0 for a time that never was.
func unixSeconds(t time.Time) float64 {
	if t.IsZero() {
		return 0
	}
	return float64(t.UnixNano()) / 1e9
}

// float is 1 for true.
func float(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// endpointOutcomes are how requests usually end, apart from grants.
var endpointOutcomes = map[string][]string{
	oauth.EndpointToken:      {oauth.CodeInvalidRequest, oauth.CodeUnsupportedGrantType},
	oauth.EndpointRevoke:     {outcomeSuccess, oauth.CodeInvalidRequest, oauth.CodeInvalidClient, oauth.CodeInvalidGrant, oauth.CodeTemporarilyUnavailable, oauth.CodeServerError},
	oauth.EndpointIntrospect: {outcomeSuccess, oauth.CodeInvalidRequest, oauth.CodeInvalidClient, oauth.CodeTemporarilyUnavailable, oauth.CodeServerError},
	oauth.EndpointJWKS:       {outcomeSuccess, oauth.CodeInvalidRequest, oauth.CodeTemporarilyUnavailable},
	oauth.EndpointMetadata:   {outcomeSuccess, oauth.CodeInvalidRequest},
	oauth.EndpointLogin:      {outcomeSuccess, oauth.CodeInvalidRequest, oauth.CodeInvalidGrant, oauth.CodeInvalidScope, oauth.CodeTemporarilyUnavailable, oauth.CodeServerError},
	oauth.EndpointLogout:     {outcomeSuccess, oauth.CodeInvalidRequest, oauth.CodeTemporarilyUnavailable, oauth.CodeServerError},
	oauth.EndpointNone:       {oauth.CodeInvalidRequest},
}

// grantOutcomes are how token requests of a grant end.
var grantOutcomes = []string{
	outcomeSuccess, oauth.CodeInvalidRequest, oauth.CodeInvalidClient, oauth.CodeInvalidGrant, oauth.CodeInvalidScope,
	oauth.CodeUnauthorizedClient, oauth.CodeTemporarilyUnavailable, oauth.CodeServerError,
}

var throttleLimits = []throttle.Limit{
	throttle.LimitPair, throttle.LimitAccount, throttle.LimitAddress, throttle.LimitNetwork, throttle.LimitRate,
	throttle.LimitSessions, throttle.LimitRevocations, throttle.LimitClient,
}

const (
	metricsNamespace = "caddy"
	metricsSubsystem = "grant"

	maxCountedClients = 500 // of a server

	outcomeSuccess     = "success"
	outcomeRefused     = "refused" // any other
	outcomeAnonymous   = "anonymous"
	outcomeNone        = "none"
	outcomeUnavailable = "unavailable"

	// of sessions of a login page
	outcomeCrossOrigin   = "cross_origin"
	outcomeWrongAudience = "wrong_audience"
)
