package caddygrant

import (
	"net/http"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/caddygrant/caddy-grant/directory"
)

// clientIP is the client's address as Caddy sees it, which honours trusted_proxies. It is
// empty on a unix socket.
func clientIP(r *http.Request) string {
	ip, _ := caddyhttp.GetVar(r.Context(), caddyhttp.ClientIPVarKey).(string)
	return ip
}

// fromTrustedProxy tells whether the peer is one of trusted_proxies.
func fromTrustedProxy(r *http.Request) bool {
	trusted, _ := caddyhttp.GetVar(r.Context(), caddyhttp.TrustedProxyVarKey).(bool)
	return trusted
}

// addLogField adds to Caddy's access log, if there is one: to keep a field for nobody costs
// as much as signing a token.
func addLogField(r *http.Request, field zap.Field) {
	if server, ok := r.Context().Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server); !ok || server.Logs == nil {
		return
	}
	if extra, ok := r.Context().Value(caddyhttp.ExtraLogFieldsCtxKey).(*caddyhttp.ExtraLogFields); ok {
		extra.Set(field)
	}
}

// loggedPath is the path of a request for the log. A query that was encoded into the path
// stays out as well.
func loggedPath(r *http.Request) string {
	path, _, _ := strings.Cut(r.URL.Path, "?")
	return path
}

// bounded is a piece of a request, short enough for the log.
func bounded(s string) string { return s[:min(len(s), maxLogged)] }

const maxLogged = 256

// setUser sets the placeholder from which Caddy's access log takes its user_id.
func setUser(r *http.Request, user *directory.User) {
	if repl, ok := r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer); ok {
		repl.Set(userPlaceholders+"id", user.Subject())
	}
}
