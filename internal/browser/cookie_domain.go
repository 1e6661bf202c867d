package browser

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"

	"golang.org/x/net/idna"
	"golang.org/x/net/publicsuffix"
)

// ValidateDomain checks the domain that a cookie is for. Browsers drop a cookie without
// a word if they do not take its domain.
func ValidateDomain(domain string) error {
	if err := validateDomain(domain); err != nil {
		return fmt.Errorf("%q is not a domain for a cookie: %w", domain, err)
	}
	return nil
}

func validateDomain(domain string) error {
	lower := strings.ToLower(domain)
	labels := strings.Split(lower, ".")
	last := labels[len(labels)-1]
	switch {
	case domain == "":
		return errors.New("it is empty")
	case strings.Contains(domain, "://"):
		return errors.New("leave out the scheme")
	case isAddress(lower, last):
		return errors.New("an address has no subdomains: leave cookie_domain out")
	case strings.Contains(domain, ":"):
		return errors.New("leave out the port: cookies are for all ports of a host")
	case lower == "localhost":
		return errors.New("browsers accept no cookies for the subdomains of localhost: leave cookie_domain out")
	case strings.HasPrefix(domain, "."):
		return errors.New("leave out the dot at the beginning: a domain always includes its subdomains")
	case strings.HasSuffix(domain, "."):
		return errors.New("leave out the dot at the end")
	case len(domain) > 253:
		return fmt.Errorf("it has %d characters; the maximum is 253", len(domain))
	}
	for _, label := range labels {
		if err := validateLabel(label); err != nil {
			return err
		}
	}
	if len(labels) == 1 {
		return errors.New("it has a single label, and browsers accept no cookies for all of a top-level domain: leave cookie_domain out")
	}
	if suffix, _ := publicsuffix.PublicSuffix(lower); suffix == lower {
		return fmt.Errorf("it is a public suffix, under which different people have their sites: name one of them, such as example.%s", lower)
	}
	return nil
}

// isAddress is as generous as browsers, which take a host for an IPv4 address if its
// last label is a number, also a hexadecimal one.
func isAddress(domain, last string) bool {
	if _, err := netip.ParseAddr(strings.Trim(domain, "[]")); err == nil {
		return true
	}
	if _, err := netip.ParseAddrPort(domain); err == nil {
		return true
	}
	if last == "" {
		return false
	}
	if _, err := strconv.ParseUint(last, 10, 64); err == nil {
		return true
	}
	hex, ok := strings.CutPrefix(last, "0x")
	return ok && strings.Trim(hex, "0123456789abcdef") == ""
}

func validateLabel(label string) error {
	switch {
	case label == "":
		return errors.New("two dots follow each other")
	case len(label) > 63:
		return fmt.Errorf("%s has %d characters; the maximum is 63", label, len(label))
	case label[0] == '-' || label[len(label)-1] == '-':
		return fmt.Errorf("%s begins or ends with a hyphen", label)
	}
	for _, c := range label {
		switch {
		case c >= 0x80:
			ascii, err := idna.Lookup.ToASCII(label)
			if err != nil {
				return fmt.Errorf("%s is not part of a domain name", label)
			}
			return fmt.Errorf("write %s as browsers send it: %s", label, ascii)
		case c != '-' && (c < '0' || c > '9') && (c < 'a' || c > 'z'):
			return fmt.Errorf("%q is not allowed; write it as example.com", c)
		}
	}
	return nil
}

// DomainCovers tells whether a browser sends a cookie of the domain to a host, which may
// have a port.
func DomainCovers(domain, host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host, domain = strings.ToLower(host), strings.ToLower(domain)
	if domain == "" {
		return false
	}
	sub, ok := strings.CutSuffix(host, domain)
	return ok && (sub == "" || len(sub) > 1 && strings.HasSuffix(sub, "."))
}
