package oauth

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
)

// ValidateIssuer enforces RFC 8414 §2: an https URL without query and fragment. Plain
// http is for trying things out on a loopback host.
func ValidateIssuer(issuer string) error {
	u, err := url.Parse(issuer)
	switch {
	case strings.Contains(issuer, "@"): // what comes before it may contain a password
		return errors.New("issuer: it must be a URL without a user name and password, such as https://api.example.com")
	case err != nil, u.Host == "", u.Opaque != "":
		return fmt.Errorf("issuer %q: it must be a URL such as https://api.example.com", issuer)
	case u.RawQuery != "" || u.ForceQuery || strings.Contains(issuer, "#"):
		return fmt.Errorf("issuer %q: it must have no query and no fragment (RFC 8414 section 2)", issuer)
	case strings.ContainsAny(u.Path, "*{}"):
		return fmt.Errorf("issuer %q: its path must be without * { and }", issuer)
	case u.Scheme == "https":
		return nil
	case u.Scheme == "http" && isLoopbackHost(u.Hostname()):
		return nil
	}
	return fmt.Errorf("issuer %q: it must begin with https:// (http:// only on a loopback host), or be left out", issuer)
}

func isLoopbackHost(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}
