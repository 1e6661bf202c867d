package configcheck

import (
	"encoding/json"
	"reflect"
	"testing"
)

func TestTheHalfThatAPatternLeavesOut(t *testing.T) {
	for _, test := range []struct {
		pattern string
		others  []string
		want    string
	}{
		{"/app", nil, "/app/*"},
		{"/app/", nil, "/app/*"},
		{"/app/*", nil, "/app"},
		{"/app", []string{"/app/*"}, ""},
		{"/app/*", []string{"/APP"}, ""},
		{"/app/*", []string{"/app*"}, ""},
		{"/app", []string{"/other/*"}, "/app/*"},
		{"/app", []string{"*"}, ""},
		{"/app/*", []string{"*pp"}, ""},
		{"/app", []string{"*ap*"}, ""},
		{"/*", nil, ""},
		{"/app*", nil, ""},
		{"/{app}/*", nil, ""},
		{"/logo.png", nil, ""},
		{"/index.php", nil, "/index.php/*"},
		{"/v1.2/*", nil, "/v1.2"},
	} {
		if got := missingHalf(test.pattern, append(test.others, test.pattern)); got != test.want {
			t.Errorf("%s beside %q: %q, want %q", test.pattern, test.others, got, test.want)
		}
	}
}

func TestPatternsAreInGroupsOfWhichAPathNeedsOne(t *testing.T) {
	set := func(text string) (set map[string]json.RawMessage) {
		if err := json.Unmarshal([]byte(text), &set); err != nil {
			t.Fatal(err)
		}
		return set
	}
	got := pathPatterns([]map[string]json.RawMessage{
		set(`{"path": ["/a"], "method": ["GET"]}`),
		set(`{"not": [{"path": ["/b", "/c"]}, {"path": ["/d"]}]}`),
		set(`{"expression": "path('/e', \"/f\") && !req.path('/g')"}`),
		set(`{"path": ["/h"], "expression": {"expr": "path('/i')"}}`),
	})
	var named [][]string
	for _, group := range got {
		if len(group) > 0 {
			named = append(named, group)
		}
	}
	want := [][]string{{"/b", "/c", "/d"}, {"/e", "/f"}, {"/i"}, {"/a", "/h"}}
	if !reflect.DeepEqual(named, want) {
		t.Errorf("%q, want %q", named, want)
	}
}
