package bearer

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// An upgraded connection bypasses every check from then on. With a WebSocket that is
// one session of the request that was checked. With h2c (RFC 7540 §3.2) the client
// would send the app further requests, with headers of its own.

// ValidateUpgrades checks the protocols that a config allows.
func ValidateUpgrades(protocols []string) error {
	for i, protocol := range protocols {
		name, version, versioned := strings.Cut(protocol, "/")
		switch {
		case protocol == "*" || !httpguts.ValidHeaderFieldName(name) || versioned && !httpguts.ValidHeaderFieldName(version):
			return fmt.Errorf("upgrade: %q is not a protocol: name each one, as clients do in the Upgrade header, such as tcp or SPDY/3.1", protocol)
		case slices.ContainsFunc([]string{"h2c", "h2", "h3", "http"}, func(s string) bool { return strings.EqualFold(s, name) }):
			return fmt.Errorf("upgrade: with %s a client would send the app requests that are not checked: to speak HTTP/2 with the app, set the versions of reverse_proxy's transport", protocol)
		case slices.ContainsFunc(protocols[:i], func(s string) bool { return strings.EqualFold(s, protocol) }):
			return fmt.Errorf("upgrade: duplicate protocol %s", protocol)
		}
	}
	return nil
}

// RestrictUpgrade removes from a request all by which a client could have its
// connection upgraded, unless to exactly one protocol, which is WebSocket or one of the
// config.
func RestrictUpgrade(r *http.Request, protocols []string) {
	if r.Method == http.MethodConnect {
		restrictExtendedConnect(r, protocols)
	}
	upgrade, settings := r.Header["Upgrade"], r.Header["Http2-Settings"]
	if upgrade != nil && !(len(upgrade) == 1 && mayUpgradeTo(upgrade[0], protocols)) {
		delete(r.Header, "Upgrade")
		upgrade = nil
	}
	if settings != nil {
		delete(r.Header, "Http2-Settings")
	}
	dropUpgradeTokens(r, upgrade == nil)
}

// restrictExtendedConnect does the same for HTTP/2 (RFC 8441) and HTTP/3 (RFC 9220),
// where Go's servers have the protocol among the headers and in place of the version.
func restrictExtendedConnect(r *http.Request, protocols []string) {
	if protocol := r.Header[":protocol"]; protocol != nil && !(len(protocol) == 1 && mayUpgradeTo(protocol[0], protocols)) {
		delete(r.Header, ":protocol")
	}
	if r.ProtoMajor == 3 && !strings.HasPrefix(r.Proto, "HTTP/") && !mayUpgradeTo(r.Proto, protocols) {
		r.Proto = "HTTP/3.0"
	}
}

func mayUpgradeTo(protocol string, protocols []string) bool {
	if strings.EqualFold(protocol, "websocket") {
		return true
	}
	return slices.ContainsFunc(protocols, func(s string) bool { return strings.EqualFold(s, protocol) })
}

// RemoveH2C removes an upgrade to h2c from a request that reaches no check, on a
// listener that has one: a proxy does not pass on a connection on which it could speak
// HTTP/2 itself.
func RemoveH2C(r *http.Request) {
	upgrade := slices.ContainsFunc(r.Header["Upgrade"], func(list string) bool {
		return listHas(list, func(protocol string) bool { return strings.EqualFold(protocol, "h2c") })
	})
	if !upgrade && r.Header["Http2-Settings"] == nil {
		return
	}
	delete(r.Header, "Http2-Settings")
	if upgrade {
		delete(r.Header, "Upgrade")
	}
	dropUpgradeTokens(r, upgrade)
}
