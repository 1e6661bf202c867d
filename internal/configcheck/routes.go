package configcheck

import (
	"cmp"
	"net"
	"net/http"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/fileserver"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy/fastcgi"
	"go.uber.org/zap"
)

// What a config leaves open through the order and nesting of its routes.

// ofEndpoints is about a bearer_auth that comes before a token_endpoint: clients would
// need a token to get one.
func (w *warnings) ofEndpoints() {
	for _, p := range w.placements {
		endpoint := p.endpoint
		if endpoint == nil {
			continue
		}
		host := ""
		if len(p.hosts) > 0 && !strings.ContainsAny(p.hosts[0], "*{") {
			host = p.hosts[0]
		}
		for _, check := range p.always {
			if !check.refusesAnonymous() || !check.appliesTo(exampleRequest(http.MethodPost, endpoint.Path, host)) {
				continue
			}
			w.warn("a bearer_auth comes before the token_endpoint", p.where(),
				"no user can log in without a token: write token_endpoint before bearer_auth in a route, or exclude its paths from the check",
				zap.String("bearer_auth", check.DefinedAt), zap.String("path", endpoint.Path))
		}
	}
}

// ofUpstreams is about an app that is proxied behind a bearer_auth and elsewhere as
// well. A bearer_auth itself says which requests it leaves alone, and a bearer_auth
// that is off says that this is intended.
func (w *warnings) ofUpstreams() {
	checked := make(map[string]placement)
	for _, p := range w.placements {
		if proxy, ok := p.handler.(*reverseproxy.Handler); ok && slices.ContainsFunc(p.checks, (*Check).isOn) && !asksElsewhere(proxy) {
			for _, upstream := range upstreamsOf(proxy, p.root) {
				if _, ok := checked[upstream]; !ok {
					checked[upstream] = p
				}
			}
		}
	}
	for _, p := range w.placements {
		proxy, ok := p.handler.(*reverseproxy.Handler)
		if w.enough(upstreamWarning) {
			return
		}
		if !ok || p.checked || p.elsewhere && len(p.checks) > 0 || p.inErrors || asksElsewhere(proxy) {
			continue
		}
		for _, upstream := range upstreamsOf(proxy, p.root) {
			behind, ok := checked[upstream]
			if !ok {
				continue
			}
			advice := "put one bearer_auth before both, and say there what is open"
			if len(p.checks) > 0 {
				advice = "requests that the matcher of a handle or route around the bearer_auth does not match get here without it: put the bearer_auth outside, with its own matcher or with open"
			}
			address, _, _ := strings.Cut(upstream, "\x00")
			w.warn(upstreamWarning, p.place,
				advice+"; if this route is meant to be open, say so with a bearer_auth whose block is the single line: off",
				zap.String("upstream", address), zap.String("site", p.site()),
				zap.String("bearer_auth", cmp.Or(behind.checks[slices.IndexFunc(behind.checks, (*Check).isOn)].DefinedAt, behind.place)))
		}
	}
}

// upstreamsOf names what a proxy sends requests to, with one spelling for each. A PHP
// upstream serves the files of a root.
func upstreamsOf(h *reverseproxy.Handler, root string) []string {
	suffix := ""
	if transport, ok := h.Transport.(*fastcgi.Transport); ok {
		if transport.Root != "" && transport.Root != "{http.vars.root}" {
			root = transport.Root
		}
		suffix = "\x00" + root
	}
	var all []string
	for _, upstream := range h.Upstreams {
		if upstream.Dial != "" {
			all = append(all, dialed(upstream.Dial)+suffix)
		}
	}
	if dns, ok := h.DynamicUpstreams.(*reverseproxy.AUpstreams); ok {
		all = append(all, dialed(net.JoinHostPort(dns.Name, dns.Port))+suffix)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// dialed is the address of an upstream in one spelling: all addresses of this machine
// are one host.
func dialed(dial string) string {
	dial = caddy.NewReplacer().ReplaceKnown(dial, "")
	address, err := caddy.ParseNetworkAddress(dial)
	if err != nil || address.Network == "" {
		return dial
	}
	if address.IsUnixNetwork() {
		return "unix/" + path.Clean(address.Host)
	}
	host := strings.ToLower(strings.TrimSuffix(address.Host, "."))
	if ip := net.ParseIP(host); ip != nil {
		host = ip.String()
		if ip.IsLoopback() || ip.IsUnspecified() {
			host = "localhost"
		}
	}
	if host == "" {
		host = "localhost"
	}
	return net.JoinHostPort(host, strconv.FormatUint(uint64(address.StartPort), 10))
}

// ofErrorRoutes is about handle_errors, which gets the requests that bearer_auth has
// refused: a proxy or file server there answers them after all.
func (w *warnings) ofErrorRoutes() {
	checks := slices.DeleteFunc(slices.Clone(w.placements), func(p placement) bool {
		return p.check == nil || p.check.Off || p.check.Shadow || p.inErrors
	})
	for _, p := range w.placements {
		what := ""
		switch handler := p.handler.(type) {
		case *reverseproxy.Handler:
			if !asksElsewhere(handler) {
				what = "proxies"
			}
		case *fileserver.FileServer:
			what = "serves files"
		}
		if what == "" || !p.inErrors || len(p.errors) == 0 || p.fixed ||
			slices.ContainsFunc(p.checks, func(c *Check) bool { return c.Off || c.refusesAnonymous() }) {
			continue
		}
		message := "handle_errors " + what + " where a bearer_auth refuses"
		if w.enough(message) {
			continue
		}
		i := slices.IndexFunc(checks, func(check placement) bool { return check.sharesHosts(p) && check.comesTo(p) })
		if i < 0 {
			continue
		}
		w.warn(message, p.place,
			"a refused request gets what it asked for: rewrite to one page first, as in \"rewrite * /{err.status_code}.html\", or name statuses that bearer_auth does not send, as in \"handle_errors 404\"",
			zap.String("site", p.site()), zap.String("bearer_auth", checks[i].where()))
	}
}

// comesTo tells whether an error of a handler gets to an error route: the error routes
// of a subroute are for what is below it, those of the server for everything.
func (p placement) comesTo(route placement) bool {
	owner, _, _ := strings.Cut(route.place, "/errors/")
	return strings.HasPrefix(p.place+"/", owner+"/") || strings.Contains(p.place, "/named_routes/")
}

const upstreamWarning = "an app is proxied with a bearer_auth before it, and without"
