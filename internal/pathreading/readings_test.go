package pathreading

import (
	"net/url"
	"slices"
	"strings"
	"testing"
)

// parsedPath is the URL that Go's server makes of the target of a request.
func parsedPath(t *testing.T, target string) *url.URL {
	t.Helper()
	u, err := url.ParseRequestURI(target)
	if err != nil {
		t.Fatalf("%s: %v", target, err)
	}
	return u
}

func TestReadingsOfAPath(t *testing.T) {
	for target, others := range map[string][]string{
		"/admin/7":             {},
		"/assets/a..b.js":      {},
		"/.well-known/x":       {},
		"/assets/x;v=1":        {"/assets/x"},
		"/admin;v=1/7":         {"/admin/7", "/admin"},
		"/a;b/c;d":             {"/a/c", "/a"},
		"/a%3bb/x;v":           {"/a;b/x", "/a/x", "/a"},
		"/%2561dmin/7":         {"/admin/7"},
		"/%252561dmin/7":       {"/%61dmin/7", "/admin/7"},
		"/%25u0061dmin/7":      {"/admin/7"},
		"/admin%20/7":          {"/admin/7"},
		"/%20admin/7":          {"/admin/7"},
		"/admin%c2%a0/7":       {"/admin/7"},
		"/admin%e2%80%8b/7":    {"/admin/7"},
		"/admin%ff/7":          {"/admin/7"},
		"/ad%ffmin/7":          {"/admin/7"},
		"/admin./x":            {"/admin/x"},
		"/admin.%20./x":        {"/admin/x"},
		"//admin/7":            {"/admin/7", "/7"},
		"//x/admin/7":          {"/x/admin/7", "/admin/7"},
		"///x//admin/7":        {"/x/admin/7", "/admin/7"},
		"//admin":              {"/admin", "/"},
		"/%2fx/admin/7":        {"/admin/7"},
		"/%5cx/admin/7":        {"/admin/7"},
		"/%255c%255cx/admin/7": {"/admin/7"},
		"/%252fx%252fadmin/7":  {"/admin/7"},
		"/%20/x/admin/7":       {"/admin/7"},
		"/ad%c2%admin/7":       {"/admin/7"},
		"/ad%e2%80%8bmin/7":    {"/admin/7"},
		"/ad%c2%80min/%ff":     {"/admin/\xff"},
		"/admin%00.js":         {"/admin", "/admin.js"},
		"/ad%00min/7":          {"/admin/7", "/ad"},
		"/admin%0d%0a/7":       {"/admin/7"},
		"/admin%5c7":           {"/admin/7"},
		`/admin\7`:             {"/admin/7"},
		"/admin%255c7":         {"/admin/7", `/admin\7`},
		"/admin%2f7":           {"/admin%2f7"},
		"/admin%252f7":         {"/admin/7", "/admin%252f7"},
		"/projects/a%2Fb":      {"/projects/a%2Fb"},
		"/queues/%2F/q":        {"/queues/%2F/q", "/queues/q"},
		"/@a%2fb":              {"/@a%2fb"},
		"/admin%3fx":           {"/admin", "/admin%3fx"},
		"/admin%23x":           {"/admin"},
		"/admin%c0%af7":        {"/admin/7"},
		"/%c1%a1dmin/7":        {"/admin/7"},
		"/admin%e0%80%af7":     {"/admin/7"},
		"/admin%f0%80%80%af7":  {"/admin/7"},
		"/admin%20;v=1%5c7%00": {"/admin/7"},
		"/caf%C3%A9":           {},
		"*":                    {"/*"},
		"http://x":             {"/"},
	} {
		readings := Of(parsedPath(t, target))
		if readings.Doubt != NoDoubt {
			t.Errorf("%s is in doubt: %d", target, readings.Doubt)
		}
		for _, other := range others {
			if !slices.ContainsFunc(readings.List[1:], func(r Reading) bool { return r.Path == other }) {
				t.Errorf("%s is not read as %s, only as %q", target, other, readings.List)
			}
		}
		if len(others) == 0 && len(readings.List) != 1 {
			t.Errorf("%s is read as %q", target, readings.List)
		}
	}
}

func TestDotSegmentsInAnyReading(t *testing.T) {
	for _, target := range []string{
		"/contacts/7/../../healthz", "/contacts/..%2fhealthz", "/assets/..;/admin/x", "/assets/%2e%2e;/admin", "/assets/..%5cadmin", `/assets/..\admin`,
		"/admin/users/..%2f..%2f..%2f7", "/./admin", "/.", "/..", "/a/..", "/a/.%2e", "/a/%252e%252e/b", "/a/%25252e./b", "/a/..%00/b", "/a/..%00.js", "/a/%00../b",
		"/a/..%20/b", "/a/%20../b", "/a/.%20./b", "/a/.../b", "/a/..%09/b", "/a/..%c2%a0/b", "/a/..%ff/b", "/a/%c0%ae%c0%ae/b", "/a/..%c0%af/b", "/a/%25c0%25ae./b",
		"/a/..%3fx", "/a/..%23x", "/a/..%3bx/b", "/a/..;x%2fb", "//../a", "/a;/../b", "/a/..%255cb", "/a/..%252fb", "/a/%u002e", "/a/%25u002e./b", "/a/;/../b", "/a/.;x/b",
	} {
		u, err := url.ParseRequestURI(target)
		if err != nil { // Caddy answers it 400
			continue
		}
		if readings := Of(u); readings.Doubt != DotSegment {
			t.Errorf("%s: doubt %d of %q", target, readings.Doubt, readings.List)
		}
		if IsPlain(u) {
			t.Errorf("%s is plain", target)
		}
	}
}

func TestReadingsAreBounded(t *testing.T) {
	for name, target := range map[string]string{
		"too many":   "//x%20;a/%2520." + strings.Repeat(`%20%252525253b%255c%00%3f%23\`, 3),
		"nested":     "/%" + strings.Repeat("25", 100) + "61",
		"too long":   "/" + strings.Repeat("a;/", 30000),
		"one target": "x:admin/7",
	} {
		readings := Of(parsedPath(t, target))
		if readings.Doubt == NoDoubt || len(readings.List) > maxReadings || len(readings.List) == 0 {
			t.Errorf("%s: doubt %d, %d readings", name, readings.Doubt, len(readings.List))
		}
	}
	long := "/" + strings.Repeat("%D1%84", 5000)
	if readings := Of(parsedPath(t, long)); readings.Doubt != NoDoubt || len(readings.List) != 1 {
		t.Errorf("a long path of one reading has %d and the doubt %d", len(readings.List), readings.Doubt)
	}
}

// A matcher that has a % in its pattern compares the escaped path.
func TestReadingsOfMatchersThatCompareTheEscapedPath(t *testing.T) {
	for target, want := range map[string]string{
		"/queues/%2F/q":     "/queues/%2F/q",
		"/queues;v/%2F/q":   "/queues/%2F/q",
		"/queues%20/%2F/q":  "/queues/%2F/q",
		"/queues/%252F/q":   "/queues/%2F/q",
		"/%71ueues/%2F/q":   "/queues/%2F/q",
		"/queues%20/%252Fq": "/queues/%2Fq",
	} {
		u := parsedPath(t, target)
		if !slices.ContainsFunc(Of(u).List, func(r Reading) bool {
			return (&url.URL{Path: r.Path, RawPath: r.Raw}).EscapedPath() == want
		}) {
			t.Errorf("%s: no reading is escaped as %s", target, want)
		}
	}
}

func TestPlainPathsAllocateNoMemory(t *testing.T) {
	u, open := parsedPath(t, "/assets/css/site.min.css"), OpenPaths{{path: "/healthz"}, {path: "/assets", below: true}}
	if allocations := testing.AllocsPerRun(100, func() {
		if !IsPlain(u) || !open.Have(u) {
			t.Fatal("it is not plain, or not open")
		}
	}); allocations != 0 {
		t.Errorf("%v allocations", allocations)
	}
}

func TestWhatIsOpen(t *testing.T) {
	open, err := ParseOpen([]string{"/healthz", "/assets/*", "/файлы/*", "/caf\u00e9", "/", "/@a/-._~$&+,:=!'()[x]/*"})
	if err != nil {
		t.Fatal(err)
	}
	for _, target := range []string{
		"/healthz", "/healthz?x=../y", "/", "/?", "/assets", "/assets/", "/assets/x", "/assets/a..b.js", "/assets/.hidden", "/assets/..x", "/assets/x;v=1", "/assets/x;v=1/y;z",
		"/assets/x;", "/assets/x;/", "/%D1%84%D0%B0%D0%B9%D0%BB%D1%8B/x", "/%d1%84%d0%b0%d0%b9%d0%bb%d1%8b", "/файлы/x", "/caf%C3%A9", "/assets/%E0%A4%95%E0%A5%80", "http://other.example/healthz",
		"/@a/-._~$&+,:=!'()[x]/y", "/assets/[slug].js", "/assets/*",
	} {
		if !open.Have(parsedPath(t, target)) {
			t.Errorf("%s is closed", target)
		}
	}
	for _, target := range []string{
		"/HEALTHZ", "/Healthz", "/healthz/", "/healthz/x", "/healthzz", "/healthz.", "/healthz;v=1", "/healthz;", "/healthz%20", "/healthz%00", "/healthz%2f", "/healthz%3fx", "/%68ealthz", "/healt%68z",
		"//healthz", "/x/../healthz", "/./healthz", "/healthz/.", "/healthz/..", `/healthz\`, "/healthz%5c", "/healthz%23", "/healthz%0a", "/healthz%09", "/healthz%c2%a0", "/healthz%e2%80%8b",
		"/assetsx", "/Assets/x", "/assets%2fx", "/assets/%2e%2e/admin", "/assets/%2e%2e;/admin", "/assets/..%5cadmin", "/assets/..;/admin/x", "/assets/../admin", "/assets/./x", "/assets//x", "/assets//",
		"/assets/x.", "/assets/x./y", "/assets/...", "/assets/x%20y", "/assets/x%2fy", "/assets/%61", "/assets/a%25b", "/assets/a%252e", "/assets;v=1/x", "/assets/;v=1", "/assets/;/x", "/assets/.;x",
		"/assets/..;x", "/assets/a.;x/y", "/assets/x;v=1.", "/assets/a;/../b", "/assets/x%3bv", "/assets/%5Bslug%5D.js", "/assets/%EF%BC%8F", "/assets/%EF%BC%8E%EF%BC%8E/x", "/assets/%c0%ae%c0%ae/x",
		"/assets/%ff", "/assets/%E2%80%AE", "/assets/%F0%9F%98%80", "/cafe%CC%81", "/%D1%84%D0%B0%D0%B9%D0%BB%D1%8B%20", "*", "http://other.example", "x:healthz", "//assets/admin/x", "//x/healthz",
	} {
		if open.Have(parsedPath(t, target)) {
			t.Errorf("%s is open", target)
		}
	}
	for _, u := range []*url.URL{{}, {Path: "healthz"}, {Path: "/healthz", Opaque: "/healthz"}, {Path: "/healthz", RawPath: "/healthz%2f"}, {Path: "/assets/\xff"}} {
		if got := open.Have(u); got != (u.RawPath != "") { // an escaped form that is not the path's is not sent on
			t.Errorf("%+v is open: %v", u, got)
		}
	}
}

// Rewritten paths have no escaped form, so it is made up as for the next handler.
func TestPathsThatARewriteLeft(t *testing.T) {
	open := OpenPaths{{path: "/assets", below: true}}
	for path, want := range map[string]bool{
		"/assets/x": true, "/assets/\u00e9": true, "/assets/a b": false, "/assets/a?b": false, "/assets/%2e%2e/x": false, "/assets/[x]": false, `/assets/..\x`: false, "assets/x": false,
	} {
		if got := open.Have(&url.URL{Path: path}); got != want {
			t.Errorf("%q is open: %v", path, got)
		}
	}
}

// Go escapes some marks that may be unescaped in a path. Escaped they are not plain,
// and a matcher that compares the escaped path is asked for both spellings.
func TestMarksInAPathHaveTwoSpellings(t *testing.T) {
	for _, target := range []string{"/p(x)!/7", "/p%28x%29%21/7", "/p%28x%29%21;v/7", "/%2570(x)!/7", "/p(x)!%20/7"} {
		u := parsedPath(t, target)
		if IsPlain(u) {
			t.Errorf("%s is plain", target)
		}
		for _, want := range []string{"/p(x)!/7", "/p%28x%29%21/7"} {
			if !slices.ContainsFunc(Of(u).List, func(r Reading) bool { return (&url.URL{Path: r.Path, RawPath: r.Raw}).EscapedPath() == want }) {
				t.Errorf("%s is not read as %s, only as %q", target, want, Of(u).List)
			}
		}
	}
	open := OpenPaths{{path: "/p", below: true}}
	if !open.Have(parsedPath(t, "/p/a!b")) || open.Have(parsedPath(t, "/p/a%21b")) {
		t.Error("a mark is open as it is, and not if it is escaped")
	}
}
