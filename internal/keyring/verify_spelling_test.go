package keyring

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/asn1"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"testing"

	"github.com/golang-jwt/jwt/v5"
)

func TestI17WhatIsNotATokenInCompactFormIsRefused(t *testing.T) {
	ring := ringOf(t, "ES256")
	token := sign(t, ring.Signer(), "JWT")
	parts := strings.Split(token, ".")
	for _, wrong := range []string{
		"", ".", "..", "...", "....", "a", "a.b", "a.b.c", parts[0], parts[0] + "." + parts[1], parts[0] + "." + parts[1] + ".",
		"." + parts[1] + "." + parts[2], parts[0] + ".." + parts[2], "." + token, token + ".", token + "." + parts[2],
		token + "." + token, token + ".." + parts[2], parts[0] + "." + token,
		token + ".AAAA.AAAA", // JWE: five parts
		`{"payload":"` + parts[1] + `","protected":"` + parts[0] + `","signature":"` + parts[2] + `"}`,
		`{"payload":"` + parts[1] + `","signatures":[{"protected":"` + parts[0] + `","signature":"` + parts[2] +
			`"},{"protected":"` + parts[0] + `","signature":"AAAA"}]}`,
		token + "," + token, "Bearer " + token, "\ufeff" + token, token + "\x00", "é" + token, token + "\xff",
		strings.Repeat(".", MaxTokenLength),
	} {
		refuse(t, ring, wrong, ErrMalformed)
	}
	for _, long := range []string{strings.Repeat("A", 16<<10), strings.Repeat(".", 1<<20), token + strings.Repeat("A", 16<<10)} {
		refuse(t, ring, long, ErrTooLong)
	}
}

func TestI17TokenAtTheLengthBoundIsVerifiedAndOneByteMoreIsNot(t *testing.T) {
	ring := ringOf(t, "HS256")
	seen := make(map[int]bool)
	for _, typ := range []string{"JWT", "at+jwt", "JWTx"} { // lengths of base64 leave gaps
		for n := MaxTokenLength/4*3 - 250; n < MaxTokenLength/4*3; n++ {
			token := signPayload(t, ring.Signer(), typ, `{"x":"`+strings.Repeat("x", n)+`"}`)
			_, _, err := ring.Verify(token)
			if accepted := err == nil; accepted != (len(token) <= MaxTokenLength) {
				t.Fatalf("%d bytes: error %v", len(token), err)
			}
			seen[len(token)] = true
		}
	}
	if !seen[MaxTokenLength] || !seen[MaxTokenLength+1] {
		t.Error("the bound was not tried")
	}
}

// One token has one spelling.
func TestBase64InAnotherSpellingIsRefused(t *testing.T) {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	ring := ringOf(t, "HS256", "ES256", "ES512", "EdDSA", "RS256")
	strayBits := make(map[int]int) // by part
	for _, k := range ring.keys {
		for n := range 3 { // all remainders of base64 in every part
			token := signPayload(t, k, "JWT"[:3-n%2], `{"sub":"`+strings.Repeat("~?", 20)+strings.Repeat("x", n)+`"}`)
			if _, _, err := ring.Verify(token); err != nil {
				t.Fatal(err)
			}
			parts := strings.Split(token, ".")
			for i, part := range parts {
				with := func(spelling string) string {
					other := slices.Clone(parts)
					other[i] = spelling
					return strings.Join(other, ".")
				}
				for _, suffix := range []string{"=", "==", "%3D", "\n", "\r\n", " ", "\t", "\v", "\x00", "+", "/", "~"} {
					refuse(t, ring, with(part+suffix), ErrMalformed)
					refuse(t, ring, with(suffix+part), ErrMalformed)
					refuse(t, ring, with(part[:4]+suffix+part[4:]), ErrMalformed)
				}
				if standard := strings.NewReplacer("-", "+", "_", "/").Replace(part); standard != part {
					refuse(t, ring, with(standard), ErrMalformed)
				}
				// The last digit has 2 or 4 unused bits where the length is not a
				// multiple of 4.
				stray := []int{0, 0, 16, 4}[len(part)%4]
				last := strings.IndexByte(alphabet, part[len(part)-1])
				for bits := 1; bits < stray; bits++ {
					refuse(t, ring, with(part[:len(part)-1]+string(alphabet[last|bits])), ErrMalformed)
					strayBits[i]++
				}
			}
		}
	}
	if len(strayBits) != 3 {
		t.Errorf("stray bits were tried in parts %v only", strayBits)
	}
}

func TestSignaturesThatAreCutExtendedOrReencodedAreRefused(t *testing.T) {
	for _, p := range profiles {
		ring := ringOf(t, p.algorithm)
		input, signature := signatureOf(t, sign(t, ring.Signer(), "JWT"))
		size := len(signature)
		half := size / 2
		zeros := make([]byte, size)
		for name, wrong := range map[string][]byte{
			"one byte":                 signature[:1],
			"a byte less":              signature[:size-1],
			"a byte less at the front": signature[1:],
			"the first half":           signature[:half],
			"the second half":          signature[half:],
			"a byte more":              append(slices.Clone(signature), 0),
			"a zero at the front":      append([]byte{0}, signature...),
			"a zero before each half":  slices.Concat([]byte{0}, signature[:half], []byte{0}, signature[half:]),
			"the halves exchanged":     slices.Concat(signature[half:], signature[:half]),
			"twice":                    slices.Concat(signature, signature),
			"zeros":                    zeros,
			"one":                      append(slices.Clone(zeros[1:]), 1),
			"ones":                     slices.Repeat([]byte{255}, size),
			"the first half zero":      slices.Concat(zeros[:half], signature[half:]),
			"the second half zero":     slices.Concat(signature[:half], zeros[half:]),
			"very long":                slices.Repeat([]byte{1}, 5000),
		} {
			t.Run(string(p.algorithm)+" "+name, func(t *testing.T) {
				refuse(t, ring, input+"."+encode(wrong), ErrBadSignature)
			})
		}
	}
}

func TestECDSASignatureHasNoOtherForm(t *testing.T) {
	for _, test := range []struct {
		a     Algorithm
		curve elliptic.Curve
		lax   jwt.SigningMethod
	}{
		{"ES256", elliptic.P256(), jwt.SigningMethodES256},
		{"ES384", elliptic.P384(), jwt.SigningMethodES384},
		{"ES512", elliptic.P521(), jwt.SigningMethodES512},
	} {
		t.Run(string(test.a), func(t *testing.T) {
			ring := ringOf(t, test.a)
			order := test.curve.Params().N
			for range 20 {
				input, signature := signatureOf(t, sign(t, ring.Signer(), "JWT"))
				size := len(signature) / 2
				r, s := new(big.Int).SetBytes(signature[:size]), new(big.Int).SetBytes(signature[size:])
				form := func(r, s *big.Int) []byte {
					if r.BitLen() > 8*size || s.BitLen() > 8*size {
						return []byte{0} // does not fit
					}
					return append(r.FillBytes(make([]byte, size)), s.FillBytes(make([]byte, size))...)
				}
				high := form(r, new(big.Int).Sub(order, s))
				if err := test.lax.Verify(input, high, ring.Signer().public); err != nil {
					t.Fatal("n−s is not another form of the signature:", err)
				}
				der, err := asn1.Marshal(struct{ R, S *big.Int }{r, s})
				if err != nil {
					t.Fatal(err)
				}
				for _, other := range [][]byte{
					high, form(new(big.Int).Add(r, order), s), form(r, new(big.Int).Add(s, order)), form(order, s), form(r, order),
					form(new(big.Int).Sub(order, r), s), form(s, r), der,
				} {
					refuse(t, ring, input+"."+encode(other), ErrBadSignature)
				}
			}
		})
	}
}

// An Ed25519 signature is R and S, and S + L also verified in old implementations (RFC
// 8032 §5.1.7).
func TestEdDSAAndRSASignaturesAreRefusedOutOfTheirRange(t *testing.T) {
	ring := ringOf(t, "EdDSA", "RS256", "PS256")
	order, _ := new(big.Int).SetString("7237005577332262213973186563042994240857116359379907606001950938285454250989", 10)
	input, signature := signatureOf(t, sign(t, ring.keys[0], "JWT"))
	little := slices.Clone(signature[32:])
	slices.Reverse(little)
	s := new(big.Int).SetBytes(little)
	for s.Add(s, order); s.BitLen() <= 256; s.Add(s, order) {
		other := s.FillBytes(make([]byte, 32))
		slices.Reverse(other)
		refuse(t, ring, input+"."+encode(slices.Concat(signature[:32], other)), ErrBadSignature)
	}

	for _, k := range ring.keys[1:] {
		n := k.public.(*rsa.PublicKey).N
		for i := range 100 {
			token := signPayload(t, k, "JWT", fmt.Sprintf(`{"i":%d}`, i))
			input, signature := signatureOf(t, token)
			more := new(big.Int).Add(new(big.Int).SetBytes(signature), n)
			refuse(t, ring, input+"."+encode(more.Bytes()), ErrBadSignature)
			refuse(t, ring, input+"."+encode(n.Bytes()), ErrBadSignature)
			if more.BitLen() <= n.BitLen() {
				break // it had the right length
			}
		}
	}
}

func TestLowSRefusesAKeyOfAnotherType(t *testing.T) {
	for _, key := range []any{nil, []byte("secret"), ecdsa.PublicKey{}, (*rsa.PublicKey)(nil)} {
		err := lowS{jwt.SigningMethodES256}.Verify("a.b", make([]byte, 64), key)
		checkError(t, err, "verifying ES256: key is of invalid type")
	}
}
