package caddygrant

import (
	"net/http"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/caddygrant/caddy-grant/internal/clock"
	"github.com/caddygrant/caddy-grant/internal/event"
	"github.com/caddygrant/caddy-grant/internal/keyring"
	"github.com/caddygrant/caddy-grant/internal/livefile"
	"github.com/caddygrant/caddy-grant/internal/oauth"
)

// What is emitted to Caddy's events app, and when. The data are what the log has, and
// the log never has a secret.

// eventData are the facts of a request, and some more.
func (x *exchange) eventData(more ...zap.Field) map[string]any {
	data := eventData(append(x.facts(), more...)...)
	delete(data, "duration")
	delete(data, "bearer_ignored")
	return data
}

// eventData are log fields as the data of an event.
func eventData(fields ...zap.Field) map[string]any {
	data := zapcore.NewMapObjectEncoder()
	for _, field := range fields {
		field.AddTo(data)
	}
	data.Fields[event.Time] = clock.Now().UTC().Format(time.RFC3339)
	return data.Fields
}

// emitIssued is for every login and refresh. tokenID is empty for a session of the
// login page.
func (x *exchange) emitIssued(scope, tokenID string) {
	emit(event.Issued, func() map[string]any {
		data := x.eventData(zap.String(event.Scope, scope))
		if tokenID != "" {
			data[event.TokenID] = tokenID
		}
		return data
	})
}

// emitRefused is for every request that is refused. Some refusals are other events too.
func (x *exchange) emitRefused(refusal *oauth.Error) {
	emit(event.Refused, func() map[string]any {
		data := x.eventData(x.usernameFields()...)
		data[event.Status], data[event.OAuthError], data[event.Reason] = refusal.Status, refusal.Code, refusal.Reason
		if refusal.Limit != "" {
			data[event.Limit] = refusal.Limit
		}
		return data
	})
	if refusal.Limit != "" && refusal.Status == http.StatusTooManyRequests {
		emit(event.Throttled, func() map[string]any {
			data := x.eventData(x.usernameFields()...)
			data[event.Limit], data[event.RetryAfter] = refusal.Limit, int(refusal.RetryAfter.Seconds())
			return data
		})
	}
	if x.locked && x.user != nil {
		emit(event.Locked, func() map[string]any { return x.eventData(x.usernameFields()...) })
	}
	if x.reused {
		emit(event.ReuseDetected, func() map[string]any { return x.eventData() })
	}
	if refusal.Alarm { // the session has ended
		x.emitRevoked(event.ByServer, zap.String(event.Reason, refusal.Reason))
	}
}

// emitRevoked is for the session of a request.
func (x *exchange) emitRevoked(by string, more ...zap.Field) {
	emit(event.Revoked, func() map[string]any {
		data := x.eventData(more...)
		data[event.What], data[event.By] = event.WhatSession, by
		return data
	})
}

// emitRevokedByOperator is for what an operator revokes: a session, or all of a user (by
// subject), of a client or of the server, then of is empty.
func emitRevokedByOperator(server, what, of string) {
	emit(event.Revoked, func() map[string]any {
		data := eventData(zap.String(event.Server, server), zap.String(event.What, what), zap.String(event.By, event.ByOperator))
		if name := operatorNames[what]; name != "" {
			data[name] = of
		}
		return data
	})
}

// operatorNames are the data that say what an operator revoked.
var operatorNames = map[string]string{
	event.WhatSession: event.SessionID, event.WhatUser: event.UserID, event.WhatClient: event.ClientID,
}

// emitKeyRotated is for a server that signs with another key from now on.
func emitKeyRotated(server string, key *keyring.Key) {
	emit(event.KeyRotated, func() map[string]any {
		return eventData(zap.String(event.Server, server), zap.String(event.KeyID, key.ID()),
			zap.String(event.Algorithm, string(key.Algorithm())))
	})
}

// emitReloadFailed is for a file that is unusable as it is now.
func emitReloadFailed(key fileKey, status livefile.Status) {
	emit(event.ReloadFailed, func() map[string]any {
		return eventData(zap.String(event.Path, key.path), zap.String(event.Reads, key.reads),
			zap.String(event.Error, status.Err.Error()),
			zap.String(event.ActiveSince, status.LoadedAt.UTC().Format(time.RFC3339)))
	})
}
