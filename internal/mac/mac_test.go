package mac

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"fmt"
	"hash"
	"strings"
	"sync"
	"testing"
)

func TestKeyMakesTheHMACsOfTheStandardLibrary(t *testing.T) {
	for _, test := range []struct {
		name string
		of   func() hash.Hash
	}{
		{"SHA-256", sha256.New},
		{"SHA-384", sha512.New384},
		{"SHA-512", sha512.New},
	} {
		for _, length := range []int{0, 1, 32, 64, 65, 128, 200} {
			t.Run(fmt.Sprintf("%s with a key of %d bytes", test.name, length), func(t *testing.T) {
				secret := bytes.Repeat([]byte{7}, length)
				k := NewKey(test.of, secret)
				for i := range 3 { // even when it is used again
					h := hmac.New(test.of, secret)
					fmt.Fprint(h, "message", i)
					if got, want := k.Append([]byte("before"), []byte("message"), fmt.Append(nil, i)), h.Sum([]byte("before")); !bytes.Equal(got, want) {
						t.Errorf("%x, want %x", got, want)
					}
				}
			})
		}
	}
}

func TestKeyDoesNotChangeWithItsSecret(t *testing.T) {
	secret := []byte("secret")
	k := NewKey(sha256.New, secret)
	clear(secret)
	h := hmac.New(sha256.New, []byte("secret"))
	if !bytes.Equal(k.Append(nil), h.Sum(nil)) {
		t.Error("the key changed")
	}
}

func TestKeyIsSafeForConcurrentUse(t *testing.T) {
	k := NewKey(sha256.New, []byte("secret"))
	want := k.Append(nil, []byte("message"))
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 100 {
				if !bytes.Equal(k.Append(nil, []byte("mes"), []byte("sage")), want) {
					t.Error("another HMAC")
				}
			}
		})
	}
	all.Wait()
}

func TestKeyPrintsNothingOfItself(t *testing.T) {
	secret := []byte("AAAAAAAAAAAAAAAA")
	k := NewKey(sha256.New, secret)
	k.Append(nil)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d"} {
		printed := strings.ToUpper(fmt.Sprintf(verb, k) + fmt.Sprintf(verb, &k))
		if strings.Contains(printed, "AAAA") || strings.Contains(printed, "41414141") || strings.Contains(printed, "65 65 65") {
			t.Errorf("%s prints %s", verb, printed)
		}
	}
}
