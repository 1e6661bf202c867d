package caddygrant

import (
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

// issuerFollowers counts the sets of keys that are followed of each outside issuer: at a
// reload that changes where its keys are, there are two for a moment.
var issuerFollowers labelset.Followers

// startIssuer creates the series of an outside issuer, before its keys are known.
func startIssuer(issuer string) {
	issuerFollowers.Begin(labelset.Of{issuer}, func(first bool) {
		if first {
			observeIssuer(issuer, 0, time.Time{}, false)
		}
	})
}

// observeIssuer is called after each attempt to fetch the keys of an issuer.
func observeIssuer(issuer string, keys int, fetched time.Time, successful bool) {
	issuerKeyCount.WithLabelValues(issuer).Set(float64(keys))
	issuerFetchSuccessful.WithLabelValues(issuer).Set(float(successful))
	issuerFetchSuccess.WithLabelValues(issuer).Set(unixSeconds(fetched))
}

// forgetIssuer removes the series of an issuer once none of its keys are followed.
func forgetIssuer(issuer string) {
	issuerFollowers.End(labelset.Of{issuer}, func() {
		for _, of := range []*prometheus.GaugeVec{issuerKeyCount, issuerFetchSuccessful, issuerFetchSuccess} {
			of.DeleteLabelValues(issuer)
		}
	})
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
