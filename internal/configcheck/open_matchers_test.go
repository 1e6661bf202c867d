package configcheck

import (
	"testing"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

func TestWhoDecidesThatARequestIsLeftUnchecked(t *testing.T) {
	header := &caddyhttp.MatchHeader{"X-Skip": {"1"}}
	address := &caddyhttp.MatchRemoteIP{Ranges: []string{"10.0.0.0/8"}}
	path, nothing := &caddyhttp.MatchPath{"/api*"}, &caddyhttp.MatchPath{"api"}
	all := &caddyhttp.MatchPath{"/*"}
	not := func(sets ...caddyhttp.MatcherSet) *caddyhttp.MatchNot { return &caddyhttp.MatchNot{MatcherSets: sets} }
	type sets = []caddyhttp.MatcherSet
	for name, test := range map[string]struct {
		sets sets
		want string
	}{
		"a header":                               {sets{{header}}, OpenByClient},
		"a header and an address":                {sets{{header, address}}, OpenByClient},
		"a header or an address":                 {sets{{header}, {address}}, OpenByAddress},
		"neither a header nor an address":        {sets{{not(caddyhttp.MatcherSet{header}, caddyhttp.MatcherSet{address})}}, OpenByClient},
		"not a header and an address at once":    {sets{{not(caddyhttp.MatcherSet{header, address})}}, OpenByAddress},
		"not a header of some paths":             {sets{{not(caddyhttp.MatcherSet{header, path})}}, ""},
		"a header, denied twice":                 {sets{{not(caddyhttp.MatcherSet{not(caddyhttp.MatcherSet{header, address})})}}, OpenByClient},
		"a header or everything":                 {sets{{header}, {all}}, ""},
		"a header, and not what never matches":   {sets{{header, not(caddyhttp.MatcherSet{nothing})}}, OpenByClient},
		"an expression over the query":           {sets{{&caddyhttp.MatchExpression{Expr: `{http.request.uri.query.a} != "b"`}}}, OpenByClient},
		"an expression over a path":              {sets{{&caddyhttp.MatchExpression{Expr: `!path('/a*')`}}}, ""},
		"an expression over a header, shortened": {sets{{&caddyhttp.MatchExpression{Expr: `!header({'X-Skip': '1'})`}}}, OpenByClient},
		"a variable that is a header":            {sets{{&caddyhttp.VarsMatcher{"{http.request.header.X-Skip}": {"1"}}}}, OpenByClient},
		"a variable":                             {sets{{&caddyhttp.VarsMatcher{"open": {"1"}}}}, OpenByOther},
	} {
		t.Run(name, func(t *testing.T) {
			if got := gapOfSets(test.sets, nil, false); got.by != test.want {
				t.Errorf("%q, want %q", got.by, test.want)
			}
		})
	}
}
