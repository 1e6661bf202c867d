package wire

import (
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// IsSecure tells whether credentials may travel this way (RFC 6749 §3.2, §10.3): over
// TLS on this connection, over loopback or a unix socket, or over HTTPS to a trusted
// proxy. It judges by the TCP peer, since the client writes Host and X-Forwarded-For
// itself.
func IsSecure(r *http.Request, trustedProxy bool) bool {
	if r.TLS != nil {
		return true
	}
	said, https := forwardedProto(r)
	if IsLocalPeer(r) {
		return !said || https
	}
	return trustedProxy && said && https
}

// IsEarly tells whether a request comes in TLS early data, on this connection or on the
// one to a proxy in front (RFC 8470 §5.1, by which every value means the same as 1).
func IsEarly(r *http.Request) bool {
	return r.TLS != nil && !r.TLS.HandshakeComplete || len(r.Header["Early-Data"]) > 0
}

// SaysHTTPS tells whether a proxy says that the browser came over HTTPS. Only a trusted
// proxy is to be believed.
func SaysHTTPS(r *http.Request) bool {
	said, https := forwardedProto(r)
	return said && https
}

// forwardedProto tells whether the request has an X-Forwarded-Proto, and whether every
// value of it is https: one hop in the clear is enough to lose a password.
func forwardedProto(r *http.Request) (said, https bool) {
	https = true
	for _, header := range r.Header["X-Forwarded-Proto"] {
		for proto := range strings.SplitSeq(header, ",") {
			said = true
			if !strings.EqualFold(strings.TrimSpace(proto), "https") {
				https = false
			}
		}
	}
	return said, said && https
}

// IsLocalPeer tells whether the peer is on this machine.
func IsLocalPeer(r *http.Request) bool {
	if addr, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr); ok && strings.HasPrefix(addr.Network(), "unix") {
		return true
	}
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	return err == nil && peer.Addr().Unmap().IsLoopback()
}
