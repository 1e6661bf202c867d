package caddygrant

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
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

// Whatever the target of a request: an open path is open in all its readings, the short
// way for plain paths agrees with the long way, no step leads out of the readings, and
// a request is unchanged after the matchers have run.
func FuzzPathReadings(f *testing.F) {
	for _, target := range []string{
		"/", "/assets/x", "/assets/a..b.js", "/assets/x;v=1", "/admin;v=1/7", "/%2561dmin/7", "/admin%20/7", "/contacts/..%2fhealthz", "/assets/..;/admin/x", "/assets/%2e%2e;/admin",
		"/assets/..%5cadmin", "/projects/a%2Fb", "/queues/%2F/q", "/@a%2fb", "//admin/7", "//x/admin", "/admin%00.js", "/./admin", "/admin./x", "/admin%2f7", "/%c0%ae%c0%ae/", "/caf%C3%A9",
		"*", "x:admin", "http://h/assets/x", "/%25u002e", "/assets/%ff", "/assets/;x", "/healthz", "/healthz/", "/assets", "/a%3f/b%23c", "/a\\b", "/%E2%80%8b.", "/x%5B", "/[x]",
	} {
		f.Add(target, "/assets", true)
		f.Add(target, "/healthz", false)
	}
	f.Add("/0%21", "/0", false)
	f.Add("/assets/\u00e9;x", "/assets/\u00e9", true)
	f.Fuzz(func(t *testing.T, target, path string, below bool) {
		u, err := url.ParseRequestURI(target)
		if err != nil {
			return
		}
		readings := pathreading.ReadingsOf(u)
		if len(readings.List) == 0 || readings.List[0].Path != u.Path || len(readings.List) > pathreading.MaxReadings {
			t.Fatalf("%q has the readings %q", target, readings.List)
		}
		if plain := pathreading.IsPlainPath(u); plain && (readings.Doubt != pathreading.NoDoubt || len(readings.List) != 1 || u.EscapedPath() != u.Path) {
			t.Fatalf("%q is plain, and read as %q", target, readings.List)
		}
		if readings.Doubt == pathreading.NoDoubt {
			for _, r := range readings.List {
				for _, step := range pathreading.ReadingSteps {
					if to := step(r.Path); !slices.ContainsFunc(readings.List, func(r pathreading.Reading) bool { return r.Path == to }) {
						t.Fatalf("%q: a step leads from %q to %q", target, r.Path, to)
					}
				}
				if pathreading.HasDotSegment(r.Path) || strings.Contains(r.Path, "/../") {
					t.Fatalf("%q is read as %q", target, r.Path)
				}
			}
		}

		if pathreading.CheckOpenPath(path) == nil && path != "/" {
			open := pathreading.OpenPaths{{Path: path, Below: below}}
			has := open.Have(u)
			if has != open.HaveUnplain(u) {
				t.Fatalf("%q: the short way says %v", target, has)
			}
			if has && readings.Doubt != pathreading.NoDoubt {
				t.Fatalf("%q is open, and in doubt", target)
			}
			for _, r := range readings.List {
				if has && open.Rule(r.Path) < 0 {
					t.Fatalf("%q is open, and may be read as %q", target, r.Path)
				}
			}
			if has && !strings.HasPrefix(u.EscapedPath(), (&url.URL{Path: path}).EscapedPath()) && !strings.ContainsAny(u.EscapedPath(), "%[]") {
				t.Fatalf("%q is open, which does not begin with %q", target, path)
			}
		}

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
