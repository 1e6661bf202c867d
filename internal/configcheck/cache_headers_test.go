package configcheck

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/headers"
)

// With this block, which is in many Caddyfiles, a shared cache kept the pages of one user
// for all others, and the Set-Cookie of the user's session with them.
func TestADeferredHeaderMustNotMakePrivateAnswersPublic(t *testing.T) {
	const warning = "header sets Cache-Control after a login_page or bearer_auth has made an answer private at http/servers/srv0/routes/0/handle/0"
	set := func(name, value string) headers.HeaderOps { return headers.HeaderOps{Set: http.Header{name: {value}}} }
	deferred := func(ops headers.HeaderOps) *headers.RespHeaderOps {
		return &headers.RespHeaderOps{HeaderOps: &ops, Deferred: true}
	}
	unless := deferred(set("Cache-Control", "public"))
	unless.Require = &caddyhttp.ResponseMatcher{Headers: http.Header{"Cache-Control": nil}}
	if200 := deferred(set("Cache-Control", "public"))
	if200.Require = &caddyhttp.ResponseMatcher{StatusCode: []int{200}}
	for name, test := range map[string]struct {
		response *headers.RespHeaderOps
		want     bool
	}{
		"public":              {deferred(set("Cache-Control", "public, max-age=3600")), true},
		"a lifetime":          {deferred(set("cache-control", "max-age=3600")), true},
		"for one network":     {deferred(set("CDN-Cache-Control", "max-age=3600")), true},
		"for some answers":    {if200, true},
		"deleted":             {deferred(headers.HeaderOps{Delete: []string{"cache-control"}}), true},
		"replaced":            {deferred(headers.HeaderOps{Replace: map[string][]headers.Replacement{"Cache-Control": {{Search: "private"}}}}), true},
		"private":             {deferred(set("Cache-Control", "max-age=3600, Private")), false},
		"no-store":            {deferred(set("Cache-Control", "no-store")), false},
		"set before":          {&headers.RespHeaderOps{HeaderOps: &headers.HeaderOps{Set: http.Header{"Cache-Control": {"public"}}}}, false},
		"where there is none": {unless, false},
		"another header":      {deferred(headers.HeaderOps{Delete: []string{"Server"}}), false},
		"nothing":             {&headers.RespHeaderOps{Deferred: true}, false},
		"of the request":      {nil, false},
	} {
		bearer, endpoint := &handler{"bearer_auth"}, &handler{"token_endpoint"}
		header := &headers.Handler{Response: test.response}
		for _, behind := range []*handler{bearer, endpoint} {
			for _, page := range []bool{true, false} {
				config := Config{
					Checks: []Check{{
						Handler: bearer, Server: "default",
						Applies: func(*http.Request) bool { return true },
					}},
					Endpoints: []Endpoint{{Handler: endpoint, Path: "/token", LoginPage: page}},
					Servers: []Server{{
						Name: "default", LoginPage: page,
						Clients: slices.Values([]Client(nil)), UserClaims: slices.Values([]string(nil)),
					}},
				}
				want := ""
				if test.want && page {
					want = warning
				}
				some := &caddyhttp.MatchPath{"/some/*"}
				for _, http := range []*caddyhttp.App{app(route(header, behind)), app(matched(some, header), route(behind))} {
					if got := strings.Join(warned(http, config), "\n"); got != want {
						t.Errorf("%s, before %s, page %v: %q, want %q", name, behind.name, page, got, want)
					}
				}
			}
		}
	}
}
