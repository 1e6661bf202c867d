package configcheck

import (
	"errors"
	"net"
	"net/http"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"golang.org/x/net/http/httpguts"

	"github.com/caddygrant/caddy-grant/internal/listenerguard"
)

// What can be said about matchers without a request: which never match, and which
// always do.

// neverMatch tells whether no request can match any of the sets. No sets at all match
// every request, and so does a set without matchers.
func neverMatch(sets caddyhttp.MatcherSets) bool {
	return len(sets) > 0 && !slices.ContainsFunc(sets, func(set caddyhttp.MatcherSet) bool { return !neverMatches(set) })
}

// neverMatches tells whether a matcher of the set matches nothing: all of them have to.
func neverMatches(set caddyhttp.MatcherSet) bool { return slices.ContainsFunc(set, isDead) }

func alwaysMatches(sets caddyhttp.MatcherSets) bool {
	return slices.ContainsFunc(sets, setAlwaysMatches)
}

func setAlwaysMatches(set caddyhttp.MatcherSet) bool {
	return !slices.ContainsFunc(set, func(m any) bool { return !isOpen(m) })
}

// isDead tells whether a matcher matches nothing.
func isDead(matcher any) bool {
	switch m := matcher.(type) {
	case *caddyhttp.MatchPath: // paths begin with a slash
		return !slices.ContainsFunc(*m, func(path string) bool {
			return strings.HasPrefix(path, "/") || strings.HasPrefix(path, "*") || strings.HasPrefix(path, "{")
		})
	case *caddyhttp.MatchHost: // without a scheme and a port
		return !slices.ContainsFunc(*m, func(host string) bool {
			if strings.Contains(host, "{") {
				return true
			}
			_, _, err := net.SplitHostPort(host)
			return host != "" && !strings.Contains(host, "/") && (err != nil || net.ParseIP(host) != nil)
		})
	case *caddyhttp.MatchMethod:
		return !slices.ContainsFunc(*m, httpguts.ValidHeaderFieldName) // both are tokens
	case *caddyhttp.MatchRemoteIP:
		return len(m.Ranges) == 0
	case *caddyhttp.MatchClientIP:
		return len(m.Ranges) == 0
	case *caddyhttp.MatchQuery:
		for _, values := range *m {
			if len(values) == 0 {
				return true
			}
		}
	case *caddyhttp.VarsMatcher:
		for _, values := range *m {
			if len(values) == 0 {
				return true
			}
		}
	case *caddyhttp.MatchProtocol:
		return !slices.Contains(protocols, string(*m))
	case *caddyhttp.MatchExpression:
		return strings.TrimSpace(m.Expr) == "false"
	case *caddyhttp.MatchNot:
		return slices.ContainsFunc(m.MatcherSets, setAlwaysMatches)
	}
	return false
}

// isOpen tells whether a matcher matches everything.
func isOpen(matcher any) bool {
	switch m := matcher.(type) {
	case *listenerguard.Guard:
		return true
	case *caddyhttp.MatchPath:
		return slices.Contains(*m, "*") || slices.Contains(*m, "/*")
	case *caddyhttp.MatchHeader:
		return len(*m) == 0
	case *caddyhttp.MatchHeaderRE:
		return len(*m) == 0
	case *caddyhttp.VarsMatcher:
		return len(*m) == 0
	case *caddyhttp.MatchExpression:
		return strings.TrimSpace(m.Expr) == "true"
	case *caddyhttp.MatchNot:
		return !slices.ContainsFunc(m.MatcherSets, func(set caddyhttp.MatcherSet) bool { return !neverMatches(set) })
	}
	return false
}

// statusesThatMatch are the statuses with which an error gets through matchers, as far
// as they depend on the status alone.
func statusesThatMatch(sets caddyhttp.MatcherSets, statuses []int) []int {
	return slices.DeleteFunc(slices.Clone(statuses), func(status int) bool {
		return !slices.ContainsFunc(sets, func(set caddyhttp.MatcherSet) bool { return mayMatchStatus(set, status) })
	})
}

func mayMatchStatus(set caddyhttp.MatcherSet, status int) bool {
	for _, matcher := range set {
		expression, ok := matcher.(*caddyhttp.MatchExpression)
		if !ok || !strings.Contains(expression.Expr, "http.error.status_code") || strings.Count(expression.Expr, "{") != strings.Count(expression.Expr, "{http.error.status_code}") {
			continue
		}
		r := exampleRequest(http.MethodGet, "/", "")
		r = (*caddyhttp.HTTPErrorConfig)(nil).WithError(r, caddyhttp.Error(status, errors.New("refused")))
		if matches, err := expression.MatchWithError(r); err == nil && !matches {
			return false
		}
	}
	return true
}

// exampleRequest is a request to ask matchers about, as Caddy would.
func exampleRequest(method, path, host string) *http.Request {
	r, err := http.NewRequest(method, "http://localhost"+path, http.NoBody)
	if err != nil {
		r, _ = http.NewRequest(method, "http://localhost/", http.NoBody)
	}
	r.RequestURI, r.RemoteAddr = path, "192.0.2.1:40000" // of RFC 5737: no machine has it
	if host != "" {
		r.Host = host
	}
	return caddyhttp.PrepareRequest(r, caddy.NewReplacer(), nil, nil)
}

// protocols are the protocols that the matcher knows.
var protocols = []string{
	"grpc", "http", "https", "http/1.0", "http/1.0+", "http/1.1", "http/1.1+", "http/2", "http/2+", "http/3", "http/3+",
}

// refusalStatuses are the statuses with which bearer_auth refuses.
var refusalStatuses = []int{http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden, http.StatusServiceUnavailable}
