package issuer

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// RFC 9111 §5.2.2.
func TestHowLongKeysMayBeKept(t *testing.T) {
	for header, want := range map[string]time.Duration{
		"":                                  -1,
		"no-store":                          0,
		"no-store, max-age=3600":            0,
		"max-age=3600, No-Store":            0,
		"no-cache":                          0,
		"max-age=3600, no-cache":            0,
		`no-cache="Set-Cookie", max-age=60`: time.Minute,
		"must-revalidate, private":          -1,
		"max-age=60":                        time.Minute,
		"public, max-age=3600":              time.Hour,
		"MAX-AGE=60":                        time.Minute,
		`max-age="60"`:                      time.Minute,
		"max-age=0":                         0,
		"max-age=-1":                        -1,
		"max-age=99999999999999":            -1,
		"max-age=1e3":                       -1,
		"s-maxage=60":                       -1,
		"max-age=x, max-age=60":             time.Minute,
		"max-age":                           -1,
		"no-transform,max-age=120,x=":       2 * time.Minute,
	} {
		if got := freshness(http.Header{"Cache-Control": {header}}); got != want {
			t.Errorf("%q: %v", header, got)
		}
	}
}

// RFC 9111 §4.2.3 and §5.1.
func TestWhatWasInACacheIsFreshForLess(t *testing.T) {
	for _, test := range []struct {
		control, age string
		want         time.Duration
	}{
		{"max-age=120", "118", 2 * time.Second}, {"max-age=120", "0", 2 * time.Minute}, {"max-age=120", "", 2 * time.Minute},
		{"max-age=120", "120", 0}, {"max-age=120", "99999", 0},
		{"max-age=120", "-5", 2 * time.Minute}, {"max-age=120", "x", 2 * time.Minute}, {"max-age=120", "1.5", 2 * time.Minute},
		{"", "118", -1}, {"no-store", "118", 0},
	} {
		header := http.Header{"Cache-Control": {test.control}, "Age": {test.age}}
		if got := freshness(header); got != test.want {
			t.Errorf("%q at the age of %q: %v, want %v", test.control, test.age, got, test.want)
		}
	}
	if got := freshness(http.Header{"Cache-Control": {"max-age=120"}, "Age": {"100", "5"}}); got != 20*time.Second {
		t.Errorf("with two ages: %v", got)
	}
}

func TestTheNextFetchIsWhenTheKeysAreNoLongerFresh(t *testing.T) {
	p := usualPace
	for header, want := range map[string]time.Duration{
		"": 15 * time.Minute, "max-age=0": time.Minute, "max-age=59": time.Minute, "max-age=600": 9 * time.Minute, "max-age=99999": time.Hour,
		"no-store": time.Minute, "no-cache": time.Minute,
	} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Cache-Control", header)
			w.Header().Set("Age", "60")
			answerBody("application/json", jwks(es256("k")))(w, r)
		}))
		k := &Keys{options: Options{URL: staff, JWKSURL: s.URL}, pace: p, fetcher: newFetcher(NewTransport(nil), p.limit)}
		if _, next, err := k.fetch(context.Background()); err != nil || next != want {
			t.Errorf("%q: the next fetch is in %v, %v", header, next, err)
		}
		s.Close()
	}
}
