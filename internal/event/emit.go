package event

import (
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/caddygrant/caddy-grant/internal/clock"
)

// What is emitted, and with which data: those of the log, which never has a secret. Facts
// are the log fields of a request.

// dataOf are log fields as the data of an event.
func dataOf(fields ...zap.Field) map[string]any {
	data := zapcore.NewMapObjectEncoder()
	for _, field := range fields {
		field.AddTo(data)
	}
	delete(data.Fields, "duration")
	delete(data.Fields, "bearer_ignored")
	data.Fields[Time] = clock.Now().UTC().Format(time.RFC3339)
	return data.Fields
}

// EmitIssued is for every login and refresh, and for each token that a client gets for
// itself, which has no user. tokenID is empty for a session of the login page.
func EmitIssued(facts func() []zap.Field, scope, tokenID string) {
	emit(Issued, func() map[string]any {
		data := dataOf(facts()...)
		data[Scope] = scope
		if tokenID != "" {
			data[TokenID] = tokenID
		}
		return data
	})
}

// Refusal is how a request is refused.
type Refusal struct {
	Status     int
	OAuthError string
	Reason     string
	Limit      string // if one was reached
}

// EmitRefused is for every request that is refused. Some refusals are other events too.
func EmitRefused(facts func() []zap.Field, refusal Refusal) {
	emit(Refused, func() map[string]any {
		data := dataOf(facts()...)
		data[Status], data[OAuthError], data[Reason] = refusal.Status, refusal.OAuthError, refusal.Reason
		if refusal.Limit != "" {
			data[Limit] = refusal.Limit
		}
		return data
	})
}

// EmitThrottled is for a request that has to wait.
func EmitThrottled(facts func() []zap.Field, limit string, retryAfter time.Duration) {
	emit(Throttled, func() map[string]any {
		data := dataOf(facts()...)
		data[Limit], data[RetryAfter] = limit, int(retryAfter.Seconds())
		return data
	})
}

// EmitLocked is for an account that has reached its ceiling.
func EmitLocked(facts func() []zap.Field) {
	emit(Locked, func() map[string]any { return dataOf(facts()...) })
}

// EmitReuseDetected is for a refresh token that was used before.
func EmitReuseDetected(facts func() []zap.Field) {
	emit(ReuseDetected, func() map[string]any { return dataOf(facts()...) })
}

// EmitRevoked is for a session that was revoked. reason is empty unless the server
// revokes it.
func EmitRevoked(facts func() []zap.Field, by, reason string) {
	emit(Revoked, func() map[string]any {
		data := dataOf(facts()...)
		data[What], data[By] = WhatSession, by
		if reason != "" {
			data[Reason] = reason
		}
		return data
	})
}

// EmitRevokedByOperator is for what an operator revokes: a session, or all sessions of a
// user, by subject, or of a client. For all of the server, of is empty.
func EmitRevokedByOperator(server, what, of string) {
	emit(Revoked, func() map[string]any {
		data := dataOf(zap.String(Server, server), zap.String(What, what), zap.String(By, ByOperator))
		switch what {
		case WhatSession:
			data[SessionID] = of
		case WhatUser:
			data[UserID] = of
		case WhatClient:
			data[ClientID] = of
		}
		return data
	})
}

// EmitKeyRotated is for a server that signs with another key from now on.
func EmitKeyRotated(server, kid, algorithm string) {
	emit(KeyRotated, func() map[string]any {
		return dataOf(zap.String(Server, server), zap.String(KeyID, kid), zap.String(Algorithm, algorithm))
	})
}

// EmitReloadFailed is for a file that is unusable as it is now.
func EmitReloadFailed(path, reads string, err error, activeSince time.Time) {
	emit(ReloadFailed, func() map[string]any {
		return dataOf(zap.String(Path, path), zap.String(Reads, reads), zap.String(Error, err.Error()),
			zap.String(ActiveSince, activeSince.UTC().Format(time.RFC3339)))
	})
}
