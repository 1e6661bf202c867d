package keyring

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"encoding/hex"
	"math/big"
	"testing"

	"github.com/golang-jwt/jwt/v5"
)

// RFC 6979 §A.2.5, except that s there is the higher one.
func TestLowSSignsAsRFC6979Says(t *testing.T) {
	number := func(digits string) *big.Int {
		n, ok := new(big.Int).SetString(digits, 16)
		if !ok {
			t.Fatal(digits)
		}
		return n
	}
	scalar, err := hex.DecodeString("C9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721")
	if err != nil {
		t.Fatal(err)
	}
	private, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), scalar)
	if err != nil {
		t.Fatal(err)
	}
	signature, err := lowS{jwt.SigningMethodES256}.Sign("sample", private)
	if err != nil {
		t.Fatal(err)
	}
	r := number("EFD48B2AACB6A8FD1140DD9CD45E81D69D2C877B56AAF991C34D0EA84EAF3716")
	s := new(big.Int).Sub(elliptic.P256().Params().N, number("F7CB1C942D657C41D436C7A1B6E29F65F3E900DBB9AFF4064DC4AB2F843ACDA8"))
	want := append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...)
	if hex.EncodeToString(signature) != hex.EncodeToString(want) {
		t.Errorf("%x, want %x", signature, want)
	}
}
