package browser

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"golang.org/x/net/idna"
)

// Origins refuses requests by which another site would act for the person whose cookies
// the browser adds. It is net/http's CrossOriginProtection, which is told what else is
// unsafe, which host the browser sees, and that a page over HTTP is of another origin
// than TLS. Safe for concurrent use.
type Origins struct {
	protection http.CrossOriginProtection
}

// NewOrigins also lets the trusted origins through.
func NewOrigins(trusted []string) (*Origins, error) {
	o := new(Origins)
	seen := make(map[string]bool)
	for _, origin := range trusted {
		serialized, err := serializeOrigin(origin)
		if err != nil {
			return nil, fmt.Errorf("%q is not an origin: %w; write it as https://app.example.com, with a port if it is not the default, and without a path", origin, err)
		}
		if seen[serialized] {
			return nil, fmt.Errorf("duplicate origin %s", serialized)
		}
		seen[serialized] = true
		if err := o.protection.AddTrustedOrigin(serialized); err != nil {
			return nil, err
		}
	}
	return o, nil
}

// serializeOrigin writes an origin as browsers do (RFC 6454 §6.2).
func serializeOrigin(origin string) (string, error) {
	u, err := url.Parse(origin)
	switch {
	case err != nil:
		return "", errors.New("it cannot be parsed")
	case u.Scheme == "" || u.Opaque != "":
		return "", errors.New("the scheme is missing")
	case u.Scheme == "ws" || u.Scheme == "wss":
		return "", errors.New("the origin of a WebSocket is that of its page")
	case u.User != nil:
		return "", errors.New("it has a user name")
	case u.Path != "" || u.RawQuery != "" || u.ForceQuery || strings.Contains(origin, "#"):
		return "", errors.New("it has a path, a query or a fragment")
	case u.Hostname() == "":
		return "", errors.New("the host is missing")
	case strings.Contains(u.Host, "*"):
		return "", errors.New("wildcards are not supported")
	case !isPort(u):
		return "", errors.New("the port is not a number from 1 to 65535")
	}
	host := strings.ToLower(u.Host)
	if strings.ContainsFunc(host, func(c rune) bool { return c >= 0x80 }) {
		ascii, err := idna.Lookup.ToASCII(u.Hostname())
		if err != nil {
			return "", errors.New("the host is not a domain name")
		}
		host = ascii + strings.TrimPrefix(u.Host, u.Hostname())
	}
	return u.Scheme + "://" + withoutDefaultPort(host, u.Scheme), nil
}

// isPort accepts no port as well, but not a colon without a port.
func isPort(u *url.URL) bool {
	port, err := strconv.ParseUint(u.Port(), 10, 16)
	return err == nil && port > 0 && !strings.HasPrefix(u.Port(), "0") || u.Port() == "" && !strings.HasSuffix(u.Host, ":")
}

func withoutDefaultPort(host, scheme string) string {
	switch scheme {
	case "https":
		return strings.TrimSuffix(host, ":443")
	case "http":
		return strings.TrimSuffix(host, ":80")
	}
	return host
}

var (
	errUnclearOrigin = errors.New("duplicate Origin or Sec-Fetch-Site header")
	errUnknownHost   = errors.New("an Origin header, but no host to compare it with")
)

// Check returns an error if a browser sent the request for another origin than the one
// it was sent to, and it could change something. host is the host as the browser sees
// it. A handshake is judged as a POST is: what comes after it is not checked.
func (o *Origins) Check(r *http.Request, host string) error {
	method := r.Method
	if IsHandshake(r) {
		method = http.MethodPost
	}
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodOptions:
		return o.protection.Check(r)
	}
	origin := r.Header["Origin"]
	switch {
	case len(origin) > 1 || len(r.Header["Sec-Fetch-Site"]) > 1:
		return errUnclearOrigin
	case len(origin) == 0:
	case host == "" && r.Header.Get("Sec-Fetch-Site") == "":
		return errUnknownHost
	default:
		host = strings.ToLower(host)
		// Browsers leave out a default port; proxies may add it.
		scheme, of, _ := strings.Cut(origin[0], "://")
		if short := withoutDefaultPort(host, scheme); of == short {
			host = short
		}
		// Of the same host, but anyone on the way may have written that page.
		if r.TLS != nil && strings.EqualFold(scheme, "http") {
			host = ""
		}
	}
	seen := *r
	seen.Method, seen.Host = method, host
	return o.protection.Check(&seen)
}
