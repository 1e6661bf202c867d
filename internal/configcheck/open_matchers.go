package configcheck

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddygrant/caddy-grant/internal/listenerguard"
)

// Who decides that a request is left unchecked, in the log line OpenRest.
const (
	OpenByPath    = "path"    // the request itself: what it asks for, such as its path
	OpenByMethod  = "method"  // its method
	OpenByClient  = "client"  // what a client may write into each request, such as a header
	OpenByAddress = "address" // where it comes from
	OpenByOther   = "other"   // a matcher of which nothing is known
)

// gap is what the matchers of a check leave unchecked.
type gap struct {
	by   string // empty if nothing but exceptions by path
	what string // that the matcher looks at
}

// gapRanks are the reasons, from harmless to bad.
var gapRanks = []string{"", OpenByOther, OpenByAddress, OpenByMethod, OpenByPath, OpenByClient}

func (g gap) rank() int { return slices.Index(gapRanks, g.by) }

func worse(a, b gap) gap {
	if b.rank() > a.rank() {
		return b
	}
	return a
}

func better(a, b gap) gap {
	if b.rank() < a.rank() {
		return b
	}
	return a
}

// gapBefore is what all checks before a handler leave unchecked: a request that one of
// them leaves out, another may check.
func gapBefore(p placement) (gap, *Check) {
	least, of := gap{by: OpenByClient}, p.checks[0]
	for _, c := range p.checks {
		g := c.gap(p.hosts)
		if g.rank() < least.rank() || c == p.checks[0] {
			least, of = g, c
		}
	}
	if least.by == OpenByMethod {
		switch open := openMethods(p); len(open) {
		case 0:
			least.by = ""
		case len(probedMethods): // of most paths
			least.by = OpenByPath
		default:
			least.what = strings.Join(open, " ")
		}
	}
	return least, of
}

// gap is what a check leaves unchecked, on some hosts.
func (c *Check) gap(hosts []string) gap {
	if c.Off || len(c.Matchers) == 0 {
		return gap{}
	}
	g := gapOfSets(c.Matchers, hosts, false)
	if g.by != OpenByMethod && !c.coversMost(hosts) {
		return worse(g, gap{by: OpenByPath})
	}
	return g
}

// gapOfSets is what sets leave out, of which a request has to match one; negated, what
// a request has to match to be left out.
func gapOfSets(sets []caddyhttp.MatcherSet, hosts []string, negated bool) gap {
	var all []gap
	for _, set := range sets {
		var g gap
		for i, matcher := range set {
			switch one := gapOf(matcher, hosts, negated); {
			case i == 0:
				g = one
			case negated: // all of them match
				g = better(g, one)
			default: // one of them does not match
				g = worse(g, one)
			}
		}
		all = append(all, g)
	}
	if len(all) == 0 {
		return gap{}
	}
	g := all[0]
	for _, other := range all[1:] {
		if negated {
			g = worse(g, other)
		} else {
			g = better(g, other)
		}
	}
	return g
}

// gapOf is what a single matcher leaves out. What paths do, probes tell.
func gapOf(matcher any, hosts []string, negated bool) gap {
	if !negated && isOpen(matcher) || negated && isDead(matcher) {
		return gap{}
	}
	switch m := matcher.(type) {
	case *listenerguard.Guard, *caddyhttp.MatchPath, *caddyhttp.MatchPathRE, *caddyhttp.MatchHost:
		return gap{}
	case *caddyhttp.MatchHeader:
		return gap{OpenByClient, named("header", slices.Sorted(maps.Keys(*m)))}
	case *caddyhttp.MatchHeaderRE:
		return gap{OpenByClient, named("header", slices.Sorted(maps.Keys(*m)))}
	case *caddyhttp.MatchQuery:
		return gap{OpenByClient, named("query parameter", slices.Sorted(maps.Keys(*m)))}
	case *caddyhttp.MatchMethod:
		return gap{by: OpenByMethod}
	case *caddyhttp.MatchRemoteIP, *caddyhttp.MatchClientIP:
		return gap{by: OpenByAddress}
	case *caddyhttp.MatchProtocol:
		if *m == "http" || *m == "https" {
			return gap{by: OpenByPath}
		}
		return gap{OpenByClient, "the protocol " + string(*m)}
	case *caddyhttp.MatchExpression:
		return gapOfText(m.Expr)
	case *caddyhttp.VarsMatcher:
		return gapOfVars(slices.Sorted(maps.Keys(*m)))
	case *caddyhttp.MatchVarsRE:
		return gapOfVars(slices.Sorted(maps.Keys(*m)))
	case *caddyhttp.MatchNot:
		return gapOfSets(m.MatcherSets, hosts, !negated)
	}
	return gap{by: OpenByOther}
}

func gapOfVars(names []string) gap {
	if g := gapOfText(strings.Join(names, " ")); g.by != "" {
		return g
	}
	return gap{by: OpenByOther}
}

// gapOfText is what an expression leaves out, by what it looks at.
func gapOfText(text string) gap {
	for _, known := range inExpressions {
		if strings.Contains(text, known.text) {
			return known.gap
		}
	}
	return gap{}
}

// inExpressions are what expressions have of a request, as the Caddyfile shortens it
// and in full, the worst first.
var inExpressions = []struct {
	text string
	gap  gap
}{
	{"{header.", gap{OpenByClient, "a header"}},
	{"{http.request.header", gap{OpenByClient, "a header"}},
	{"header(", gap{OpenByClient, "a header"}},
	{"header_regexp(", gap{OpenByClient, "a header"}},
	{"{cookie.", gap{OpenByClient, "a cookie"}},
	{"{http.request.cookie", gap{OpenByClient, "a cookie"}},
	{"{query", gap{OpenByClient, "the query"}},
	{"{uri}", gap{OpenByClient, "the query"}},
	{"{http.request.uri}", gap{OpenByClient, "the query"}},
	{"{http.request.uri.query", gap{OpenByClient, "the query"}},
	{"{http.request.orig_uri", gap{OpenByClient, "the query"}},
	{"query(", gap{OpenByClient, "the query"}},
	{"{http.request.body", gap{OpenByClient, "the body"}},
	{"protocol(", gap{OpenByClient, "the protocol"}},
	{"{proto}", gap{OpenByClient, "the protocol"}},
	{"{http.request.proto", gap{OpenByClient, "the protocol"}},
	{"{method}", gap{by: OpenByMethod}},
	{"{http.request.method}", gap{by: OpenByMethod}},
	{"{http.request.orig_method}", gap{by: OpenByMethod}},
	{"method(", gap{by: OpenByMethod}},
	{"remote_ip(", gap{by: OpenByAddress}},
	{"client_ip(", gap{by: OpenByAddress}},
	{"{remote", gap{by: OpenByAddress}},
	{"{client_ip}", gap{by: OpenByAddress}},
	{"{http.request.remote", gap{by: OpenByAddress}},
	{"{http.vars.client_ip}", gap{by: OpenByAddress}},
	{"{vars.", gap{by: OpenByOther}},
	{"{http.vars.", gap{by: OpenByOther}},
	{"file(", gap{by: OpenByOther}},
	{"vars(", gap{by: OpenByOther}},
	{"vars_regexp(", gap{by: OpenByOther}},
}

// openMethods are methods that no check before a handler checks, on most paths.
func openMethods(p placement) (open []string) {
	for _, method := range probedMethods {
		if !slices.ContainsFunc(p.checks, func(c *Check) bool { return c.checksMost(method, p.hosts) }) {
			open = append(open, method)
		}
	}
	return open
}

// coversMost tells whether a check is for a site as a whole, maybe with exceptions.
func (c *Check) coversMost(hosts []string) bool {
	return slices.ContainsFunc(probedMethods, func(method string) bool { return c.checksMost(method, hosts) })
}

// checksMost tells whether a check is for most paths of all of the hosts.
func (c *Check) checksMost(method string, hosts []string) bool {
	if len(hosts) == 0 {
		hosts = []string{""}
	}
	for _, host := range hosts {
		host = strings.NewReplacer("*", "any", "{", "", "}", "").Replace(host)
		if !slices.ContainsFunc([]string{"/", "/any-other-path"}, func(path string) bool {
			return c.appliesTo(exampleRequest(method, path, host))
		}) {
			return false
		}
	}
	return true
}

func named(what string, names []string) string {
	if len(names) > 1 {
		return fmt.Sprintf("the %ss %s", what, strings.Join(names, ", "))
	}
	return fmt.Sprintf("the %s %s", what, strings.Join(names, ""))
}

// OtherMethod stands for all methods that have no name here.
const OtherMethod = "ANY-OTHER"

var probedMethods = []string{
	http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions, OtherMethod,
}
