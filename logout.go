package caddygrant

import (
	"errors"
	"net/http"

	"go.uber.org/zap"

	"github.com/caddygrant/caddy-grant/internal/allowance"
	"github.com/caddygrant/caddy-grant/internal/caddyrequest"
	"github.com/caddygrant/caddy-grant/internal/event"
	"github.com/caddygrant/caddy-grant/internal/loginpage"
	"github.com/caddygrant/caddy-grant/internal/oauth"
	"github.com/caddygrant/caddy-grant/internal/token"
)

// logOut ends the session of the browser, whether or not it was still good, and takes
// the cookie away.
func (v *visit) logOut() error {
	v.view.Username = ""
	v.page.cookies.clear(v.w.Header(), v.sent)
	v.w.Header().Set("Clear-Site-Data", `"cache"`) // not "cookies", which empties the whole domain
	if err := v.endAll(); err != nil {
		return v.refuse(err)
	}
	caddyrequest.AddLogField(v.r, zap.Bool("revoked", v.sessionID != ""))
	if v.page.AfterLogout != "" {
		return v.redirect(v.page.AfterLogout)
	}
	v.view.Kind = loginpage.LoggedOut
	return v.write(http.StatusOK)
}

// endAll ends the sessions of all cookies that this server has sealed, also of those
// that are no longer good: logging out late is logging out.
func (v *visit) endAll() error {
	if len(v.found.opened) == 0 {
		if unchecked, ok := errors.AsType[token.UncheckedError](v.found.err); ok {
			return oauth.SourceUnavailable(unchecked.Cause())
		}
		v.logger.Info("no session to revoke", append(v.facts(), zap.String("reason", "no_session_cookie"))...)
		return nil
	}
	v.client = v.server.policy.Browser.Client
	for _, session := range v.found.opened {
		v.sessionID, v.formerUser = session.SessionID, session.Subject
		if err := v.end(session); err != nil {
			return errStorage(v.r.Context(), err)
		}
		v.logger.Info("session revoked", v.facts()...)
		event.EmitRevoked(v.facts, event.ByUser, "")
	}
	return nil
}

// end revokes a session on all nodes. The bound on revocations does not stop it: then
// it ends on this node at once, and on the others as soon as the bound allows.
func (v *visit) end(session *token.BrowserSession) error {
	_, err := v.server.sessions.End(v.r.Context(), allowance.Owner{Client: token.LoginPage, Subject: session.Subject}, session.Session)
	return err
}
