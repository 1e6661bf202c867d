// Package caddyrequest asks Caddy about a request, and adds to its access log.
package caddyrequest

import (
	"net/http"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"
)

// ClientIP is the client's address as Caddy sees it, which honours trusted_proxies. It
// is empty on a unix socket.
func ClientIP(r *http.Request) string {
	ip, _ := caddyhttp.GetVar(r.Context(), caddyhttp.ClientIPVarKey).(string)
	return ip
}

// FromTrustedProxy tells whether the peer is one of trusted_proxies.
func FromTrustedProxy(r *http.Request) bool {
	trusted, _ := caddyhttp.GetVar(r.Context(), caddyhttp.TrustedProxyVarKey).(bool)
	return trusted
}

// AddLogField adds to Caddy's access log, if there is one: to keep a field that is
// never logged costs as much as signing a token.
func AddLogField(r *http.Request, field zap.Field) {
	if server, ok := r.Context().Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server); !ok || server.Logs == nil {
		return
	}
	if extra, ok := r.Context().Value(caddyhttp.ExtraLogFieldsCtxKey).(*caddyhttp.ExtraLogFields); ok {
		extra.Set(field)
	}
}

// LoggedPath is the path of a request for the log. A query that was encoded into the
// path is left out as well.
func LoggedPath(r *http.Request) string {
	path, _, _ := strings.Cut(r.URL.Path, "?")
	return path
}

// Bounded is a piece of a request, short enough for the log.
func Bounded(s string) string { return s[:min(len(s), maxLogged)] }

const maxLogged = 256

// SetUserID sets the placeholder from which Caddy's access log takes its user_id.
func SetUserID(r *http.Request, subject string) {
	if repl, ok := r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer); ok {
		repl.Set(UserPlaceholders+"id", subject)
	}
}

// UserPlaceholders is the prefix of the user's placeholders.
const UserPlaceholders = "http.auth.user."
