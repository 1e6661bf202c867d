package configcheck

import (
	"slices"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/fileserver"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"
	"go.uber.org/zap"
)

// What a config leaves open as it says, which is often intended: it is logged at the
// level debug, for `caddy grant check`.

// ofOpenRoutes is about proxies and file servers of a site with a bearer_auth that
// requests reach without it.
func (w *warnings) ofOpenRoutes() {
	if !w.logger.Core().Enabled(zap.DebugLevel) {
		return
	}
	var checks []placement
	for _, p := range w.placements {
		if p.check != nil && p.check.isOn() && !p.inErrors {
			checks = append(checks, p)
		}
	}
	said := make(map[string]bool)
	for _, p := range w.placements {
		if !answersFromElsewhere(p.handler) || p.inErrors || p.elsewhere || said[p.place] {
			continue
		}
		said[p.place] = true
		if len(p.checks) == 0 && !p.checked {
			if i := slices.IndexFunc(checks, func(c placement) bool { return c.sharesHosts(p) }); i >= 0 {
				_, files := p.handler.(*fileserver.FileServer)
				w.logger.Debug(OpenRoute, zap.String("place", p.place), zap.String("site", p.site()),
					zap.String("bearer_auth", checks[i].where()), zap.Bool("files", files))
			}
			continue
		}
		// a bearer_auth that leaves out the root and what no path matcher knows does not
		// name exceptions, but what it is for
		if len(p.checks) == 0 {
			continue
		}
		if g, check := gapBefore(p); g.by != "" {
			w.logger.Debug(OpenRest, zap.String("place", w.placeOf(check)), zap.String("site", p.site()),
				zap.String("handler", p.place), zap.String("by", g.by), zap.String("what", g.what))
		}
	}
}

// answersFromElsewhere tells whether a handler answers with what is not in the config.
func answersFromElsewhere(handler caddyhttp.MiddlewareHandler) bool {
	switch handler := handler.(type) {
	case *reverseproxy.Handler:
		return !asksElsewhere(handler)
	case *fileserver.FileServer:
		return true
	}
	return false
}

// The messages about what is open.
const (
	OpenRoute = "a route of a site with a bearer_auth is open"
	OpenRest  = "bearer_auth checks only what its matcher names"
)
