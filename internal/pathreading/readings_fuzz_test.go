package pathreading

import (
	"net/url"
	"slices"
	"strings"
	"testing"
)

// Whatever the target of a request: an open path is open in all its readings, the short
// way for plain paths agrees with the long way, and no step leads out of the readings.
func FuzzReadings(f *testing.F) {
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
		readings := Of(u)
		if len(readings.List) == 0 || readings.List[0].Path != u.Path || len(readings.List) > maxReadings {
			t.Fatalf("%q has the readings %q", target, readings.List)
		}
		if plain := IsPlain(u); plain && (readings.Doubt != NoDoubt || len(readings.List) != 1 || u.EscapedPath() != u.Path) {
			t.Fatalf("%q is plain, and read as %q", target, readings.List)
		}
		if readings.Doubt == NoDoubt {
			for _, r := range readings.List {
				for _, step := range steps {
					if to := step(r.Path); !slices.ContainsFunc(readings.List, func(r Reading) bool { return r.Path == to }) {
						t.Fatalf("%q: a step leads from %q to %q", target, r.Path, to)
					}
				}
				if hasDotSegment(r.Path) || strings.Contains(r.Path, "/../") {
					t.Fatalf("%q is read as %q", target, r.Path)
				}
			}
		}

		if checkOpen(path) == nil && path != "/" {
			open := OpenPaths{{path: path, below: below}}
			has := open.Have(u)
			if has != open.haveUnplain(u) {
				t.Fatalf("%q: the short way says %v", target, has)
			}
			if has && readings.Doubt != NoDoubt {
				t.Fatalf("%q is open, and in doubt", target)
			}
			for _, r := range readings.List {
				if has && open.rule(r.Path) < 0 {
					t.Fatalf("%q is open, and may be read as %q", target, r.Path)
				}
			}
			if has && !strings.HasPrefix(u.EscapedPath(), (&url.URL{Path: path}).EscapedPath()) && !strings.ContainsAny(u.EscapedPath(), "%[]") {
				t.Fatalf("%q is open, which does not begin with %q", target, path)
			}
		}
	})
}
