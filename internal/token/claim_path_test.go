package token

import (
	"reflect"
	"testing"
)

func TestAClaimIsFoundByItsExactNameBeforeDots(t *testing.T) {
	claims := map[string]any{
		"plain":                   "p",
		"realm_access":            map[string]any{"roles": []any{"a"}, "deep.er": map[string]any{"x": true}},
		"realm_access.roles":      "exact",
		"https://a.example/roles": []any{"b"},
		"https://a.example/app":   map[string]any{"roles": "nested"},
		"resource_access":         map[string]any{"my.app": map[string]any{"roles": []any{"c"}}},
		"list":                    []any{map[string]any{"x": 1}},
		"empty":                   "",
		"a":                       map[string]any{"b.c": "short", "": "unnamed"},
		"a.b":                     map[string]any{"c": "long"},
		"none":                    nil,
		"r.empty":                 "",
		"r.null":                  nil,
		"r.list":                  []any{},
		"r":                       map[string]any{"empty": "nested", "null": "nested", "list": "nested", "in.null": nil, "in": map[string]any{"null": "nested"}},
	}
	claim := func(name string) (any, bool) { claim, there := claims[name]; return claim, there }
	for path, want := range map[string]any{
		"plain":                        "p",
		"realm_access.roles":           "exact",
		"realm_access.deep.er.x":       true,
		"https://a.example/roles":      []any{"b"},
		"https://a.example/app.roles":  "nested",
		"resource_access.my.app.roles": []any{"c"},
		"a.b.c":                        "long", // the longer name is the more exact one
		"a.":                           "unnamed",
		"list.x":                       nil,
		"list.0.x":                     nil,
		"plain.x":                      nil,
		"missing":                      nil,
		"missing.x":                    nil,
		"realm_access.missing":         nil,
		"empty":                        "",
		"r.empty":                      "", // also where it is nothing
		"r.null":                       nil,
		"r.list":                       []any{},
		"r.in.null":                    nil,
		"none.x":                       nil,
		"":                             nil,
		".":                            nil,
		"...":                          nil,
	} {
		if got, _ := ClaimAt(claim, path); !reflect.DeepEqual(got, want) {
			t.Errorf("%q is %v, want %v", path, got, want)
		}
	}
}
