package caddygrant

import (
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/caddygrant/caddy-grant/internal/labelset"
	"github.com/caddygrant/caddy-grant/internal/oauth"
)

// The series of bearer_auth: its checks, what it knows of revoked sessions, the outside
// issuers and the API keys.
var (
	bearerChecks = counter("bearer_checks_total",
		"Checks of requests by bearer_auth, by whether they only observe (shadow), and by outcome: success, anonymous, none for missing credentials, the error code, unavailable, or, for sessions of a login page, cross_origin or wrong_audience.",
		"server", "shadow", "outcome")

	revocationsRead = gauge("revocations_last_read_timestamp_seconds",
		"When the revoked sessions were last read from storage, 0 if never. What other nodes revoked since then is not known to bearer_auth here.",
		"server")

	issuerKeyCount = gauge("issuer_keys",
		"How many keys of an outside issuer can verify tokens.", "issuer")
	issuerFetchSuccessful = gauge("issuer_keys_last_fetch_successful",
		"Whether the last attempt to fetch the keys of an outside issuer succeeded (1), or the keys of an earlier one are used (0).", "issuer")
	issuerFetchSuccess = gauge("issuer_keys_last_fetch_success_timestamp_seconds",
		"When the keys of an outside issuer were last fetched, 0 if never.", "issuer")

	apiKeyUse = gauge("api_key_last_used_timestamp_seconds",
		"When an API key was last used, to within the hour, by its name. key is empty for keys beyond the first 500 of a server.", "server", "key")
)

func startBearerChecks(server string, shadow bool) {
	for _, outcome := range bearerOutcomes {
		bearerChecks.WithLabelValues(server, strconv.FormatBool(shadow), outcome)
	}
}

func countBearerCheck(server string, shadow bool, outcome string) {
	bearerChecks.WithLabelValues(server, strconv.FormatBool(shadow), outcome).Inc()
}

var viewFollowers labelset.Followers

// followView creates the series of a server's revocations.
func followView(server string, readAt time.Time) {
	viewFollowers.Begin(labelset.Of{server}, func(bool) { setView(server, readAt) })
}

// observeView is called after a reading, which may end after unfollowView.
func observeView(server string, readAt time.Time) {
	viewFollowers.Observe(labelset.Of{server}, func() { setView(server, readAt) })
}

func setView(server string, readAt time.Time) {
	revocationsRead.WithLabelValues(server).Set(unixSeconds(readAt))
}

func unfollowView(server string) {
	viewFollowers.End(labelset.Of{server}, func() { revocationsRead.DeleteLabelValues(server) })
}

// issuerStatuses are what the series of each outside issuer are made of: a status of each
// set of its keys that is followed. There are several where blocks differ in jwks_url or in
// tls_trust_pool, and at a reload that changes these. The worst counts.
var issuerStatuses = struct {
	sync.Mutex
	of map[string][]*issuerStatus
}{of: make(map[string][]*issuerStatus)}

// issuerStatus is what the last attempt to fetch a set of keys came to.
type issuerStatus struct {
	issuer     string
	attempted  bool
	keys       int
	fetched    time.Time
	successful bool
}

// startIssuer creates the series of an outside issuer, before its keys are known.
func startIssuer(issuer string) *issuerStatus {
	issuerStatuses.Lock()
	defer issuerStatuses.Unlock()
	s := &issuerStatus{issuer: issuer}
	issuerStatuses.of[issuer] = append(issuerStatuses.of[issuer], s)
	setIssuer(issuer)
	return s
}

// observe is called after each attempt to fetch the keys.
func (s *issuerStatus) observe(keys int, fetched time.Time, successful bool) {
	issuerStatuses.Lock()
	defer issuerStatuses.Unlock()
	s.attempted, s.keys, s.fetched, s.successful = true, keys, fetched, successful
	setIssuer(s.issuer)
}

// forget is called once the keys are no longer followed. The series are removed with the
// last ones of the issuer.
func (s *issuerStatus) forget() {
	issuerStatuses.Lock()
	defer issuerStatuses.Unlock()
	left := slices.DeleteFunc(issuerStatuses.of[s.issuer], func(other *issuerStatus) bool { return other == s })
	issuerStatuses.of[s.issuer] = left
	if len(left) > 0 {
		setIssuer(s.issuer)
		return
	}
	delete(issuerStatuses.of, s.issuer)
	for _, of := range []*prometheus.GaugeVec{issuerKeyCount, issuerFetchSuccessful, issuerFetchSuccess} {
		of.DeleteLabelValues(s.issuer)
	}
}

// setIssuer sets the series of an issuer. Keys that no attempt has been made for yet
// count only if there are no others: they are no sign of an outage.
func setIssuer(issuer string) {
	var worst issuerStatus
	for _, s := range issuerStatuses.of[issuer] {
		switch {
		case !s.attempted:
		case !worst.attempted:
			worst = *s
		default:
			worst.keys = min(worst.keys, s.keys)
			worst.successful = worst.successful && s.successful
			if s.fetched.Before(worst.fetched) {
				worst.fetched = s.fetched
			}
		}
	}
	issuerKeyCount.WithLabelValues(issuer).Set(float64(worst.keys))
	issuerFetchSuccessful.WithLabelValues(issuer).Set(float(worst.successful))
	issuerFetchSuccess.WithLabelValues(issuer).Set(unixSeconds(worst.fetched))
}

// keyUses are the last uses of API keys that were made known, by server and name, across
// reloads.
var keyUses = struct {
	sync.Mutex
	of map[string]map[string]time.Time
}{of: make(map[string]map[string]time.Time)}

// observeAPIKeyUse tells whether the use of a key is news, which it is once an hour.
func observeAPIKeyUse(server, name string, now time.Time) bool {
	keyUses.Lock()
	defer keyUses.Unlock()
	uses := keyUses.of[server]
	if last, known := uses[name]; known && now.Sub(last) < usesKnownEvery && !now.Before(last) {
		return false
	}
	if uses == nil {
		uses = make(map[string]time.Time)
		keyUses.of[server] = uses
	}
	uses[name] = now
	apiKeyUse.WithLabelValues(server, countedKeys.Label(server, name)).Set(unixSeconds(now))
	return true
}

// forgetAPIKeys removes the series of the keys of a server that are no longer in a file.
func forgetAPIKeys(server string, isKnown func(name string) bool) {
	keyUses.Lock()
	defer keyUses.Unlock()
	for name := range keyUses.of[server] {
		if !isKnown(name) {
			delete(keyUses.of[server], name)
			if label := countedKeys.Forget(server, name); label != "" { // else others have it, too
				apiKeyUse.DeleteLabelValues(server, label)
			}
		}
	}
	if len(keyUses.of[server]) == 0 {
		apiKeyUse.DeleteLabelValues(server, "")
	}
}

// countedKeys are those that have series of their own, by server.
var countedKeys = labelset.New(maxCountedKeys)

// bearerOutcomes are how checks of requests end.
var bearerOutcomes = []string{
	outcomeSuccess, outcomeAnonymous, outcomeNone, oauth.CodeInvalidRequest, oauth.CodeInvalidToken, oauth.CodeInsufficientScope, outcomeUnavailable,
	outcomeCrossOrigin, outcomeWrongAudience,
}

const (
	maxCountedKeys = 500 // of a server
	usesKnownEvery = time.Hour
)
