package harness

import (
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"github.com/go-crypt/x/crypt"
	"github.com/go-crypt/x/yescrypt"
	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/bcrypt"

	"github.com/caddygrant/caddy-grant/internal/standin"
)

// Hashes of "correct horse", made by the tools of their names.
const (
	HashArgon2id = `$argon2id$v=19$m=47104,t=1,p=1$XpGAlxhBAzCw0tXVRWgB9A$K2/RtPx/qbRuCc8ACsfATUO3bF+Iy9ZbHRCGMRZoPU0`
	HashBcrypt   = `$2y$10$Ve7VhkpZV0UByf3CMebBJuo8MDfBvv6jpjBvBuj51me/1o5bfBHS.`
)

// The same password in hashes that cost next to nothing to check, for tests of anything
// else.
const (
	HashCheap        = `$2a$04$ed8IqXwtgreEpivswSJnkuEzxjfWqAijxnCI.1FDAQe2PAIBWBD7O`
	HashCheapAnother = `$2a$04$WHqJ2eP.bEJ32cgeMWRO.eCzi4GuXirU5UnVNOy9upClOhCzoq866`
)

// HashWith makes a hash that is as cheap as its scheme allows, for tests of anything
// but its cost.
func HashWith(t *testing.T, scheme, password string) string {
	t.Helper()
	switch scheme {
	case "bcrypt":
		hash, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
		if err != nil {
			t.Fatal(err)
		}
		return string(hash)
	case "argon2id":
		salt := []byte("0123456789abcdef")
		key := argon2.IDKey([]byte(password), salt, 1, 64, 1, 32)
		encode := base64.RawStdEncoding.EncodeToString
		return fmt.Sprintf("$argon2id$v=19$m=64,t=1,p=1$%s$%s", encode(salt), encode(key))
	case "apr1":
		if hash := longAPR1[len(password)]; hash != "" {
			return hash
		}
		output, err := exec.Command(standin.Path(t, "htpasswd"), "-nbm", "u", password).Output()
		if err != nil {
			t.Fatalf("htpasswd -m: %v", err)
		}
		return strings.TrimPrefix(strings.TrimSpace(string(output)), "u:")
	case "md5-crypt":
		return "$1$01234567$" + string(crypt.KeyMD5Crypt([]byte(password), []byte("01234567")))
	case "sha256-crypt":
		return "$5$rounds=1000$0123456789abcdef$" + string(crypt.KeySHACrypt(sha256.New, []byte(password), []byte("0123456789abcdef"), 1000))
	case "sha512-crypt":
		return "$6$rounds=1000$0123456789abcdef$" + string(crypt.KeySHACrypt(sha512.New, []byte(password), []byte("0123456789abcdef"), 1000))
	case "yescrypt":
		hash, err := yescrypt.Hash([]byte(password), []byte("$y$j75$0123456789abcdef"))
		if err != nil {
			t.Fatal(err)
		}
		return string(hash)
	case "{SHA}":
		sum := sha1.Sum([]byte(password)) //nolint:gosec // see above
		return "{SHA}" + base64.StdEncoding.EncodeToString(sum[:])
	case "{SSHA}":
		sum := sha1.Sum([]byte(password + "salt")) //nolint:gosec // see above
		return "{SSHA}" + base64.StdEncoding.EncodeToString(append(sum[:], "salt"...))
	}
	t.Fatalf("unknown scheme %s", scheme)
	return ""
}

// longAPR1 are hashes of "0123456789" again and again, by github.com/GehirnInc/crypt:
// htpasswd takes 255 bytes at most.
var longAPR1 = map[int]string{
	1024: "$apr1$01234567$1rgXb2s70RKI2zkWANd1L/",
	1025: "$apr1$01234567$MqhKUSmA.WI468q0xS/J0.",
}

// CheapHash is a bcrypt hash that costs next to nothing to check.
func CheapHash(t *testing.T, password string) string {
	t.Helper()
	hash, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	return string(hash)
}
