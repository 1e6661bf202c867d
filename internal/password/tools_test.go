package password

import (
	"crypto/sha256"
	"crypto/sha512"
	_ "embed"
	"fmt"
	"strings"
	"testing"

	"github.com/go-crypt/x/crypt"
)

// toolsTable is written by testdata/make.sh.
//
//go:embed testdata/tools.tsv
var toolsTable string

// toolLines calls each with what the tools printed.
func toolLines(t *testing.T, each func(password, hash, command string)) {
	t.Helper()
	n := 0
	for line := range strings.Lines(toolsTable) {
		fields := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if len(fields) != 3 {
			t.Fatalf("line %d has %d fields", n+1, len(fields))
		}
		each(fields[0], fields[1], fields[2])
		n++
	}
	if n < 100 {
		t.Fatalf("%d lines", n)
	}
}

// Passwords of all the lengths at which a digest's blocks end, salts of several, and
// the rounds that Ansible and passlib write.
func TestHashesOfOpensslAndMkpasswdMatch(t *testing.T) {
	schemes := make(map[Scheme]int)
	toolLines(t, func(password, hash, command string) {
		h := mustParse(t, hash)
		schemes[h.Params().Scheme]++
		if !h.Matches(password) {
			t.Errorf("%s of %d bytes: the password does not match", command, len(password))
		}
		if h.Matches(password+"x") || h.Matches(password[1:]) {
			t.Errorf("%s of %d bytes: a wrong password matches", command, len(password))
		}
	})
	for _, scheme := range []Scheme{APR1, MD5Crypt, SHA256Crypt, SHA512Crypt, Yescrypt} {
		if schemes[scheme] < 5 {
			t.Errorf("%d hashes of %s", schemes[scheme], scheme)
		}
	}
}

// A hash that mkpasswd made for an account must not match at the wrong cost, which its
// text has.
func TestYescryptGoesByItsParameters(t *testing.T) {
	toolLines(t, func(password, hash, command string) {
		if !strings.HasPrefix(hash, "$y$j75$") {
			return
		}
		for _, other := range []string{"$y$j85$", "$y$j76$", "$y$j74$"} {
			if mustParse(t, other+hash[7:]).Matches(password) {
				t.Errorf("%s matches as %s", command, other)
			}
		}
	})
}

// The library has md5-crypt, though not apr1: what is the same in both must be the same
// here.
func TestMD5CryptAgreesWithTheLibrary(t *testing.T) {
	for length := range 300 {
		password := []byte(strings.Repeat("päss wörd ", 40)[:length])
		salt := []byte("saltsalt")[:1+length%8]
		if got, want := md5Crypt(prefixMD5, password, salt), crypt.KeyMD5Crypt(password, salt); string(got) != string(want) {
			t.Errorf("%d bytes: %s, the library has %s", length, got, want)
		}
	}
}

// C11: sha-crypt's work grows with rounds times length.
func TestSHACryptAcceptsPasswordsOfAtMost256Bytes(t *testing.T) {
	for _, hash := range []string{
		fmt.Sprintf("$5$rounds=1000$saltsalt$%s", shaSum(SHA256Crypt, 256)),
		fmt.Sprintf("$6$rounds=1000$saltsalt$%s", shaSum(SHA512Crypt, 256)),
	} {
		h := mustParse(t, hash)
		password := strings.Repeat("0123456789abcdef", 64)
		if !h.Matches(password[:256]) {
			t.Errorf("%v: 256 bytes do not match", h)
		}
		for _, length := range []int{255, 257, 512, 1024} {
			if h.Matches(password[:length]) {
				t.Errorf("%v: %d bytes match the hash of 256", h, length)
			}
		}
		if !matchesSHACrypt(h, []byte(password[:256])) {
			t.Errorf("%v: the work is not that on the first 256 bytes", h)
		}
	}
	for _, hash := range []string{
		fmt.Sprintf("$5$rounds=1000$saltsalt$%s", shaSum(SHA256Crypt, 257)),
		fmt.Sprintf("$6$rounds=1000$saltsalt$%s", shaSum(SHA512Crypt, 1024)),
	} {
		for _, length := range []int{256, 257, 1024} {
			if mustParse(t, hash).Matches(strings.Repeat("0123456789abcdef", 64)[:length]) {
				t.Errorf("%d bytes match a hash of more than 256", length)
			}
		}
	}
}

func TestSHACryptOfAMillionRoundsIsAccepted(t *testing.T) {
	for _, test := range []struct{ hash, params string }{
		{"$6$rounds=656000$saltsalt$" + sum86, "sha512-crypt rounds=656000,salt=8"},
		{"$5$rounds=535000$saltsalt$" + sum43, "sha256-crypt rounds=535000,salt=8"},
		{"$6$rounds=1000000$saltsalt$" + sum86, "sha512-crypt rounds=1000000,salt=8"},
	} {
		mix := new(Mix)
		mix.Add(mustParse(t, test.hash).Params())
		if got := Decoy(testKey, "nobody", mix).Params().String(); got != test.params {
			t.Errorf("a decoy of %s, want %s", got, test.params)
		}
	}
}

func TestTheMemoryOfYescryptIsCounted(t *testing.T) {
	for hash, memory := range map[string]uint64{
		"$y$j75$OYae5E6BcUK9Xjed51h3c1$" + sum43: 1 << 20,
		"$y$j9T$OYae5E6BcUK9Xjed51h3c1$" + sum43: 16 << 20,
		"$y$jDT$OYae5E6BcUK9Xjed51h3c1$" + sum43: 256 << 20,
		"$y$jF5$OYae5E6BcUK9Xjed51h3c1$" + sum43: 256 << 20,
		"$y$j8.$OYae5E6BcUK9Xjed51h3c1$" + sum43: 256 << 10,
	} {
		if got := mustParse(t, hash).Params().Memory(); got != memory {
			t.Errorf("%s: %d bytes, want %d", hash[:6], got, memory)
		}
	}
}

func shaSum(scheme Scheme, length int) string {
	salt, password := []byte("saltsalt"), []byte(strings.Repeat("0123456789abcdef", 64)[:length])
	if scheme == SHA256Crypt {
		return string(crypt.KeySHACrypt(sha256.New, password, salt, 1000))
	}
	return string(crypt.KeySHACrypt(sha512.New, password, salt, 1000))
}
