package apikey

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestAKeyHasANameAHashAndOneOwner(t *testing.T) {
	for _, test := range []struct {
		change func(k *Key)
		want   string
	}{
		{func(k *Key) { k.Name = "" }, "every key needs a name"},
		{func(k *Key) { k.Name = "two words" }, "no blanks"},
		{func(k *Key) { k.Name = "a\tb" }, "no blanks"},
		{func(k *Key) { k.Name = "a\u00a0b" }, "no blanks"},
		{func(k *Key) { k.Name = "a\x00b" }, "control characters"},
		{func(k *Key) { k.Name = "a\u200bb" }, "invisible"},
		{func(k *Key) { k.Name = "\xff" }, "UTF-8"},
		{func(k *Key) { k.Name = "#deploy" }, "comment"},
		{func(k *Key) { k.Name = strings.Repeat("é", 128) }, "255 bytes"},
		{func(k *Key) { k.Name = testKey }, "name comes first"},
		{func(k *Key) { k.Name = k.Hash }, "name comes first"},
		{func(k *Key) { k.Name = testHex }, "name comes first"},
		{func(k *Key) { k.Hash = testKey }, "has only its hash"},
		{func(k *Key) { k.User = "" }, "no owner"},
		{func(k *Key) { k.UserID = "7" }, "more than one owner"},
		{func(k *Key) { k.Client = "web" }, "more than one owner"},
		{func(k *Key) { k.User = "a\nb" }, "control characters"},
		{func(k *Key) { k.User = testKey }, "may be a key"},
		{func(k *Key) { k.User = " " + testHex + "\n" }, "may be a key"},
		{func(k *Key) { k.User, k.Client = "", "a\x7fb" }, "client: it must be without control"},
		{func(k *Key) { k.User, k.UserID = "", strings.Repeat("x-", 128) }, "user_id: it must have 1 to 255 bytes"},
		{func(k *Key) { k.Scopes = []string{"a b"} }, "contains a space"},
		{func(k *Key) { k.Scopes = []string{"a", "a"} }, "duplicate scope"},
		{func(k *Key) { k.Scopes = []string{testHex + "\""} }, "not shown"},
		{func(k *Key) { k.Scopes = []string{testKey, testKey} }, "not shown"},
		{func(k *Key) { k.Scopes = many(65) }, "the maximum is 64"},
		{func(k *Key) { k.Audience = []string{""} }, "audience: it must have 1 to 255 bytes"},
		{func(k *Key) { k.Audience = []string{"api", "api"} }, `"api" is a duplicate`},
		{func(k *Key) { k.Audience = []string{testHex, testHex} }, "is a duplicate"},
		{func(k *Key) { k.Audience = []string{testKey} }, "not shown"},
		{func(k *Key) { k.Audience = many(65) }, "the maximum is 64"},
		{func(k *Key) { k.Expires = "soon" }, "write it as 2027-01-31"},
		{func(k *Key) { k.Expires = testKey }, "not a date"},
		{func(k *Key) { k.Expires = "2027-02-30" }, "not a date"},
		{func(k *Key) { k.Expires = "0001-01-01" }, "not a date"},
		{func(k *Key) { k.Note = "two\nlines" }, "one line"},
		{func(k *Key) { k.Note = strings.Repeat("x", 256) }, "at most 255 bytes"},
		{func(k *Key) { k.Note = "was " + testKey }, "revoke that key"},
	} {
		k := valid()
		test.change(&k)
		err := k.Validate()
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("got %v, want %q", err, test.want)
		}
		checkLeak(t, err)
	}
}

func many(n int) (all []string) {
	for i := range n {
		all = append(all, fmt.Sprintf("s%d", i))
	}
	return all
}

func TestAValidKeyIsReadWithItsOwnerAndItsEnd(t *testing.T) {
	for _, k := range []Key{
		valid(),
		{Name: "é-1", Hash: "sha256:" + testHex, UserID: "auth0|7 b", Scopes: many(64), Audience: many(64), Note: "émile's"},
		{Name: strings.Repeat("x", 39), Hash: "sha256:" + testHex, Client: "batch", Expires: "2027-01-31"},
		{Name: "sub", Hash: "sha256:" + testHex, UserID: testHex}, // a subject may be a hash of something
	} {
		if err := k.Validate(); err != nil {
			t.Errorf("%s: %v", k.Name, err)
		}
		field, name := k.Owner()
		if k.Digest() != DigestOf(testKey) || k.IsClients() != (field == "client") || name == "" {
			t.Errorf("%s: %v %s %s", k.Name, k.IsClients(), field, name)
		}
	}
}

func TestAKeyEndsAtTheStartOfTheDayInUTC(t *testing.T) {
	for text, want := range map[string]time.Time{
		"":                          {},
		"2027-01-31":                time.Date(2027, 1, 31, 0, 0, 0, 0, time.UTC),
		"2027-01-31T18:00:00Z":      time.Date(2027, 1, 31, 18, 0, 0, 0, time.UTC),
		"2027-01-31T01:00:00+02:00": time.Date(2027, 1, 30, 23, 0, 0, 0, time.UTC),
	} {
		k := valid()
		k.Expires = End(text)
		if err := k.Validate(); err != nil || !k.Ends().Equal(want) {
			t.Errorf("%q ends at %v: %v", text, k.Ends(), err)
		}
		if want.IsZero() {
			if k.Expired(time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)) {
				t.Error("a key without an end has expired")
			}
			continue
		}
		if k.Expired(want.Add(-1)) || !k.Expired(want) || !k.Expired(want.Add(time.Hour)) {
			t.Errorf("%q: it does not end at its end", text)
		}
	}
}

func TestASetFindsKeysByTheirDigestAndKeepsTheirOrder(t *testing.T) {
	set := NewSet()
	for i, name := range []string{"c", "a", "b"} {
		if err := set.Add(&Key{Name: name, Hash: hashOf(byte(i)), User: "alice"}, i+1); err != nil {
			t.Fatal(err)
		}
	}
	var names []string
	for k := range set.All() {
		names = append(names, k.Name)
	}
	if !slices.Equal(names, []string{"c", "a", "b"}) || set.Len() != 3 {
		t.Errorf("%v, %d", names, set.Len())
	}
	if k := set.ByDigest(DigestOf(string(byte(1)))); k == nil || k.Name != "a" {
		t.Errorf("found %v", k)
	}
	if k := set.ByDigest(DigestOf("another")); k != nil {
		t.Errorf("found %v", k)
	}
	if k := set.ByDigest(Digest{}); k != nil {
		t.Errorf("the zero digest is %v", k)
	}
}
