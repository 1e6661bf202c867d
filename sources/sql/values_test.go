package sql

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
)

// refused is the result for a value that is refused.
type refused string

func TestValues(t *testing.T) {
	for name, test := range map[string]struct {
		take   func(any) (any, error)
		values []any // a value and what becomes of it
	}{
		"text": {as(text), []any{
			nil, "", "alice", "alice", []byte("alice"), "alice", int64(-7), "-7", int64(1 << 62), "4611686018427387904",
			1.5, refused("convert it"), true, refused("a boolean"), time.Now(), refused("a time"),
		}},
		"given": {as(given), []any{nil, refused("NULL"), "", "", "x", "x"}},
		"flag": {as(flag), []any{
			nil, false, true, true, false, false, int64(0), false, int64(1), true, "t", true, "False", false,
			int64(2), refused("0 or 1"), "yes", refused("0 or 1"), time.Now(), refused("IS NOT NULL"),
		}},
		"list": {as(list), []any{
			nil, []string(nil), "null", []string(nil), "", []string{}, "  ", []string{}, "read", []string{"read"},
			"read  write\n", []string{"read", "write"}, "{}", []string{}, `{read,"wr,ite"}`, []string{"read", "wr,ite"},
			"[]", []string{}, ` ["read", "write"]`, []string{"read", "write"}, "a[1] {b}", []string{"a[1]", "{b}"},
			"{read", refused("not an array"), "[read]", refused("JSON array"), "[1]", refused("JSON array"),
			"{read,NULL}", refused("NULL"), `["read",null]`, refused("NULL"), true, refused("a boolean"),
		}},
		"object": {as(object), []any{
			nil, map[string]json.RawMessage(nil), "null", map[string]json.RawMessage(nil), "{}", map[string]json.RawMessage{},
			`{"a": [1, 2]}`, map[string]json.RawMessage{"a": json.RawMessage(`[1, 2]`)},
			"", refused("JSON object"), "[]", refused("JSON object"), `{"a":1,"a":2}`, refused("duplicate"), `{"a":1} x`, refused("JSON object"),
		}},
		"date": {as(date), []any{
			nil, "", "2027-01-31", "2027-01-31", time.Date(2027, 1, 31, 1, 0, 0, 0, time.FixedZone("", 3600)), "2027-01-31T00:00:00Z",
			true, refused("a boolean"),
		}},
		"duration": {as(duration), []any{
			nil, caddy.Duration(0), "", caddy.Duration(0), "15m", caddy.Duration(15 * time.Minute), "1d", caddy.Duration(24 * time.Hour),
			int64(90), caddy.Duration(90 * time.Second), int64(-1), refused("duration"), int64(1 << 62), refused("duration"),
			"00:15:00", refused("duration"), 1.5, refused("a number with a fraction"),
		}},
	} {
		t.Run(name, func(t *testing.T) {
			for i := 0; i < len(test.values); i += 2 {
				value, want := test.values[i], test.values[i+1]
				got, err := test.take(value)
				if text, refuses := want.(refused); refuses {
					if err == nil || !strings.Contains(err.Error(), string(text)) {
						t.Errorf("%v: %v, %v; want an error with %q", value, got, err, text)
					}
				} else if err != nil || !reflect.DeepEqual(got, want) {
					t.Errorf("%v: %#v, %v; want %#v", value, got, err, want)
				}
			}
		})
	}
}

func as[T any](take func(any) (T, error)) func(any) (any, error) {
	return func(value any) (any, error) { return take(value) }
}

func TestSQLiteURI(t *testing.T) {
	const pragma = "_pragma=busy_timeout%281000%29&mode=ro"
	for dsn, want := range map[string]string{
		"users.db":                               "file:users.db?" + pragma,
		"/var/lib/a b?c#d%41.db":                 "file:/var/lib/a%20b%3Fc%23d%2541.db?" + pragma,
		"file:/var/lib/users.db":                 "file:/var/lib/users.db?" + pragma,
		"file:users.db?mode=ro&immutable=1":      "file:users.db?_pragma=busy_timeout%281000%29&immutable=1&mode=ro",
		"file:users.db?_pragma=busy_timeout(50)": "file:users.db?_pragma=busy_timeout%2850%29&mode=ro",
		"file:users.db?mode=rwc":                 "",
		"file::memory:":                          "",
		":memory:":                               "",
	} {
		got, err := sqliteURI(dsn)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%s: %s, %v; want %s", dsn, got, err, want)
		}
	}
}
