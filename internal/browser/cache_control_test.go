package browser

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
)

func TestAnAnswerIsPrivateWhateverTheAppSays(t *testing.T) {
	type lines = []string
	for _, tt := range []struct {
		name      string
		said, got lines
	}{
		{"public is dropped", lines{"public"}, lines{"private"}},
		{"the time for browsers stays", lines{"public, max-age=3600"}, lines{"private, max-age=3600"}},
		{"the time for shared caches does not", lines{"max-age=60, s-maxage=3600"}, lines{"private, max-age=60"}},
		{"nor if it is quoted", lines{`max-age=60, s-maxage="3600"`}, lines{"private, max-age=60"}},
		{"nor with spaces around the =", lines{"s-maxage = 3600"}, lines{"private"}},
		{"case does not matter", lines{"Public, S-MaxAge=1, Max-Age=2"}, lines{"private, Max-Age=2"}},
		{"other directives stay", lines{"public, max-age=31536000, immutable, stale-while-revalidate=60, no-transform"}, lines{"private, max-age=31536000, immutable, stale-while-revalidate=60, no-transform"}},
		{"a time alone is not private", lines{"max-age=60"}, lines{"private, max-age=60"}},
		{"must-revalidate lets shared caches keep what has an Authorization", lines{"must-revalidate"}, lines{"private, must-revalidate"}},
		{"no-cache lets shared caches keep it", lines{"no-cache"}, lines{"private, no-cache"}},
		{"no-cache for one field is not about the answer", lines{`no-cache="Set-Cookie"`}, lines{`private, no-cache="Set-Cookie"`}},
		{"a comma in quotes does not separate", lines{`no-cache="Set-Cookie, X-A", public`}, lines{`private, no-cache="Set-Cookie, X-A"`}},
		{"private in quotes is not private", lines{`x="a, private, b"`}, lines{`private, x="a, private, b"`}},
		{"an escaped quote does not end a string", lines{`x="a\", private, \"b"`}, lines{`private, x="a\", private, \"b"`}},
		{"private stays", lines{"private"}, lines{"private"}},
		{"private stays as it was", lines{"max-age=60 ,PRIVATE"}, lines{"max-age=60 ,PRIVATE"}},
		{"private for one field is not private", lines{`private="Set-Cookie"`}, lines{"private"}},
		{"private for a field without quotes is not private", lines{"max-age=60, private=Set-Cookie"}, lines{"private, max-age=60"}},
		{"private with an empty value is not private", lines{"private="}, lines{"private"}},
		{"both are private", lines{`private="X-A", private`}, lines{"private"}},
		{"no-store stays", lines{"no-store"}, lines{"no-store"}},
		{"no-store stays as it was", lines{"no-cache, no-store, must-revalidate"}, lines{"no-cache, no-store, must-revalidate"}},
		{"no-store with a value may not be understood", lines{"no-store=1"}, lines{"private, no-store=1"}},
		{"a cache that understands ignores no-store", lines{"must-understand, no-store"}, lines{"private, must-understand, no-store"}},
		{"public is dropped beside no-store", lines{"public, no-store"}, lines{"no-store"}},
		{"public is dropped beside private", lines{"public, private, max-age=1"}, lines{"private, max-age=1"}},
		{"several lines are one list", lines{"public", "max-age=60"}, lines{"private, max-age=60"}},
		{"several lines stay if one is private", lines{"private", "max-age=60"}, lines{"private", "max-age=60"}},
		{"a semicolon does not hide public", lines{"public; max-age=60"}, lines{"private"}},
		{"a semicolon does not make it private", lines{"private; max-age=60"}, lines{"private"}},
		{"an unknown directive stays", lines{"publicity"}, lines{"private, publicity"}},
		{"a quote that does not end says nothing", lines{`max-age=60, x="public`}, lines{"no-store"}},
		{"nor in the next line", lines{`x="a`, "private"}, lines{"no-store"}},
		{"an empty header is none", lines{""}, lines{"private"}},
		{"commas alone are none", lines{" , ,"}, lines{"private"}},
		{"no header", nil, lines{"private"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := http.Header{}
			if tt.said != nil {
				h["Cache-Control"] = tt.said
			}
			makePrivate(h, false)
			if got := h["Cache-Control"]; !slices.Equal(got, tt.got) {
				t.Errorf("%q became %q, want %q", tt.said, got, tt.got)
			}
			makePrivate(h, false)
			if got := h["Cache-Control"]; !slices.Equal(got, tt.got) {
				t.Errorf("the second time it became %q, want %q", got, tt.got)
			}
			want := tt.got
			if strings.Trim(strings.Join(tt.said, ""), " ,") == "" {
				want = lines{"no-store"}
			}
			h = http.Header{"Cache-Control": tt.said}
			if makePrivate(h, true); !slices.Equal(h["Cache-Control"], want) {
				t.Errorf("of a document %q became %q, want %q", tt.said, h["Cache-Control"], want)
			}
		})
	}
}

func TestHeadersForSharedCachesAreRemoved(t *testing.T) {
	h := http.Header{"Cache-Control": {"private"}, "Etag": {`"1"`}, "Expires": {"0"}, "Vary": {"Cookie"}, "X-Accel-Buffering": {"no"}, "Cdn-Cache": {"HIT"}}
	kept := h.Clone()
	for _, name := range []string{
		"Surrogate-Control", "CDN-Cache-Control", "Cloudflare-CDN-Cache-Control", "Vercel-CDN-Cache-Control", "Netlify-CDN-Cache-Control",
		"Edge-Control", "X-Accel-Expires", "X-LiteSpeed-Cache-Control", "Akamai-Cache-Control",
	} {
		h.Set(name, "public, max-age=3600")
		h[name] = []string{"public, max-age=3600"} // as an app may that writes the header itself
		h[strings.ToLower(name)] = []string{"max-age=3600"}
	}
	makePrivate(h, false)
	if !maps.EqualFunc(h, kept, slices.Equal) {
		t.Errorf("left is %v, want %v", h, kept)
	}

	h = http.Header{"cache-control": {"public, max-age=60"}}
	if makePrivate(h, false); len(h) != 1 || h.Get("Cache-Control") != "private, max-age=60" {
		t.Errorf("in small letters it became %v", h)
	}
}

// Whatever an app says, a cache that reads it strictly and one that splits at every
// comma see that it is private.
func FuzzCacheControl(f *testing.F) {
	for _, value := range []string{"public, max-age=60", `private="x"`, `no-cache="a, public"`, "must-understand, no-store", `x="`, "s-maxage=1", "private, public", `"public"`, `a\"b`} {
		f.Add(value, "max-age=1")
	}
	f.Fuzz(func(t *testing.T, first, second string) {
		h := http.Header{"Cache-Control": {first, second}}
		makePrivate(h, false)
		said := strings.Join(h["Cache-Control"], ", ")
		strict, ok := splitDirectives(said)
		if !ok {
			t.Fatalf("%q, %q became %q, which cannot be read", first, second, said)
		}
		for _, directives := range [][]string{strict, strings.Split(said, ",")} {
			var names []string
			for _, directive := range directives {
				names = append(names, strings.ToLower(strings.TrimSpace(directive)))
			}
			private := slices.Contains(names, "private") || slices.Contains(names, "no-store") && !slices.Contains(names, "must-understand")
			if !private {
				t.Fatalf("%q, %q became %q, which is not private", first, second, said)
			}
		}
		for _, directive := range strict {
			if name := strings.ToLower(directive); name == "public" || strings.HasPrefix(name, "s-maxage=") {
				t.Fatalf("%q, %q became %q", first, second, said)
			}
		}
	})
}
