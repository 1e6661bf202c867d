package configcheck

import (
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/headers"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"
	"go.uber.org/zap"
)

// ofOverwritten is about what a config writes into an identity header after a
// bearer_auth has set it. As with what is open, it is logged for `caddy grant check`.
func (w *warnings) ofOverwritten() {
	if !w.logger.Core().Enabled(zap.DebugLevel) || w.config.Alias == nil {
		return
	}
	for _, p := range w.placements {
		if p.inErrors {
			continue
		}
		set := setLater(p.handler)
		for _, name := range slices.Sorted(maps.Keys(set)) {
			check := w.setsHeader(p.checks, name)
			if check == nil {
				continue
			}
			for _, value := range set[name] {
				others, client := w.placeholdersIn(value, p.checks)
				if others || !strings.Contains(value, "{") {
					w.logger.Debug(Overwritten, zap.String("place", p.place), zap.String("header", name),
						zap.String("value", value), zap.Bool("client", client), zap.String("bearer_auth", w.placeOf(check)))
				}
			}
		}
	}
}

// setLater are the headers of a request that a handler sets, and their values.
func setLater(handler caddyhttp.MiddlewareHandler) map[string][]string {
	var ops *headers.HeaderOps
	switch h := handler.(type) {
	case *headers.Handler:
		ops = h.Request
	case *reverseproxy.Handler:
		if h.Headers != nil {
			ops = h.Headers.Request
		}
	}
	if ops == nil {
		return nil
	}
	set := make(map[string][]string)
	for _, values := range []http.Header{ops.Set, ops.Add} {
		for name, of := range values {
			set[name] = append(set[name], of...)
		}
	}
	for name, replacements := range ops.Replace {
		for _, replacement := range replacements {
			set[name] = append(set[name], replacement.Replace)
		}
	}
	return set
}

// setsHeader is a check that sets a header, or one that an app takes for it.
func (w *warnings) setsHeader(checks []*Check, header string) *Check {
	alias := w.config.Alias(header)
	for _, c := range checks {
		if c.isOn() && slices.ContainsFunc(c.Claims, func(claim Claim) bool { return w.config.Alias(claim.Header) == alias }) {
			return c
		}
	}
	return nil
}

// placeholdersIn tells whether a value has placeholders that say something else than who
// the user of the token is, and whether clients choose what they say.
func (w *warnings) placeholdersIn(value string, checks []*Check) (others, client bool) {
	for _, found := range placeholder.FindAllStringSubmatch(value, -1) {
		name := found[1]
		header, isHeader := strings.CutPrefix(name, "http.request.header.")
		switch {
		case strings.HasPrefix(name, "http.auth.user."), isHeader && w.setsHeader(checks, header) != nil:
		case slices.ContainsFunc(fromClients, func(prefix string) bool { return strings.HasPrefix(name, prefix) }):
			return true, true
		default:
			others = true
		}
	}
	return others, false
}

func (w *warnings) placeOf(c *Check) string {
	i := slices.IndexFunc(w.placements, func(p placement) bool { return p.check == c })
	return w.placements[i].where()
}

var placeholder = regexp.MustCompile(`\{([^{}]+)\}`)

// fromClients are placeholders that say what a client has sent.
var fromClients = []string{
	"http.request.header.", "http.request.cookie.", "http.request.uri", "http.request.orig_uri",
	"http.request.host", "http.request.hostport", "http.request.body", "http.request.method", "http.request.orig_method", "http.regexp.",
}

// Overwritten is the message about an identity header that a later handler sets.
const Overwritten = "an identity header is overwritten after bearer_auth"
