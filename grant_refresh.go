package caddygrant

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/caddygrant/caddy-grant/internal/session"
	"github.com/caddygrant/caddy-grant/internal/throttle"
)

// refreshGrant exchanges a refresh token for new tokens of its session (RFC 6749 §6). A
// refresh token is good for one use; a second one ends the session (RFC 9700 §4.14.2).
type refreshGrant struct {
	server *Server
}

func (*refreshGrant) parameters() []string { return []string{"refresh_token"} }

// authorize checks the token, its user and its session, and only then the scope, so that
// an answer about a scope is given to nobody but who holds a good token, looked at as closely
// as for an exchange. What consumes the token is left to the end, when nothing else can fail.
func (g *refreshGrant) authorize(ctx context.Context, keys *keySet, req *tokenRequest) (*authorization, error) {
	token, err := openRefreshToken(keys, req.params.Get("refresh_token"))
	if err != nil {
		return nil, errInvalidRefreshToken("refresh_token_malformed")
	}
	if token.ClientID != req.client.ID {
		return nil, errInvalidRefreshToken("refresh_token_of_another_client")
	}
	req.sessionID = token.SessionID
	if token.expired() {
		return nil, errInvalidRefreshToken("refresh_token_expired")
	}
	user, err := g.server.tokenUser(keys, token.UserID, token.CredentialVersion)
	if err != nil {
		req.formerUser = token.UserID
		return nil, errInvalidRefreshToken("user_changed")
	}
	req.user = user
	grace := time.Duration(g.server.RefreshGrace)
	current, err := g.server.sessions.Glance(ctx, token.session, token.Generation, grace)
	if err != nil {
		return nil, g.refuse(ctx, token, err)
	}
	scopes, err := g.scopes(req, token, user)
	if err != nil {
		if _, cause := g.server.sessions.Check(ctx, token.session, token.Generation, grace); cause != nil {
			return nil, g.refuse(ctx, token, cause)
		}
		return nil, err
	}
	return &authorization{user: user, scopes: scopes, session: &tokenSession{
		id:           token.session,
		ends:         time.Unix(token.SessionExpires, 0),
		scope:        token.Scope,
		refusedScope: token.RefusedScope,
		generation: func(ctx context.Context) (uint64, error) {
			generation, err := g.server.sessions.Rotate(ctx, token.owner(), token.session, token.Generation, grace, current)
			if err != nil {
				return 0, g.refuse(ctx, token, err)
			}
			return generation, nil
		},
	}}, nil
}

// scopes are those asked for, or those of the login, as far as client and user may have
// them now. They never go beyond the login's. What the login asked for, and did not get
// since the user may not have it, is left out once more: many clients send the scopes of
// their configuration with every request.
func (g *refreshGrant) scopes(req *tokenRequest, token *refreshToken, user *User) ([]string, error) {
	granted := strings.Fields(token.Scope)
	if req.scopes == nil {
		scopes := intersect(granted, g.server.allowedScopes(req.client))
		if len(scopes) == 0 && len(granted) > 0 {
			return nil, errInvalidScope("scope_not_allowed", "a scope is unknown or not allowed for this client").of(g.server.allowedScopes(req.client))
		}
		return user.narrow(scopes)
	}
	refused := strings.Fields(token.RefusedScope)
	for _, scope := range req.scopes {
		if !slices.Contains(granted, scope) && !slices.Contains(refused, scope) {
			return nil, errInvalidScope("scope_not_granted", "a scope goes beyond what was granted at login").of(granted)
		}
	}
	scopes := intersect(req.scopes, granted)
	if len(scopes) == 0 && len(req.scopes) > 0 {
		return nil, errInvalidScope("scope_not_users", "this user may not have any of these scopes").of(granted)
	}
	return user.narrow(scopes)
}

// refreshable are the scopes that a refresh without a scope grants now.
func (s *Server) refreshable(token *refreshToken, user *User, client *Client) []string {
	return user.allowed(intersect(strings.Fields(token.Scope), s.allowedScopes(client)))
}

// refuse answers where the session does not go on. A token that was used before was
// stolen, from the client or by it, and nobody can tell which: the session ends.
func (g *refreshGrant) refuse(ctx context.Context, token *refreshToken, cause error) error {
	var refusal *oauthError
	if refused, ok := refusedWrite(cause); ok {
		return errTooManySessions(refused)
	}
	end := g.server.sessions.End
	switch {
	case errors.Is(cause, session.ErrUnavailable):
		return errStorage(ctx, cause)
	case errors.Is(cause, session.ErrRevoked):
		// the feed may lack it, if whoever revoked it was interrupted
		if known, _ := g.server.sessions.memory.InView(token.session); !known {
			err := g.server.sessions.Revoke(ctx, token.owner(), token.session)
			if _, refused := refusedWrite(err); err != nil && !refused { // then it is done at the next use
				return errStorage(ctx, err)
			}
		}
		return errInvalidRefreshToken("session_revoked")
	case errors.Is(cause, session.ErrOver):
		return errInvalidRefreshToken("session_over")
	case errors.Is(cause, session.ErrReused):
		refreshReuse.WithLabelValues(g.server.Name).Inc()
		refusal = errInvalidRefreshToken("refresh_token_reused")
	case errors.Is(cause, session.ErrAhead):
		end = g.endLost(token)
		refusal = errInvalidRefreshToken("session_rolled_back")
		refusal.remedy = "the storage has lost the latest state of this session; its user logs in again"
	case errors.Is(cause, session.ErrDamaged):
		end = g.endLost(token)
		refusal = errInvalidRefreshToken("session_damaged")
		refusal.remedy = "the storage has damaged the record of this session; its user logs in again"
	default:
		return cause
	}
	later, err := end(ctx, token.owner(), token.session)
	if err != nil {
		return errStorage(ctx, err)
	}
	if later {
		refusal.limit = string(throttle.LimitRevocations)
	}
	refusal.alarm = true
	return refusal
}

// endLost ends a session whose record is lost, without a bound: a token that was used
// before would be good again.
func (g *refreshGrant) endLost(token *refreshToken) func(context.Context, sessionOwner, session.ID) (bool, error) {
	return func(ctx context.Context, _ sessionOwner, id session.ID) (later bool, err error) {
		return false, g.server.sessions.RevokeLost(ctx, id, token.Generation)
	}
}
