package caddygrant

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/caddygrant/caddy-grant/directory"
	"github.com/caddygrant/caddy-grant/internal/credential"
	"github.com/caddygrant/caddy-grant/internal/throttle"
	"github.com/caddygrant/caddy-grant/internal/wire"
)

// clientRequest is a request of a client at an endpoint, parsed once. Grants see this
// and never the *http.Request. What is found out about it on the way is kept here for
// the log.
type clientRequest struct {
	received time.Time
	address  string      // of the client, as Caddy sees it; may be empty
	header   http.Header // for Authorization and the header that end_user_ip names
	endpoint string      // its name, for metrics and the log
	outcome  string      // for metrics: success, or the error code
	bodyRead bool        // to its end
	page     wire.Page   // the page that sent it, if of another site
	repeated bool        // its password or secret was wrong a moment ago
	locked   bool        // its wrong password was the last that the account may have
	reused   bool        // its refresh token was used before

	byHeader      bool // the client is named in the Authorization header
	authenticated bool // the client is who it says, or public
	unnamed       bool // no client is named
	bearerIgnored bool // there is an Authorization header that does not name the client

	params wire.Params

	endUserIP  netip.Addr        // the address of a public client, or what an authenticated one names; not valid if none
	client     *directory.Client // as soon as a client of that id is known; grants see it authenticated
	scopes     []string          // asked for and allowed for the client; nil if the request names none
	user       *directory.User   // as soon as a user of that name is known, before the password is checked
	formerUser string            // the subject of a refresh token whose user is gone or changed
	sessionID  string            // as soon as a token of that session is there and verified
}

// grantType is empty if it is missing, and at endpoints that need none.
func (req *clientRequest) grantType() string { return req.params.Get("grant_type") }

// usePublicClient accepts a public client by its id alone (RFC 6749 §2.1).
func (req *clientRequest) usePublicClient(client *directory.Client) {
	req.client = client
	req.endUserIP = plainAddr(req.address) // it is the user's own
}

// addressOf is an address as a source; an address that cannot be parsed is the unknown
// source.
func addressOf(address string) throttle.Source {
	ip, _ := netip.ParseAddr(address)
	return throttle.Address(ip)
}

// plainAddr is an address without a zone and not mapped to IPv6, or the invalid address
// if it cannot be parsed.
func plainAddr(s string) netip.Addr {
	ip, _ := netip.ParseAddr(s)
	return ip.Unmap().WithZone("")
}

// awaitsChallenge tells whether a client that fails to authenticate gets a challenge: a
// client that used the Authorization header, or a program that names no client and
// waits to be asked. For a page's script the browser would ask its user, who does not
// have the secret of a client.
func (req *clientRequest) awaitsChallenge() bool {
	mode := req.header["Sec-Fetch-Mode"]
	return (req.byHeader || req.unnamed) && (len(mode) == 0 || mode[0] == "navigate")
}

// source is the source of an attempt on a password or secret. Pages of other sites are
// a source of their own.
func (req *clientRequest) source(s throttle.Source) throttle.Source {
	if req.page == wire.SameSite {
		return s
	}
	return s.CrossSite()
}

// sender describes who presents a password or secret, and for which source failures are
// counted.
func (req *clientRequest) sender(s throttle.Source) credential.Sender {
	return credential.Sender{Source: req.source(s), Address: req.address, User: req.endUserIP}
}

// bearsSecret tells whether a request authenticates by more than a client_id. A public
// client does not, so it may log out by a beacon when its page is closed.
func (req *clientRequest) bearsSecret() bool {
	return req.params.Get("client_secret") != "" ||
		slices.ContainsFunc(req.header["Authorization"], func(v string) bool { return strings.TrimSpace(v) != "" })
}
