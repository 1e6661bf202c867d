package apikey

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash/crc32"
	"regexp"
	"strings"
	"testing"
)

// A key that the tests share, and the SHA-256 of it as sha256sum prints it.
const (
	testKey = "cgk_ThisIsAKeyOfTheTestsAndNotOneOfAnyServer123" + "0BiPfJ"
	testHex = "a4b952ff62505218d6c6766085fa8f73a35debaeb62595d29baf61ffdc3fb2ac"
)

func TestAKeyIsAPrefix256RandomBitsAndAChecksum(t *testing.T) {
	pattern := regexp.MustCompile("^" + Pattern + "$")
	seen := make(map[string]bool)
	for range 1000 {
		key := Make()
		if !pattern.MatchString(key) || !WellFormed(key) || !LooksLike(key) || seen[key] {
			t.Fatalf("made %q", key)
		}
		seen[key] = true
	}
}

func TestTheRandomBitsOfKeysReachEveryDigit(t *testing.T) {
	first, others := make(map[byte]bool), make(map[byte]bool)
	for range 5000 {
		body := Make()[len(Prefix) : len(Prefix)+bodyLength]
		first[body[0]] = true
		for _, digit := range []byte(body[1:]) {
			others[digit] = true
		}
	}
	if len(others) != len(digits) || len(first) < len(digits)-3 { // 2^256 has 60.9 times 62^42 in it
		t.Errorf("%d digits in the first place and %d in others", len(first), len(others))
	}
}

func TestTheChecksumIsCRC32InBase62(t *testing.T) {
	text := testKey[:secretLength-checkLength]
	n := crc32.ChecksumIEEE([]byte(text))
	want := ""
	for range checkLength {
		want = string(digits[n%62]) + want
		n /= 62
	}
	if got := testKey[len(text):]; got != want || !WellFormed(testKey) {
		t.Errorf("the checksum of the test's key is %s, want %s", got, want)
	}
}

func TestATypoOrACutIsKnownByTheChecksum(t *testing.T) {
	key := Make()
	for i := len(Prefix); i < len(key); i++ {
		for _, digit := range []byte("0aZ") {
			if digit == key[i] {
				continue
			}
			if wrong := key[:i] + string(digit) + key[i+1:]; WellFormed(wrong) {
				t.Errorf("%d: another digit passes", i)
			}
		}
		if WellFormed(key[:i]) {
			t.Errorf("the first %d bytes pass", i)
		}
		if i+1 < len(key) && key[i] != key[i+1] {
			if wrong := key[:i] + string(key[i+1]) + string(key[i]) + key[i+2:]; WellFormed(wrong) {
				t.Errorf("%d: two digits swapped pass", i)
			}
		}
	}
	for _, wrong := range []string{
		"", "cgk_", key + "0", key + "\n", " " + key, strings.ToUpper(key[:4]) + key[4:], "cgk-" + key[4:],
		key[:10] + "_" + key[11:], key[:10] + "é" + key[12:], strings.Repeat("0", len(key)),
	} {
		if WellFormed(wrong) {
			t.Errorf("%q passes", wrong)
		}
	}
}

func TestAHashIsThatOfSha256sum(t *testing.T) {
	sum := sha256.Sum256([]byte(testKey))
	want := "sha256:" + hex.EncodeToString(sum[:])
	d := DigestOf(testKey)
	if d.Hash() != want || d.Hash() != "sha256:"+testHex {
		t.Errorf("got %s, want %s", d.Hash(), want)
	}
	for _, spelling := range []string{want, "sha256:" + strings.ToUpper(want[7:])} {
		if read, err := parseHash(spelling); err != nil || read != d {
			t.Errorf("%s is not read: %v", spelling, err)
		}
	}
}

func TestWhatIsNotTheHashOfAKeyIsRefusedWithARemedyAndNotShown(t *testing.T) {
	for hash, want := range map[string]string{
		"":                               "caddy grant key add",
		testKey:                          "has only its hash",
		"sha256:" + testKey:              "has only its hash",
		testHex:                          `write "sha256:" before`,
		"sha256:" + testHex[1:]:          "64 hex digits",
		"sha256:" + testHex + "0":        "64 hex digits",
		"sha256:g" + testHex[1:]:         "64 hex digits",
		"SHA256:" + testHex:              "64 hex digits",
		"$2a$10$abcdefghijklmnopqrstuvw": "64 hex digits",
	} {
		d, err := parseHash(hash)
		if err == nil || d != (Digest{}) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", hash, err, want)
		}
		checkLeak(t, err)
	}
}

func TestKeysAndDigestsPrintNoHash(t *testing.T) {
	k := valid()
	if err := k.Validate(); err != nil {
		t.Fatal(err)
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		text := fmt.Sprintf(verb+" "+verb, &k, k.Digest())
		if strings.Contains(text, testHex[:8]) || !strings.Contains(text, "deploy") {
			t.Errorf("%s prints %s", verb, text)
		}
	}
}
