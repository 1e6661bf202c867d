package caddygrant

import (
	"context"
	"errors"
	"net/http"
	"time"

	"go.uber.org/zap"

	"github.com/caddygrant/caddy-grant/directory"
	"github.com/caddygrant/caddy-grant/internal/allowance"
	"github.com/caddygrant/caddy-grant/internal/caddyrequest"
	"github.com/caddygrant/caddy-grant/internal/clock"
	"github.com/caddygrant/caddy-grant/internal/event"
	"github.com/caddygrant/caddy-grant/internal/oauth"
	"github.com/caddygrant/caddy-grant/internal/session"
	"github.com/caddygrant/caddy-grant/internal/token"
	"github.com/caddygrant/caddy-grant/internal/wire"
)

// serveRevoke answers a revocation request (RFC 7009 §2).
func serveRevoke(x *exchange) error {
	if x.page == wire.CrossSiteBlind && x.bearsSecret() {
		return x.refuse(oauth.CrossSite())
	}
	unknown, err := revoke(x)
	if err != nil {
		return x.refuse(err)
	}
	if x.sessionID != "" {
		x.logger.Info("session revoked", x.facts()...)
		event.EmitRevoked(x.facts, event.ByClient, "")
	} else {
		x.logger.Info("no session to revoke", append(x.facts(), zap.String("reason", unknown))...)
	}
	caddyrequest.AddLogField(x.r, zap.Bool("revoked", x.sessionID != ""))
	return wire.WriteJSON(x.w, http.StatusOK, struct{}{})
}

// revoke ends the session of the token, access or refresh, whatever token_type_hint
// says (RFC 7009 §2.1). A token that is unknown is as good as revoked (§2.2), and a
// token that has expired, or whose user has a new password since, still ends its
// session: logging out late is logging out. A token of another server stays valid
// there, so the client has to be told. unknown is why there is no session to end, one
// of a closed set for the log.
func revoke(x *exchange) (unknown string, err error) {
	ctx, s := x.r.Context(), x.server
	keys, err := x.authenticate()
	if err != nil {
		return "", err
	}
	raw := x.params.Get("token")
	if raw == "" {
		return "", oauth.MissingParameter("token")
	}
	if refresh, err := token.OpenRefreshToken(keys, raw); err == nil {
		return "", revokeSession(ctx, x, allowance.OwnerOf(refresh), refresh.Session)
	}
	access, err := s.tokens.Open(keys, raw)
	switch {
	case err == nil && access.CID != x.client.ID:
		return "", oauth.TokenOfAnotherClient()
	case err == nil:
		claims := access.SessionClaims()
		of := allowance.Owner{Client: claims.Client, Subject: claims.Subject, Forgeable: keys.Ring.Shared(raw)}
		if of.Forgeable {
			if unknown, err = noSession(ctx, s, x.client, access); err != nil {
				return "", oauth.SourceUnavailable(err)
			}
		}
		if unknown != "" {
			return unknown, nil
		}
		return "", revokeSession(ctx, x, of, access.Session)
	case errors.Is(err, token.ErrOfAnotherServer), issuedBySibling(s, raw) != "":
		return "", oauth.TokenOfAnotherServer()
	}
	return "token_unknown", nil
}

// noSession tells why no session can exist to which an access token belongs; it is
// empty if there may be one. It is for tokens that an app can have signed, with any
// claims: nothing must be written for a session that is certainly made up. That a
// session has ended is not a reason, since clocks differ. The client is the one to which
// the token was issued.
func noSession(ctx context.Context, s *Server, client *directory.Client, token *token.AccessToken) (string, error) {
	day := token.Session.Day()
	if token.IsClient() {
		if !s.policy.MayAct(client) {
			return "client_may_not_act", nil
		}
	} else if user, err := s.users.BySubject(ctx, token.Subject); err != nil || user == nil {
		return "user_unknown", err
	}
	switch {
	case day.After(clock.Now().Add(oauth.MaxLifetime + clocksApart)):
		return "session_impossible", nil // no config lets a session live that long
	case !time.Unix(token.Expires, 0).Before(day.AddDate(0, 0, 1)):
		return "session_impossible", nil // no token outlives its session
	}
	return "", nil
}

// revokeSession ends a session if its tokens are this client's.
func revokeSession(ctx context.Context, x *exchange, of allowance.Owner, id session.ID) error {
	if of.Client != x.client.ID {
		return oauth.TokenOfAnotherClient()
	}
	// a session that is already revoked costs nothing, and must not keep the user from
	// revoking another
	if !x.server.sessions.memory.HasRevocation(id) {
		if err := x.server.throttle.allowRevocation(of); err != nil {
			return err
		}
	}
	err := x.server.sessions.Revoke(ctx, of, id)
	if refused, ok := allowance.Refused(err); ok {
		return oauth.TooManyRevocations(string(refused.Limit), refused.RetryAfter)
	}
	if err != nil {
		return errStorage(ctx, err)
	}
	x.sessionID = id.String()
	return nil
}

// clocksApart is how much the clocks of nodes may differ when the longest possible
// session is recognized.
const clocksApart = 24 * time.Hour
