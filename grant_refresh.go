package caddygrant

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/caddygrant/caddy-grant/directory"
	"github.com/caddygrant/caddy-grant/internal/allowance"
	"github.com/caddygrant/caddy-grant/internal/oauth"
	"github.com/caddygrant/caddy-grant/internal/session"
	"github.com/caddygrant/caddy-grant/internal/throttle"
	"github.com/caddygrant/caddy-grant/internal/token"
)

// refreshGrant exchanges a refresh token for new tokens of its session (RFC 6749 §6). A
// refresh token is good for one use; a second one ends the session (RFC 9700 §4.14.2).
type refreshGrant struct {
	server   string // its name, for metrics
	policy   *token.Policy
	tokens   *token.Checker
	sessions *serverSessions
	grace    time.Duration
}

func newRefreshGrant(parts grantParts) grant {
	return &refreshGrant{
		server: parts.server, policy: parts.policy, tokens: parts.tokens, sessions: parts.sessions, grace: parts.refreshGrace,
	}
}

func (*refreshGrant) parameters() []string { return []string{"refresh_token"} }

// authorize checks the token, its user and its session, and only then the scope, so
// that only the holder of a valid token gets an answer about a scope, after the same
// checks as for an exchange. The token is consumed at the end, when nothing else can
// fail.
func (g *refreshGrant) authorize(ctx context.Context, keys *token.KeySet, req *clientRequest) (*token.Authorization, error) {
	presented, err := token.OpenRefreshToken(keys, req.params.Get("refresh_token"))
	if err != nil {
		return nil, oauth.InvalidRefreshToken("refresh_token_malformed")
	}
	if presented.ClientID != req.client.ID {
		return nil, oauth.InvalidRefreshToken("refresh_token_of_another_client")
	}
	req.sessionID = presented.SessionID
	if presented.Expired() {
		return nil, oauth.InvalidRefreshToken("refresh_token_expired")
	}
	user, err := g.tokens.User(ctx, keys, presented.UserID, presented.CredentialVersion)
	if unchecked, ok := errors.AsType[token.UncheckedError](err); ok {
		return nil, oauth.SourceUnavailable(unchecked.Cause())
	}
	if err != nil {
		req.formerUser = presented.UserID
		return nil, oauth.InvalidRefreshToken("user_changed")
	}
	req.user = user
	current, err := g.sessions.Glance(ctx, presented.SessionClaims(), presented.Generation, g.grace)
	if err != nil {
		return nil, g.refuse(ctx, req, presented, err)
	}
	scopes, err := g.scopes(req, presented, user)
	if err != nil {
		if _, cause := g.sessions.Check(ctx, presented.SessionClaims(), presented.Generation, g.grace); cause != nil {
			return nil, g.refuse(ctx, req, presented, cause)
		}
		return nil, err
	}
	return &token.Authorization{Client: req.client, User: user, Scopes: scopes, Session: &token.Session{
		ID:           presented.SessionID,
		Version:      presented.SessionVersion,
		Ends:         time.Unix(presented.SessionExpires, 0),
		Scope:        presented.Scope,
		RefusedScope: presented.RefusedScope,
		Refreshes:    true,
		Exchange:     &refreshExchange{grant: g, req: req, token: presented, current: current},
	}}, nil
}

// refreshExchange is the exchange of a refresh token that was found valid.
type refreshExchange struct {
	grant   *refreshGrant
	req     *clientRequest
	token   *token.RefreshToken
	current bool // whether it was seen to be the current one
}

// Consume makes the next generation in storage.
func (e *refreshExchange) Consume(ctx context.Context) (uint64, error) {
	generation, err := e.grant.sessions.Rotate(ctx, allowance.OwnerOf(e.token), e.token.SessionClaims(), e.token.Generation,
		e.grant.grace, e.current)
	if err != nil {
		return 0, e.grant.refuse(ctx, e.req, e.token, err)
	}
	return generation, nil
}

// scopes are the requested scopes, or those of the login, as far as the client and the
// user may have them now. They never go beyond the login's. A scope that the login
// requested, but did not get because the user may not have it, is left out again: many
// clients send the scopes of their configuration with every request.
func (g *refreshGrant) scopes(req *clientRequest, token *token.RefreshToken, user *directory.User) ([]string, error) {
	granted := strings.Fields(token.Scope)
	if req.scopes == nil {
		allowed := g.policy.AllowedScopes(req.client)
		scopes := oauth.Intersect(granted, allowed)
		if len(scopes) == 0 && len(granted) > 0 {
			return nil, oauth.ScopeNotAllowed(allowed)
		}
		return user.Narrow(scopes)
	}
	refused := strings.Fields(token.RefusedScope)
	for _, scope := range req.scopes {
		if !slices.Contains(granted, scope) && !slices.Contains(refused, scope) {
			return nil, oauth.InvalidScope("scope_not_granted", "a scope goes beyond what was granted at login").Of(granted)
		}
	}
	scopes := oauth.Intersect(req.scopes, granted)
	if len(scopes) == 0 && len(req.scopes) > 0 {
		return nil, oauth.ScopeNotUsers(granted)
	}
	return user.Narrow(scopes)
}

// refuse answers when the session does not go on. A token that was used before was
// stolen, from the client or by it, and there is no way to tell which: the session
// ends.
func (g *refreshGrant) refuse(ctx context.Context, req *clientRequest, token *token.RefreshToken, cause error) error {
	var refusal *oauth.Error
	if refused, ok := allowance.Refused(cause); ok {
		return oauth.TooManySessions(string(refused.Limit), refused.RetryAfter)
	}
	end := g.sessions.End
	switch {
	case errors.Is(cause, session.ErrUnavailable):
		return errStorage(ctx, cause)
	case errors.Is(cause, session.ErrRevoked):
		// the feed may lack it, if the process that revoked it was interrupted
		if !g.sessions.memory.HasRevocation(token.Session) {
			err := g.sessions.Revoke(ctx, allowance.OwnerOf(token), token.Session)
			if _, refused := allowance.Refused(err); err != nil && !refused { // if refused, it is done at the next use
				return errStorage(ctx, err)
			}
		}
		return oauth.InvalidRefreshToken("session_revoked")
	case errors.Is(cause, session.ErrEnded):
		return oauth.InvalidRefreshToken("session_revoked")
	case errors.Is(cause, session.ErrOver):
		return oauth.InvalidRefreshToken("session_over")
	case errors.Is(cause, session.ErrReused):
		countRefreshReuse(g.server)
		req.reused = true
		refusal = oauth.InvalidRefreshToken("refresh_token_reused")
	case errors.Is(cause, session.ErrAhead):
		end = g.endLost(token)
		refusal = oauth.InvalidRefreshToken("session_rolled_back")
		refusal.Remedy = "the storage has lost the latest state of this session; its user has to log in again"
	case errors.Is(cause, session.ErrDamaged):
		end = g.endLost(token)
		refusal = oauth.InvalidRefreshToken("session_damaged")
		refusal.Remedy = "the storage has damaged the record of this session; its user has to log in again"
	default:
		return cause
	}
	later, err := end(ctx, allowance.OwnerOf(token), token.Session)
	if err != nil {
		return errStorage(ctx, err)
	}
	if later {
		refusal.Limit = string(throttle.LimitRevocations)
	}
	refusal.Alarm = true
	return refusal
}

// endLost ends a session whose record is lost, without a bound: otherwise a token that
// was used before would be valid again.
func (g *refreshGrant) endLost(token *token.RefreshToken) func(context.Context, allowance.Owner, session.ID) (bool, error) {
	return func(ctx context.Context, _ allowance.Owner, id session.ID) (later bool, err error) {
		return false, g.sessions.RevokeLost(ctx, id, token.Generation)
	}
}
