package apikey

import (
	"fmt"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func FuzzWellFormed(f *testing.F) {
	for _, seed := range []string{"", "cgk_", testKey, testKey + "x", testKey[1:], testHex, "cgk_" + strings.Repeat("z", 49)} {
		f.Add(seed)
	}
	pattern := regexp.MustCompile("^" + Pattern + "$")
	f.Fuzz(func(t *testing.T, text string) {
		if !WellFormed(text) {
			return
		}
		if !pattern.MatchString(text) || !LooksLike(text) {
			t.Fatalf("well formed: %q", text)
		}
		for i := range text {
			if other := text[:i] + "!" + text[i+1:]; WellFormed(other) {
				t.Fatalf("well formed: %q", other)
			}
		}
	})
}

func FuzzParseLines(f *testing.F) {
	for _, seed := range []string{
		"deploy HASH user=alice\n", "KEY HASH user=KEY\n", "a HASH client=b scopes=a,b audience=HEX,KEY expires=2027-01-31 note=x y\r\n# c\nb H1 user_id=KEY",
		"a HASH user=a\na HASH user=a\nb HASH user=a", "\xEF\xBB\xBFa\tHEX KEY", "x HASH HEX=KEY scopes=KEY,HASH", "a HASH user=a note= b ",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		set := parsed(t, ParseLines, text)
		if set == nil {
			return
		}
		var again strings.Builder
		for k := range set.All() {
			owner, name := k.Owner()
			fmt.Fprintf(&again, "%s %s %s=%s", k.Name, k.Hash, owner, name)
			for field, list := range map[string][]string{"scopes": k.Scopes, "audience": k.Audience} {
				if len(list) > 0 {
					fmt.Fprintf(&again, " %s=%s", field, strings.Join(list, ","))
				}
			}
			if k.Expires != "" {
				again.WriteString(" expires=" + string(k.Expires))
			}
			if k.Note != "" {
				again.WriteString(" note=" + k.Note)
			}
			again.WriteString("\n")
		}
		second, err := ParseLines([]byte(again.String()))
		if err != nil || !reflect.DeepEqual(keysOf(second), keysOf(set)) {
			t.Fatalf("%q is not read as it was written: %v", again.String(), err)
		}
	})
}

func FuzzParseJSON(f *testing.F) {
	for _, seed := range []string{
		`{"api_keys":[{"name":"deploy","hash":"HASH","user":"alice"}]}`, `{"users":[{"KEY":1}],"api_keys":[{"name":"KEY","hash":"KEY","client":"HEX"}]}`,
		`{"api_keys":[{"name":"a","hash":"HASH","user_id":"7","scopes":["a","KEY"],"audience":[],"expires":"HEX","note":"x"},{"name":"a","hash":"HASH"}]}`,
		`{"api_keys":[{"HASH":"KEY","KEY":"HASH"}]}`, "deploy HASH user=KEY", "KEY:HASH", `"HASH"`, `{"KEY":[]}`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) { parsed(t, ParseJSON, text) })
}

// parsed fails if what a parser accepts is not valid, or if its error shows a secret.
func parsed(t *testing.T, parse func([]byte) (*Set, error), text string) *Set {
	t.Helper()
	set, err := parse([]byte(fill(text)))
	checkLeak(t, err)
	if err != nil {
		if set != nil {
			t.Fatalf("an error and a set: %v", err)
		}
		return nil
	}
	names := make(map[string]bool)
	for k := range set.All() {
		owner, name := k.Owner()
		odd := func(s string) bool {
			return s == "" || len(s) > 255 || !utf8.ValidString(s) || strings.ContainsFunc(s, unicode.IsControl)
		}
		switch {
		case names[k.Name] || odd(k.Name) || strings.ContainsFunc(k.Name, unicode.IsSpace):
			t.Fatalf("accepted the name %q", k.Name)
		case odd(name) || k.IsClients() != (owner == "client"):
			t.Fatalf("accepted the owner %q", name)
		case set.ByDigest(k.Digest()) != k || !strings.EqualFold(k.Digest().Hash(), k.Hash):
			t.Fatalf("%s is not found by its digest", k.Name)
		case strings.Contains(k.Name+name+k.Note+strings.Join(k.Audience, ""), testKey):
			t.Fatal("accepted a key in plaintext")
		}
		names[k.Name] = true
	}
	if len(names) != set.Len() {
		t.Fatalf("%d names and %d keys", len(names), set.Len())
	}
	return set
}
