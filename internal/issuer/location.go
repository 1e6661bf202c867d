package issuer

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strings"
)

// parseURL reads a URL from the config or from metadata. Keys that came over plain HTTP
// could be anyone's, so only https is accepted, and http at this machine's own
// addresses. The URL is not repeated in the error.
func parseURL(text string) (*url.URL, error) {
	for _, c := range []byte(text) {
		if c <= 0x20 || c > 0x7e {
			return nil, errors.New("it has a space, or a character that is not ASCII")
		}
	}
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return nil, errors.New("it is not a URL")
	case u.Host == "" || u.Opaque != "":
		return nil, errors.New("it is not an absolute URL, such as https://id.example.com")
	case u.User != nil:
		return nil, errors.New("it has a user or a password")
	case u.Fragment != "" || strings.Contains(text, "#"):
		return nil, errors.New("it has a fragment (#)")
	case u.Scheme == "https", isPlainLoopback(u):
		return u, nil
	case u.Scheme == "http":
		return nil, errors.New("it must be https, since it is not at this machine (localhost, 127.0.0.1)")
	}
	return nil, errors.New("it must be https")
}

// isPlainLoopback tells whether a URL is http at this machine's own addresses.
func isPlainLoopback(u *url.URL) bool {
	if u.Scheme != "http" {
		return false
	}
	if strings.EqualFold(u.Hostname(), "localhost") {
		return true
	}
	address, err := netip.ParseAddr(u.Hostname())
	return err == nil && address.Unmap().IsLoopback()
}

// parseNext reads a URL to which `from` leads, by metadata or by a redirect: what is
// https stays https.
func parseNext(from *url.URL, text string) (*url.URL, error) {
	next, err := parseURL(text)
	if err != nil {
		return nil, err
	}
	if next.Scheme != "https" && from.Scheme == "https" {
		return nil, errors.New("it must be https, as the URL that leads to it")
	}
	return next, nil
}

// metadataURLs are where an issuer's metadata is: of OpenID Connect Discovery 1.0 §4,
// and of RFC 8414 §3.
func metadataURLs(issuer *url.URL) []*url.URL {
	path := strings.TrimSuffix(issuer.EscapedPath(), "/")
	at := func(path string) *url.URL {
		u, err := url.Parse(issuer.Scheme + "://" + issuer.Host + path)
		if err != nil { // its parts are those of a URL
			panic(fmt.Sprintf("[PANIC] composing the URL of metadata: %v", err))
		}
		return u
	}
	return []*url.URL{
		at(path + "/.well-known/openid-configuration"),
		at("/.well-known/oauth-authorization-server" + path),
	}
}

// shown is a URL for the log. A query may have a secret, and so may a user, a fragment
// and what stands in place of a host.
func shown(u *url.URL) string {
	if u.Opaque != "" {
		return u.Scheme + ":…"
	}
	without := *u
	without.RawQuery, without.ForceQuery, without.User, without.Fragment, without.RawFragment = "", false, nil, "", ""
	return without.String()
}

// ShownURL is a URL as a log or an answer may repeat it: without what may be secret. It is
// empty for what is not a URL.
func ShownURL(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return ""
	}
	return shown(u)
}
