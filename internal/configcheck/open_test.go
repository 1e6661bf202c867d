package configcheck

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/fileserver"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/rewrite"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
)

func TestWhatIsOpenAsItSaysIsLoggedAtTheLevelDebugOnly(t *testing.T) {
	bearer := &handler{"bearer_auth"}
	app1, app2 := &reverseproxy.Handler{}, &reverseproxy.Handler{}
	files := &fileserver.FileServer{}
	asks := &reverseproxy.Handler{Rewrite: &rewrite.Rewrite{Method: "GET", URI: "/verify"}, HandleResponse: []caddyhttp.ResponseHandler{{}}}
	api := func(r *http.Request) bool { return strings.HasPrefix(r.URL.Path, "/api") }
	all := func(*http.Request) bool { return true }
	narrow := caddyhttp.MatcherSets{{&caddyhttp.MatchPath{"/api*"}}}
	for name, test := range map[string]struct {
		http  *caddyhttp.App
		check Check
		want  []string
	}{
		"a check before all":             {app(route(bearer), route(app1), route(files)), Check{Applies: all}, nil},
		"a proxy before the check":       {app(route(app2, bearer, app1)), Check{Applies: all}, []string{OpenRoute + " at http/servers/srv0/routes/0/handle/0"}},
		"files before the check":         {app(route(files, bearer, app1)), Check{Applies: all}, []string{OpenRoute + " at http/servers/srv0/routes/0/handle/0"}},
		"a forward_auth before it":       {app(route(asks, bearer, app1)), Check{Applies: all}, nil},
		"no check at all":                {app(route(app1), route(files)), Check{Applies: all}, nil},
		"a check that is off":            {app(route(app2, bearer, app1)), Check{Applies: all, Off: true}, nil},
		"a check of a part":              {app(route(bearer, app1)), Check{Applies: api, Matchers: narrow}, []string{OpenRest + " at Caddyfile:3"}},
		"a check with exceptions":        {app(route(bearer, app1)), Check{Applies: func(r *http.Request) bool { return !api(r) }, Matchers: narrow}, nil},
		"a check that panics on a probe": {app(route(bearer, app1)), Check{Applies: func(*http.Request) bool { panic("no address") }, Matchers: narrow}, []string{OpenRest + " at Caddyfile:3"}},
	} {
		t.Run(name, func(t *testing.T) {
			test.check.Handler, test.check.DefinedAt, test.check.Server = bearer, "Caddyfile:3", "default"
			for _, level := range []zapcore.Level{zap.DebugLevel, zap.InfoLevel} {
				core, logs := observer.New(level)
				Warn(zap.New(core), test.http, Config{Checks: []Check{test.check}, ListenerHasGap: func(*caddyhttp.Server) bool { return false }})
				var got []string
				for _, entry := range logs.All() {
					if entry.Message == OpenRoute || entry.Message == OpenRest {
						got = append(got, fmt.Sprint(entry.Message, " at ", entry.ContextMap()["place"]))
					}
				}
				want := test.want
				if level != zap.DebugLevel {
					want = nil
				}
				if !slices.Equal(got, want) {
					t.Errorf("at %v: %v, want %v", level, got, want)
				}
			}
		})
	}
}
