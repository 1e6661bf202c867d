package configcheck

import (
	"testing"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddygrant/caddy-grant/internal/listenerguard"
)

func TestWhatMatchersMatchWithoutARequest(t *testing.T) {
	protocol, unknown := caddyhttp.MatchProtocol("http/1.1"), caddyhttp.MatchProtocol("http/4")
	not := func(matchers ...any) *caddyhttp.MatchNot {
		return &caddyhttp.MatchNot{MatcherSets: []caddyhttp.MatcherSet{matchers}}
	}
	path := func(patterns ...string) *caddyhttp.MatchPath {
		m := caddyhttp.MatchPath(patterns)
		return &m
	}
	for name, test := range map[string]struct {
		matcher       any
		never, always bool
	}{
		"a path":                     {path("/app"), false, false},
		"a path without a slash":     {path("app"), true, false},
		"one of two without a slash": {path("app", "/app"), false, false},
		"a suffix":                   {path("*.php"), false, false},
		"a placeholder":              {path("{env.PATH}"), false, false},
		"all paths":                  {path("/*"), false, true},
		"a host":                     {&caddyhttp.MatchHost{"a.example"}, false, false},
		"a host with a port":         {&caddyhttp.MatchHost{"a.example:443"}, true, false},
		"a URL":                      {&caddyhttp.MatchHost{"https://a.example"}, true, false},
		"an IPv6 address":            {&caddyhttp.MatchHost{"::1"}, false, false},
		"a method":                   {&caddyhttp.MatchMethod{"GET"}, false, false},
		"two methods in one":         {&caddyhttp.MatchMethod{"GET POST"}, true, false},
		"no address":                 {&caddyhttp.MatchRemoteIP{}, true, false},
		"no client address":          {&caddyhttp.MatchClientIP{}, true, false},
		"a query without a value":    {&caddyhttp.MatchQuery{"a": nil}, true, false},
		"a variable without a value": {&caddyhttp.VarsMatcher{"a": nil}, true, false},
		"no variable":                {&caddyhttp.VarsMatcher{}, false, true},
		"no header":                  {&caddyhttp.MatchHeader{}, false, true},
		"a protocol":                 {&protocol, false, false},
		"an unknown protocol":        {&unknown, true, false},
		"false":                      {&caddyhttp.MatchExpression{Expr: " false "}, true, false},
		"true":                       {&caddyhttp.MatchExpression{Expr: "true"}, false, true},
		"not all":                    {not(path("*")), true, false},
		"not some":                   {not(path("/app")), false, false},
		"not none":                   {not(path("app")), false, true},
		"the guard of a listener":    {new(listenerguard.Guard), false, true},
	} {
		sets := caddyhttp.MatcherSets{{test.matcher}}
		if never := neverMatch(sets); never != test.never {
			t.Errorf("%s: it never matches: %v", name, never)
		}
		if always := alwaysMatches(sets); always != test.always {
			t.Errorf("%s: it always matches: %v", name, always)
		}
	}
	if neverMatch(nil) || neverMatch(caddyhttp.MatcherSets{{}}) {
		t.Error("no matchers match nothing")
	}
}
