package caddygrant

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"testing"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddygrant/caddy-grant/internal/pathreading"
)

// asked is a matcher that notes which paths it was asked for.
type asked struct {
	paths   []string
	matches func(path string) bool
}

func (a *asked) MatchWithError(r *http.Request) (bool, error) {
	a.paths = append(a.paths, r.URL.Path)
	return a.matches(r.URL.Path), nil
}

// Whatever the target of a request: the matchers are asked about every reading of its
// path, about the path itself last, and the request is unchanged after that.
func FuzzMatchersSeeEveryReading(f *testing.F) {
	for _, target := range []string{
		"/", "/assets/x", "/assets/a..b.js", "/assets/x;v=1", "/admin;v=1/7", "/%2561dmin/7", "/admin%20/7", "/contacts/..%2fhealthz", "/assets/..;/admin/x", "/assets/%2e%2e;/admin",
		"/assets/..%5cadmin", "/projects/a%2Fb", "/queues/%2F/q", "/@a%2fb", "//admin/7", "//x/admin", "/admin%00.js", "/./admin", "/admin./x", "/admin%2f7", "/%c0%ae%c0%ae/", "/caf%C3%A9",
		"*", "x:admin", "http://h/assets/x", "/%25u002e", "/assets/%ff", "/assets/;x", "/healthz", "/healthz/", "/assets", "/a%3f/b%23c", "/a\\b", "/%E2%80%8b.", "/x%5B", "/[x]",
	} {
		f.Add(target)
	}
	f.Fuzz(func(t *testing.T, target string) {
		u, err := url.ParseRequestURI(target)
		if err != nil {
			return
		}
		readings := pathreading.Of(u)
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.URL, r.RequestURI = u, target
		before := *u
		for name, matches := range map[string]func(string) bool{
			"none": func(string) bool { return false }, "other": func(p string) bool { return p != before.Path }, "itself": func(p string) bool { return p == before.Path },
		} {
			matcher := &asked{matches: matches}
			b := &BearerAuth{matchers: caddyhttp.MatcherSets{{matcher}}}
			needed, refusal, err := b.needsCheck(r)
			want := name == "itself" || readings.Doubt != pathreading.NoDoubt || name == "other" && slices.ContainsFunc(readings.List, func(r pathreading.Reading) bool { return r.Path != before.Path })
			if err != nil || needed != want || (refusal != nil) != (readings.Doubt != pathreading.NoDoubt && name != "itself") {
				t.Fatalf("%q, %s: %v %v %v", target, name, needed, refusal, err)
			}
			if matcher.paths[len(matcher.paths)-1] != before.Path {
				t.Fatalf("%q, %s: the matcher was asked for %q at last", target, name, matcher.paths)
			}
			if *u != before || r.RequestURI != target || r.URL != u {
				t.Fatalf("%q, %s: the request has %+v and %q then", target, name, *u, r.RequestURI)
			}
		}
	})
}
