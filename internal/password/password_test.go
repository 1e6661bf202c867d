package password

import (
	"bytes"
	"fmt"
	"runtime"
	"strings"
	"testing"
)

func mustParse(t *testing.T, encoded string) Hash {
	t.Helper()
	h, err := Parse(encoded, true)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestHashesOfOtherProgramsMatchTheirPassword(t *testing.T) {
	for _, v := range vectors {
		t.Run(v.name, func(t *testing.T) {
			h := mustParse(t, v.hash)
			if got := h.Params().String(); got != v.params {
				t.Errorf("params %q, want %q", got, v.params)
			}
			if got := h.Params().Advice(); (got != "") != v.advice {
				t.Errorf("advice %q, want some: %v", got, v.advice)
			}
			if !h.Matches(v.password) {
				t.Error("the password does not match")
			}
			for _, wrong := range []string{"", v.password + "x", v.password + "\x00", strings.ToUpper(v.password)} {
				if h.Matches(wrong) {
					t.Errorf("%q matches", wrong)
				}
			}
		})
	}
}

func TestTheLettersOfBcryptAreTheSameScheme(t *testing.T) {
	for _, letter := range []string{"a", "b", "y"} {
		h := mustParse(t, "$2"+letter+vectors[0].hash[3:])
		if !h.Matches(horse) || h.Matches("wrong") {
			t.Errorf("$2%s$ does not match the password, or matches another", letter)
		}
	}
}

func TestCaddysDefaultBcryptIsAcceptedWithoutAdvice(t *testing.T) {
	h := mustParse(t, "$2a$14$bq/nA5Z5Ro8wLxrmb4kmrOhOY7UhxxOtnh34beG2InxxXVG3NwENm")
	if h.Params().String() != "bcrypt cost 14" || h.Params().Advice() != "" {
		t.Error(h.Params(), h.Params().Advice())
	}
}

// The C programs and bcrypt itself take the second password of each pair for the first.
func TestPasswordsThatAreOnlyTheSameToTheAlgorithmDoNotMatch(t *testing.T) {
	const a = "$2a$04$A74Ssw1itVBKkuoCmBeYLu95518iQyPpwvpSqOvIgx2s.KVimS11O" // caddy hash-password -p a
	h := mustParse(t, a)
	if !h.Matches("a") {
		t.Error("the password does not match")
	}
	if !matchesBcrypt(h, []byte("a\x00a")) {
		t.Error("bcrypt tells a and a NUL a apart: the rule has lost its reason")
	}
	if h.Matches("a\x00a") {
		t.Error("a NUL a matches a")
	}

	long := mustParse(t, "$2y$04$0oW.wl6tQMYGi7CvaFd6MOMkmUFDnEeWDYPchVWMvIWcJSpWbSbe2")
	if !long.Matches(hundred[:72]) {
		t.Error("72 bytes do not match")
	}
	if !matchesBcrypt(long, []byte(hundred)) {
		t.Error("bcrypt reads more than 72 bytes: the rule has lost its reason")
	}
	if long.Matches(hundred[:73]) {
		t.Error("73 bytes match a hash of the first 72")
	}
}

func TestEmptyPasswordsNeverMatchTheirOwnHash(t *testing.T) {
	for _, hash := range []string{ // htpasswd hashes an empty password without complaint
		"$2y$04$MVPVoi14H39eYH6dx.BUXuQ5bun3CIvN4JyVB69ev0GYA9pVWuQ7C",
		"$apr1$I0Kz1b7O$M.Keppjthv22aGhw.ZBpa0",
		"$6$8MNNwGVNVuxTDLw0$EPjqSd/Md.EpTVDltC9gVHAIK8Me1fT.ypeBJmmV8lMwHW4GjV65ADhfDP52A16MgMLnF8DB/y1Kcrzp12H8H0",
		"{SHA}2jmj7l5rSw0yVb/vlWAYkK/YBwk=",
	} {
		if h := mustParse(t, hash); h.Matches("") {
			t.Errorf("%v matches the empty password", h)
		}
	}
	if Digest(testKey, "").Matches("") {
		t.Error("the digest of the empty secret matches it")
	}
}

func TestASecretKeptAsDigestMatchesOnlyItself(t *testing.T) {
	long := strings.Repeat("s", MaxLength)
	for _, secret := range []string{"s", "s3cr3t-of-a-client", long} {
		h := Digest(testKey, secret)
		if !h.Matches(secret) {
			t.Errorf("a secret of %d bytes does not match", len(secret))
		}
		for _, wrong := range []string{"", secret + "x", secret + "\x00", "x"} {
			if h.Matches(wrong) {
				t.Errorf("%.20q matches a secret of %d bytes", wrong, len(secret))
			}
		}
		if !h.Params().Cheap() {
			t.Error("a digest is not cheap")
		}
	}
	if Digest(testKey, long+"x").Matches(long) || Digest(testKey, long+"x").Matches(long+"x") {
		t.Error("a secret that is too long matches")
	}
	if Digest(keyOf("another key"), "s").Params() != Digest(testKey, "s").Params() {
		t.Error("digests have different params")
	}
	for _, v := range vectors {
		if mustParse(t, v.hash).Params().Cheap() {
			t.Errorf("%s is cheap", v.params)
		}
	}
}

// argon2id's memory shows the work without a clock.
func TestRefusedPasswordsAreStillHashed(t *testing.T) {
	params := Params{Scheme: Argon2id, memory: 8192, cost: 1, threads: 1}
	known := Hash{params: params, salt: make([]byte, 16), sum: make([]byte, 32)}
	var mix Mix
	mix.Add(params)
	for _, c := range []struct {
		name     string
		hash     Hash
		password string
	}{
		{"a wrong password", known, "wrong"},
		{"the empty password", known, ""},
		{"a password with a NUL", known, "a\x00a"},
		{"a password that is too long", known, strings.Repeat("x", 100_000)},
		{"a decoy", Decoy(testKey, "nobody", &mix), "wrong"},
		{"a decoy and the empty password", Decoy(testKey, "nobody", &mix), ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.hash.Params().Memory() != 8192*1024 {
				t.Fatal("memory:", c.hash.Params().Memory())
			}
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			if c.hash.Matches(c.password) {
				t.Error("it matches")
			}
			runtime.ReadMemStats(&after)
			if after.TotalAlloc-before.TotalAlloc < params.Memory() {
				t.Errorf("only %d bytes were allocated", after.TotalAlloc-before.TotalAlloc)
			}
		})
	}
}

// No text that Parse accepts is known to make the library panic; a text that it refuses
// stands in.
func TestAPanicWhileComparingIsNotAMatch(t *testing.T) {
	for _, text := range []string{"", "$6$rounds=abc$", "$6$rounds=", "$6$"} {
		h := Hash{params: Params{Scheme: SHA512Crypt, cost: 5000, salt: 1}, text: text}
		if h.Matches(horse) {
			t.Errorf("%q matches", text)
		}
	}
}

func TestAHashIsNeverPrinted(t *testing.T) {
	for _, v := range vectors {
		h := mustParse(t, v.hash)
		var text bytes.Buffer
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			fmt.Fprintf(&text, verb+" "+verb+"\n", h, &h)
		}
		for _, secret := range []string{v.hash, h.text, string(h.salt), string(h.sum), fmt.Sprint(h.sum)} {
			if len(secret) > 2 && strings.Contains(text.String(), secret) {
				t.Errorf("%s: printing shows the hash", v.name)
			}
		}
	}
}

func TestParamsTellWhatDiffersAndNothingElse(t *testing.T) {
	params, names := make(map[Params]bool), make(map[string]bool)
	for _, v := range vectors {
		p := mustParse(t, v.hash).Params()
		params[p], names[p.String()] = true, true
		if (p.Memory() > 0) != (p.Scheme == Argon2id || p.Scheme == Yescrypt) {
			t.Errorf("%v needs %d bytes", p, p.Memory())
		}
	}
	if len(params) != len(names) {
		t.Errorf("%d params have %d names", len(params), len(names))
	}
	low, lower := Params{Scheme: Bcrypt, cost: 9}, Params{Scheme: Bcrypt, cost: 4}
	if low.Advice() != lower.Advice() {
		t.Error("the advice on bcrypt cannot be summed up over costs")
	}
}

func TestTheZeroHashMatchesNothing(t *testing.T) {
	if (Hash{}).Matches("") || (Hash{}).Matches(horse) {
		t.Error("it matches")
	}
}
