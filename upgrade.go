package caddygrant

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// A connection that is upgraded goes past every check from then on. With a WebSocket that
// is one session of the request that was checked. With h2c (RFC 7540 §3.2) the client would
// send the app further requests, with headers of its own.

// validateUpgrades checks the protocols that a config lets in.
func validateUpgrades(protocols []string) error {
	for i, protocol := range protocols {
		name, version, versioned := strings.Cut(protocol, "/")
		switch {
		case protocol == "*" || !httpguts.ValidHeaderFieldName(name) || versioned && !httpguts.ValidHeaderFieldName(version):
			return fmt.Errorf("upgrade: %q is not a protocol: name each one, as clients do in the Upgrade header, such as tcp or SPDY/3.1", protocol)
		case slices.ContainsFunc([]string{"h2c", "h2", "h3", "http"}, func(s string) bool { return strings.EqualFold(s, name) }):
			return fmt.Errorf("upgrade: with %s a client would send the app requests that nobody checks: to speak HTTP/2 with the app, set the versions of reverse_proxy's transport", protocol)
		case slices.ContainsFunc(protocols[:i], func(s string) bool { return strings.EqualFold(s, protocol) }):
			return fmt.Errorf("upgrade: %s is there twice", protocol)
		}
	}
	return nil
}

// restrictUpgrade takes from a request all by which a client could have its connection
// upgraded, unless that is to a WebSocket or to a protocol of the config, and to one alone.
func (b *BearerAuth) restrictUpgrade(r *http.Request) {
	if r.Method == http.MethodConnect {
		b.restrictExtendedConnect(r)
	}
	upgrade, settings := r.Header["Upgrade"], r.Header["Http2-Settings"]
	if upgrade != nil && !(len(upgrade) == 1 && b.mayUpgradeTo(upgrade[0])) {
		delete(r.Header, "Upgrade")
		upgrade = nil
	}
	if settings != nil {
		delete(r.Header, "Http2-Settings")
	}
	dropUpgradeTokens(r, upgrade == nil)
}

// removeH2C takes an upgrade to h2c from a request that comes to no check, on a listener
// that has one: no proxy passes on a connection on which it could speak HTTP/2 itself.
func removeH2C(r *http.Request) {
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

// dropUpgradeTokens takes the names of the headers that were removed out of Connection.
func dropUpgradeTokens(r *http.Request, upgrade bool) {
	connection := r.Header["Connection"]
	if len(connection) == 0 || len(connection) == 1 && isPersistence(connection[0]) {
		return
	}
	gone := func(name string) bool {
		return strings.EqualFold(name, "HTTP2-Settings") || upgrade && strings.EqualFold(name, "Upgrade")
	}
	if slices.ContainsFunc(connection, func(value string) bool { return listHas(value, gone) }) {
		keepConnection(r.Header, gone)
	}
}

// restrictExtendedConnect does the same for HTTP/2 (RFC 8441) and HTTP/3 (RFC 9220), where
// Go's servers have the protocol among the headers and in place of the version.
func (b *BearerAuth) restrictExtendedConnect(r *http.Request) {
	if protocol := r.Header[":protocol"]; protocol != nil && !(len(protocol) == 1 && b.mayUpgradeTo(protocol[0])) {
		delete(r.Header, ":protocol")
	}
	if r.ProtoMajor == 3 && !strings.HasPrefix(r.Proto, "HTTP/") && !b.mayUpgradeTo(r.Proto) {
		r.Proto = "HTTP/3.0"
	}
}

func (b *BearerAuth) mayUpgradeTo(protocol string) bool {
	if strings.EqualFold(protocol, "websocket") {
		return true
	}
	return slices.ContainsFunc(b.Upgrade, func(s string) bool { return strings.EqualFold(s, protocol) })
}

// isPersistence tells of a Connection header, as nearly all are, that it names no header.
func isPersistence(connection string) bool {
	return strings.EqualFold(connection, "keep-alive") || strings.EqualFold(connection, "close")
}

// listHas tells whether one of the tokens of a list header is meant.
func listHas(value string, meant func(string) bool) bool {
	for token := range strings.SplitSeq(value, ",") {
		if meant(strings.TrimSpace(token)) {
			return true
		}
	}
	return false
}

// keepConnection removes tokens from the Connection header.
func keepConnection(h http.Header, gone func(string) bool) {
	if kept := withoutTokens(h["Connection"], gone); kept != "" {
		h["Connection"] = []string{kept}
	} else {
		delete(h, "Connection")
	}
}
