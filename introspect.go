package caddygrant

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	strictjson "github.com/go-jose/go-jose/v4/json" // of its type are the numbers in claims

	"github.com/caddygrant/caddy-grant/directory"
	"github.com/caddygrant/caddy-grant/internal/oauth"
	"github.com/caddygrant/caddy-grant/internal/session"
	"github.com/caddygrant/caddy-grant/internal/token"
	"github.com/caddygrant/caddy-grant/internal/wire"
)

// introspection is the body of an introspection response (RFC 7662 §2.2).
type introspection map[string]any

// inactive is all that is said of a token that is not valid, or that this client may
// not see.
func inactive() introspection { return introspection{"active": false} }

// inactiveUnless is the answer for a token that is refused, unless a source could not
// be asked.
func inactiveUnless(err error) (introspection, error) {
	if unchecked, ok := errors.AsType[token.UncheckedError](err); ok {
		return nil, oauth.SourceUnavailable(unchecked.Cause())
	}
	return inactive(), nil
}

// serveIntrospect answers an introspection request (RFC 7662 §2.1).
func serveIntrospect(x *exchange) error {
	response, err := introspect(x)
	if err != nil {
		return x.refuse(err)
	}
	return wire.WriteJSON(x.w, http.StatusOK, response)
}

// introspect says whether a token is valid now, by what storage has and not by this
// node's view of revocations.
func introspect(x *exchange) (introspection, error) {
	keys, err := x.authenticate()
	if err != nil {
		return nil, err
	}
	if x.client.Public {
		return nil, oauth.InvalidClient("public_client_introspects")
	}
	raw := x.params.Get("token")
	if raw == "" {
		return nil, oauth.MissingParameter("token")
	}
	if refresh, err := token.OpenRefreshToken(keys, raw); err == nil {
		return introspectRefreshToken(x, keys, refresh)
	}
	return introspectAccessToken(x, keys, raw)
}

// introspectAccessToken shows a client its own tokens, and those for the audiences that
// it may introspect.
func introspectAccessToken(x *exchange, keys *token.KeySet, raw string) (introspection, error) {
	ctx, s := x.r.Context(), x.server
	token, err := s.tokens.Open(keys, raw)
	if err != nil || s.tokens.CheckTimes(token) != nil {
		return inactive(), nil
	}
	user, client, err := s.tokens.Parties(ctx, keys, token)
	if err != nil {
		return inactiveUnless(err)
	}
	token = s.tokens.Narrowed(token, user, client)
	if token.CID != x.client.ID && !slices.ContainsFunc(token.Audience, func(a string) bool { return slices.Contains(x.client.Introspect, a) }) {
		return inactive(), nil
	}
	revoked, err := s.sessions.Revoked(ctx, token.SessionClaims())
	switch {
	case err != nil:
		return nil, errStorage(ctx, err)
	case revoked:
		return inactive(), nil
	}
	return activeAccessToken(token)
}

// activeAccessToken is the claims of an active token, without those that have a meaning
// to this server only.
func activeAccessToken(t *token.AccessToken) (introspection, error) {
	claims := t.AccessClaims
	claims.CredentialVersion, claims.Server, claims.SessionVersion, claims.ClientID = "", "", 0, claims.CID
	encoded, err := json.Marshal(claims)
	if err != nil {
		return nil, fmt.Errorf("encoding the claims of a token: %w", err)
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(encoded, &members); err != nil {
		return nil, fmt.Errorf("decoding the claims of a token: %w", err)
	}
	response := introspection{"active": true, "token_type": "Bearer"}
	for name, claim := range members {
		response[name] = claim
	}
	for name, claim := range t.Others {
		if _, ours := response[name]; ours {
			continue
		}
		encoded, err := strictjson.Marshal(claim)
		if err != nil {
			return nil, fmt.Errorf("encoding a claim of a token: %w", err)
		}
		response[name] = json.RawMessage(encoded)
	}
	return response, nil
}

// introspectRefreshToken shows a refresh token to the client it belongs to: active
// means that it can be used for a refresh, and the scope is what a refresh would grant
// now.
func introspectRefreshToken(x *exchange, keys *token.KeySet, token *token.RefreshToken) (introspection, error) {
	ctx, s := x.r.Context(), x.server
	if token.ClientID != x.client.ID || token.Expired() || !s.policy.MayRefresh(x.client) {
		return inactive(), nil
	}
	user, err := s.tokens.User(ctx, keys, token.UserID, token.CredentialVersion)
	if err != nil {
		return inactiveUnless(err)
	}
	_, err = s.sessions.Check(ctx, token.SessionClaims(), token.Generation, time.Duration(s.RefreshGrace))
	switch {
	case errors.Is(err, session.ErrUnavailable):
		return nil, errStorage(ctx, err)
	case err != nil:
		return inactive(), nil
	}
	return introspection{
		"active":    true,
		"client_id": token.ClientID,
		"username":  user.Username,
		"sub":       token.UserID,
		"scope":     strings.Join(refreshable(s.policy, token, user, x.client), " "),
		"iat":       token.IssuedAt,
		"exp":       token.Expires,
		"jti":       token.RefreshTokenID,
		"sid":       token.SessionID,
	}, nil
}

// refreshable are the scopes that a refresh without a scope grants now.
func refreshable(policy *token.Policy, token *token.RefreshToken, user *directory.User, client *directory.Client) []string {
	return user.Allowed(oauth.Intersect(strings.Fields(token.Scope), policy.AllowedScopes(client)))
}
