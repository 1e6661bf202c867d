package caddygrant

import (
	"context"
	"net/http"

	"go.uber.org/zap"

	"github.com/caddygrant/caddy-grant/internal/session"
)

// serveRevoke answers a revocation request (RFC 7009 §2).
func (h *Handler) serveRevoke(w http.ResponseWriter, r *http.Request, req *tokenRequest) error {
	if err := req.parse(w, r); err != nil {
		return h.refuse(w, r, req, err)
	}
	if req.page == crossSiteBlind && req.bearsSecret() {
		return h.refuse(w, r, req, errCrossSite())
	}
	if err := h.server.revoke(r.Context(), req); err != nil {
		return h.refuse(w, r, req, err)
	}
	if req.sessionID != "" {
		h.logger.Info("session revoked", h.facts(req)...)
	}
	addLogField(r, zap.Bool("revoked", req.sessionID != ""))
	return writeJSON(w, http.StatusOK, struct{}{})
}

// revoke ends the session of the token, access or refresh, whatever token_type_hint says
// (RFC 7009 §2.1). A token that is unknown is as good as revoked (§2.2), and one that has
// expired still ends its session: logging out late is logging out.
func (s *Server) revoke(ctx context.Context, req *tokenRequest) error {
	keys, err := s.authenticate(ctx, req)
	if err != nil {
		return err
	}
	raw := req.params.Get("token")
	if raw == "" {
		return errMissingParameter("token")
	}
	if refresh, err := openRefreshToken(keys, raw); err == nil {
		return s.revokeSession(ctx, req, refresh.ClientID, refresh.UserID, refresh.session)
	}
	if access, err := s.openAccessToken(keys, raw); err == nil {
		return s.revokeSession(ctx, req, access.CID, access.Subject, access.session)
	}
	return nil
}

// revokeSession ends a session if its tokens are this client's.
func (s *Server) revokeSession(ctx context.Context, req *tokenRequest, owner, subject string, id session.ID) error {
	if owner != req.client.ID {
		return errTokenOfAnotherClient()
	}
	// one that is revoked already costs nothing, and must not keep the user from revoking another
	if revoked, _ := s.sessions.memory.InView(id); !revoked {
		if err := s.throttle.allowRevocation(subject); err != nil {
			return err
		}
	}
	if err := s.sessions.Revoke(ctx, id); err != nil {
		return errStorage(ctx, err)
	}
	req.sessionID = id.String()
	return nil
}
