package throttle

import (
	"net/netip"
	"strings"
	"testing"
	"time"
)

func TestKeysOfDifferentThingsDiffer(t *testing.T) {
	d := newDigester()
	address := Address(netip.MustParseAddr("192.0.2.1"))
	seen := map[digest]string{}
	for _, c := range []struct {
		what string
		key  digest
	}{
		{"an account", d.keys(Attempt{Account: user("x")}, DefaultLimits()).account},
		{"a client of that name", d.keys(Attempt{Account: Join("auth", "client", "x")}, DefaultLimits()).account},
		{"a user of another server", d.keys(Attempt{Account: Join("other", "user", "x")}, DefaultLimits()).account},
		{"a pair with no address", d.keys(Attempt{Account: user("x")}, DefaultLimits()).pair},
		{"a pair with an address", d.keys(Attempt{Account: user("x"), Source: address}, DefaultLimits()).pair},
		{"a pair with a party", d.keys(Attempt{Account: user("x"), Source: Party("192.0.2.1")}, DefaultLimits()).pair},
		{
			"a pair with a party named like the bytes of an address",
			d.keys(Attempt{Account: user("x"), Source: Party("\xc0\x00\x02\x01\x20")}, DefaultLimits()).pair,
		},
		{"an address", d.keys(Attempt{Account: user("x"), Source: address}, DefaultLimits()).address},
		{"the same as a larger network", d.keys(Attempt{Source: address}, Limits{IPv4Prefix: 31}).address},
		{"an account of no name", d.digest(ofAccount, "")},
		{"a rate of no name", d.digest(ofRate, "")},
		{"two names", d.digest(ofAccount, "ab", "c")},
		{"two others", d.digest(ofAccount, "a", "bc")},
		{"one name", d.digest(ofAccount, "abc")},
	} {
		if other := seen[c.key]; other != "" {
			t.Errorf("%s has the key of %s", c.what, other)
		}
		seen[c.key] = c.what
	}
	if a, b := newDigester(), newDigester(); a.digest(ofAccount, "x") == b.digest(ofAccount, "x") {
		t.Error("two processes have the same digests")
	}
}

func TestJoinKeepsPartsApart(t *testing.T) {
	long := strings.Repeat("x", 300)
	seen := map[string][]string{}
	for _, parts := range [][]string{
		{}, {""}, {"", ""}, {"a"}, {"a", ""}, {"", "a"}, {"ab"}, {"a", "b"}, {"a\x01b"}, {"a\x00b"}, {"\x01a"}, {"a", "\x01b"},
		{long}, {long, ""}, {long[:172], long[:127]}, {"user", "x"}, {"client", "x"}, {"userx"}, {"use", "rx"},
	} {
		joined := Join(parts...)
		if other, found := seen[joined]; found {
			t.Errorf("%q and %q make the same", parts, other)
		}
		seen[joined] = parts
	}
}

// Names can come from an attacker.
func TestHostileNamesAreTreatedLikeOthers(t *testing.T) {
	w := newWorld(t, Limits{})
	names := []string{
		"", "\x00", "\xff\xfe", "a\nb", strings.Repeat("x", 255), strings.Repeat("x", 256), strings.Repeat("x", 1<<20),
		"192.0.2.1", "user", user("alice"),
	}
	for _, name := range names {
		w.fails(5, from("198.51.100.1", name))
		if _, err := w.Reserve(from("198.51.100.1", name)); err == nil || strings.Contains(err.Error(), "198.51") {
			t.Errorf("%.20q: %v", name, err)
		} else if len(name) > 10 && strings.Contains(err.Error(), name) {
			t.Errorf("%.20q is in the error", name)
		}
		w.pass(24 * time.Hour)
	}
	w.allowed(from("198.51.100.1", "alice"), "a plain name")
}
