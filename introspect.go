package caddygrant

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	strictjson "github.com/go-jose/go-jose/v4/json" // of whose numbers the claims are

	"github.com/caddygrant/caddy-grant/internal/oauth"
	"github.com/caddygrant/caddy-grant/internal/session"
	"github.com/caddygrant/caddy-grant/internal/token"
	"github.com/caddygrant/caddy-grant/internal/wire"
)

// introspection is the body of an introspection response (RFC 7662 §2.2).
type introspection map[string]any

// inactive is all that is said of a token that is not good, or not for this client to see.
func inactive() introspection { return introspection{"active": false} }

// inactiveUnless is for a token that is refused, unless a source cannot tell.
func inactiveUnless(err error) (introspection, error) {
	if _, unchecked := errors.AsType[token.UncheckedError](err); unchecked {
		return nil, oauth.SourceUnavailable(err)
	}
	return inactive(), nil
}

// serveIntrospect answers an introspection request (RFC 7662 §2.1).
func (h *Handler) serveIntrospect(w http.ResponseWriter, r *http.Request, req *tokenRequest) error {
	if err := req.parse(w, r); err != nil {
		return h.refuse(w, r, req, err)
	}
	response, err := h.server.introspect(r.Context(), req)
	if err != nil {
		return h.refuse(w, r, req, err)
	}
	return wire.WriteJSON(w, http.StatusOK, response)
}

// introspect says what a token is worth now, by what storage has and not by this node's
// view of revocations.
func (s *Server) introspect(ctx context.Context, req *tokenRequest) (introspection, error) {
	keys, err := s.authenticate(ctx, req)
	if err != nil {
		return nil, err
	}
	if req.client.Public {
		return nil, oauth.InvalidClient("public_client_introspects")
	}
	raw := req.params.Get("token")
	if raw == "" {
		return nil, oauth.MissingParameter("token")
	}
	if refresh, err := token.OpenRefreshToken(keys, raw); err == nil {
		return s.introspectRefreshToken(ctx, keys, req, refresh)
	}
	return s.introspectAccessToken(ctx, keys, req, raw)
}

// introspectAccessToken shows a client its own tokens, and those for the audiences that it
// may introspect.
func (s *Server) introspectAccessToken(ctx context.Context, keys *token.KeySet, req *tokenRequest, raw string) (introspection, error) {
	token, err := s.tokens.Open(keys, raw)
	if err != nil || s.tokens.CheckTimes(token) != nil {
		return inactive(), nil
	}
	user, client, err := s.tokens.Parties(ctx, keys, token, nil)
	if err != nil {
		return inactiveUnless(err)
	}
	token = s.tokens.Narrowed(token, user, client)
	if token.CID != req.client.ID && !slices.ContainsFunc(token.Audience, func(a string) bool { return slices.Contains(req.client.Introspect, a) }) {
		return inactive(), nil
	}
	revoked, err := s.sessions.Revoked(ctx, token.Session)
	switch {
	case err != nil:
		return nil, errStorage(ctx, err)
	case revoked:
		return inactive(), nil
	}
	return activeAccessToken(token)
}

// activeAccessToken is the claims of an active token, apart from those that mean something to
// this server only.
func activeAccessToken(t *token.AccessToken) (introspection, error) {
	claims := t.AccessClaims
	claims.CredentialVersion, claims.Server, claims.ClientID = "", "", claims.CID
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

// introspectRefreshToken shows a refresh token to the client it belongs to: active means
// that it is good for a refresh, and the scope is what one would grant now.
func (s *Server) introspectRefreshToken(ctx context.Context, keys *token.KeySet, req *tokenRequest, token *token.RefreshToken) (introspection, error) {
	if token.ClientID != req.client.ID || token.Expired() || !s.policy.MayRefresh(req.client) {
		return inactive(), nil
	}
	user, err := s.tokens.User(ctx, keys, token.UserID, token.CredentialVersion)
	if err != nil {
		return inactiveUnless(err)
	}
	_, err = s.sessions.Check(ctx, token.Session, token.Generation, time.Duration(s.RefreshGrace))
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
		"scope":     strings.Join(s.refreshable(token, user, req.client), " "),
		"iat":       token.IssuedAt,
		"exp":       token.Expires,
		"jti":       token.RefreshTokenID,
		"sid":       token.SessionID,
	}, nil
}
