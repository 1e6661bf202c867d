package explain

import (
	"context"
	"errors"
	"strings"

	"github.com/caddygrant/caddy-grant/internal/adminapi"
	"github.com/caddygrant/caddy-grant/internal/session"
	"github.com/caddygrant/caddy-grant/internal/token"
)

// refreshTokenChecks are those of a refresh, in the order of the token endpoint.
var refreshTokenChecks = []check{
	{checkSignature, always("this server issued it. It is a refresh token: it is for the token endpoint alone, and bearer_auth refuses it")},
	{checkExpiry, func(f *facts) string { return expiry(f.now, f.expires(), 0) }},
	{checkUser, func(f *facts) string { return f.user() + " exists, and is not disabled" }},
	{checkPassword, always("the user's password is the one with which the session began")},
	{checkClient, func(f *facts) string { return "the client " + shown(f.client()) + " exists, and may refresh" }},
	{checkSession, always("the session goes on, and this is its current refresh token, or the one before within refresh_grace")},
	{checkScope, func(f *facts) string { return "a refresh grants at most " + list(strings.Fields(f.refresh.Scope)) }},
}

// refreshToken explains what a refresh would say.
func (s *Server) refreshToken(ctx context.Context, keys *token.KeySet, refresh *token.RefreshToken, raw string) adminapi.Explanation {
	f := factsOf(s.Checker, adminapi.ExplainRequest{Token: raw})
	f.refresh = refresh
	x := f.explain(refreshTokenChecks, s.checkRefreshToken(ctx, keys, refresh))
	x.Kind, x.Claims = kindRefreshToken, f.decoded.Claims
	return x
}

// checkRefreshToken asks the parts that the refresh grant asks, and consumes nothing.
func (s *Server) checkRefreshToken(ctx context.Context, keys *token.KeySet, refresh *token.RefreshToken) error {
	if refresh.Expired() {
		return token.Error("expired")
	}
	if _, err := s.Checker.User(ctx, keys, refresh.UserID, refresh.CredentialVersion); err != nil {
		return err
	}
	switch client, err := s.Checker.Clients.ByID(ctx, refresh.ClientID); {
	case err != nil:
		return errors.New("the clients cannot be looked up")
	case client == nil:
		return errors.New("its client is gone")
	case !s.Checker.MayRefresh(client):
		return errMayNotRefresh
	}
	_, err := s.Sessions.Check(ctx, refresh.SessionClaims(), refresh.Generation, s.Grace)
	for _, known := range []error{session.ErrUnknownEngine, session.ErrUnavailable, session.ErrRevoked, session.ErrEnded, session.ErrOver, session.ErrReused, session.ErrAhead, session.ErrDamaged} {
		if errors.Is(err, known) {
			return known
		}
	}
	return err
}

// errMayNotRefresh is for a client or a server without the refresh grant.
var errMayNotRefresh = errors.New("the client may not refresh")

func init() {
	for err, r := range map[error]refusal{
		errMayNotRefresh: {checkClient, func(f *facts) string {
			return "the client " + shown(f.client()) + ", or the server, no longer has the grant refresh_token"
		}, always("add refresh_token to the grants of the server and of the client, or log in again when the access token ends")},
		session.ErrUnknownEngine: {checkSession, always("it is in an engine that the config does not know"),
			always("its sid ends with the name of the engine and an epoch: add that engine to the sessions of the token_endpoint, with \"also\": until then this node answers refreshes with 503")},
		session.ErrUnavailable: {checkSession, always("the storage, or the engine of the session, gave no answer"),
			always("look at the storage, or at the engine that the sid names, and try again: until then refreshes are answered 503")},
		session.ErrRevoked: {checkSession, func(f *facts) string { return "the session " + f.session() + " was revoked" },
			always("log in again; the log has a line with that session_id that says who ended it")},
		session.ErrEnded: {checkSession, always(endedTogether), always("log in again")},
		session.ErrOver:  {checkSession, always("the session ended, and its record was removed"), always("log in again")},
		session.ErrReused: {checkSession, always("this refresh token was exchanged for another one before"),
			always("use the refresh token of the latest answer. Whoever sends this one ends the session: find out whether two programs share it, or it was stolen")},
		session.ErrAhead: {checkSession, always("it is ahead of what the storage has of the session: the storage has lost data"),
			always("log in again, and find out why the storage lost data")},
		session.ErrDamaged: {checkSession, always("the record of the session in storage is damaged"),
			always("log in again, and look at the storage")},
	} {
		refusals[err.Error()] = r
	}
}
