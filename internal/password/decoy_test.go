package password

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"testing"

	"github.com/caddygrant/caddy-grant/internal/mac"
)

var testKey = keyOf("0123456789abcdef0123456789abcdef")

func keyOf(secret string) mac.Key { return mac.NewKey(sha256.New, []byte(secret)) }

func mixOf(t *testing.T, counts map[string]int) *Mix {
	t.Helper()
	m := new(Mix)
	for hash, n := range counts { // in another order each time
		for range n {
			m.Add(mustParse(t, hash).Params())
		}
	}
	return m
}

func byName(t *testing.T, name string) string {
	t.Helper()
	for _, v := range vectors {
		if v.name == name {
			return v.hash
		}
	}
	t.Fatal("no vector", name)
	return ""
}

func TestDecoysAreDrawnInTheProportionsOfAllMixesTogether(t *testing.T) {
	bcrypt10, argon := byName(t, "htpasswd -nbBC 10"), byName(t, "caddy hash-password --algorithm argon2id")
	first := mixOf(t, map[string]int{bcrypt10: 4000, argon: 2000, byName(t, "htpasswd -nb5"): 1000})
	second := mixOf(t, map[string]int{bcrypt10: 2500, byName(t, "htpasswd -nbm"): 500})

	got := make(map[string]int)
	for i := range 10_000 {
		name := fmt.Sprintf("user%d@example.com", i)
		p := Decoy(testKey, name, first, second, nil, new(Mix)).Params()
		if again := Decoy(testKey, name, first, second).Params(); again != p {
			t.Fatalf("%s: %v, then %v", name, p, again)
		}
		got[p.String()]++
	}
	for params, want := range map[string]int{
		"bcrypt cost 10":                   6500,
		"argon2id m=47104,t=1,p=1":         2000,
		"sha512-crypt rounds=5000,salt=16": 1000,
		"apr1 salt=8":                      500,
	} {
		if n := got[params]; n < want-250 || n > want+250 { // five standard deviations of the first
			t.Errorf("%s: %d of 10000 names, want about %d", params, n, want)
		}
	}
	if len(got) != 4 {
		t.Errorf("drawn: %v", got)
	}
}

func TestOneMoreUserMovesHardlyAnyName(t *testing.T) {
	counts := map[string]int{byName(t, "htpasswd -nbBC 10"): 3000, byName(t, "htpasswd -nb5"): 2000}
	before := mixOf(t, counts)
	counts[byName(t, "htpasswd -nb5")]++
	after := mixOf(t, counts)
	moved := 0
	for i := range 10_000 {
		name := fmt.Sprint("name", i)
		if Decoy(testKey, name, before).Params() != Decoy(testKey, name, after).Params() {
			moved++
		}
	}
	if moved > 10 {
		t.Errorf("%d of 10000 names have other params", moved)
	}
}

func TestAnotherKeyDrawsOtherNames(t *testing.T) {
	mix := mixOf(t, map[string]int{byName(t, "htpasswd -nbBC 10"): 1, byName(t, "htpasswd -nb5"): 1})
	differ := 0
	for i := range 1000 {
		name := fmt.Sprint("name", i)
		if Decoy(testKey, name, mix).Params() != Decoy(keyOf("fedcba9876543210"), name, mix).Params() {
			differ++
		}
	}
	if differ < 400 || differ > 600 {
		t.Errorf("%d of 1000 names differ", differ)
	}
}

func TestWithoutAnyEntryADecoyIsCaddysArgon2id(t *testing.T) {
	for _, mixes := range [][]*Mix{nil, {nil}, {new(Mix), nil}} {
		if got := Decoy(testKey, "nobody", mixes...).Params().String(); got != "argon2id m=47104,t=1,p=1" {
			t.Error(got)
		}
	}
}

func TestADecoyOfEverySchemeComparesLikeARealHash(t *testing.T) {
	hashes := []Hash{Digest(testKey, "secret")}
	for _, v := range vectors {
		hashes = append(hashes, mustParse(t, v.hash))
	}
	for _, known := range hashes {
		t.Run(known.Params().String(), func(t *testing.T) {
			mix := new(Mix)
			mix.Add(known.Params())
			d := Decoy(testKey, "nobody", mix)
			if d.Params() != known.Params() {
				t.Errorf("params %v", d.Params())
			}
			if d.text != "" { // the comparer must take it, or it would return early
				if parsed, err := Parse(d.text, true); err != nil || parsed.Params() != known.Params() {
					t.Errorf("the decoy's text: %v, %v", parsed, err)
				}
			}
			if (len(d.salt) > 0) != (len(known.salt) > 0) || len(d.sum) != len(known.sum) {
				t.Errorf("salt %d and sum %d bytes, a real one has %d and %d", len(d.salt), len(d.sum), len(known.salt), len(known.sum))
			}
			for _, password := range []string{"", horse, "secret"} {
				if d.Matches(password) {
					t.Errorf("%q matches", password)
				}
			}
		})
	}
}

// Even the password whose hash the decoy would be is refused.
func TestADecoyMatchesNothingEvenWhereItsSumDoes(t *testing.T) {
	h := mustParse(t, vectors[0].hash)
	h.decoy = true
	if h.Matches(horse) {
		t.Error("a decoy matches")
	}
}

func TestAMixListsItsParamsInOneOrder(t *testing.T) {
	counts := map[string]int{
		byName(t, "htpasswd -nbBC 10"): 3, byName(t, "htpasswd -nbB"): 2, byName(t, "htpasswd -nb5"): 1,
		byName(t, "htpasswd -nb2"): 1, byName(t, "openssl passwd -5"): 4, byName(t, "htpasswd -nb2 -r 5000"): 5,
	}
	want := []string{
		"bcrypt cost 5: 2", "bcrypt cost 10: 3", "sha256-crypt rounds=5000,salt=8: 4",
		"sha256-crypt rounds=5000,salt=16: 6", "sha512-crypt rounds=5000,salt=16: 1",
	}
	for range 10 {
		m := mixOf(t, counts)
		var got []string
		for p, n := range m.All() {
			got = append(got, fmt.Sprintf("%v: %d", p, n))
		}
		if !slices.Equal(got, want) || m.Len() != 16 {
			t.Fatalf("%d entries: %q", m.Len(), got)
		}
	}
	for range (*Mix)(nil).All() {
		t.Error("a nil mix has entries")
	}
	for range mixOf(t, counts).All() {
		break // must not go on
	}
}
