package configcheck

import (
	"net/http"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp/headers"
	"go.uber.org/zap"
)

// ofCaching is about a header directive that is outside a bearer_auth and deferred: it
// has the last word. If that lets shared caches keep an answer, a cache sends what one
// user sees to others, and the session cookie that is renewed with it.
func (w *warnings) ofCaching(servers map[string]*Server) {
	for _, p := range w.placements {
		page := p.endpoint != nil && p.endpoint.LoginPage
		if p.check != nil && p.check.isOn() && !p.check.IssuersOnly && servers[p.check.Server] != nil {
			page = servers[p.check.Server].LoginPage
		}
		if page && p.caching != "" {
			w.warn("header sets Cache-Control after a login_page or bearer_auth has made an answer private", p.caching,
				"caches may keep pages of logged-in users, and their session cookies: set Cache-Control in a header directive of its own; a block with -, ?, > or defer is deferred as a whole",
				zap.String("site", p.site()), zap.String("before", p.where()))
		}
	}
}

// letsCachesKeep tells whether a header directive is executed after all other handlers,
// and takes away what keeps answers out of shared caches.
func letsCachesKeep(h *headers.Handler) bool {
	r := h.Response
	if r == nil || r.HeaderOps == nil || !r.Deferred && r.Require == nil {
		return false
	}
	if r.Require != nil { // ?Cache-Control is for answers without one
		if values, named := r.Require.Headers["Cache-Control"]; named && values == nil {
			return false
		}
	}
	for name, values := range r.Set {
		if isCacheControl(name) && !keepsPrivate(values) {
			return true
		}
	}
	for name := range r.Replace {
		if isCacheControl(name) {
			return true
		}
	}
	return slices.ContainsFunc(r.Delete, func(name string) bool { return strings.EqualFold(name, "Cache-Control") })
}

// isCacheControl recognizes the header also by the names that single networks read.
func isCacheControl(name string) bool {
	name = http.CanonicalHeaderKey(name)
	return strings.HasSuffix(name, "Cache-Control") || name == "Surrogate-Control"
}

func keepsPrivate(values []string) bool {
	for directive := range strings.SplitSeq(strings.Join(values, ","), ",") {
		switch strings.ToLower(strings.TrimSpace(directive)) {
		case "private", "no-store":
			return true
		}
	}
	return false
}
