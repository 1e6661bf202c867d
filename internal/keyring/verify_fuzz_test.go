package keyring

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/asn1"
	"math/big"
	"slices"
	"testing"
)

// fixedTokens are a ring and a token of each of its keys. Everything is the same in
// every process: a fuzzer passes what one process has issued to another, which must
// know it.
func fixedTokens(t testing.TB) (*Ring, []string) {
	t.Helper()
	hmacKey, err := NewHMACKey("HS256", []byte("0123456789abcdef0123456789abcdef"))
	if err != nil {
		t.Fatal(err)
	}
	data := testdata(t, "ec-p256-pkcs8.pem")
	ecKey, err := NewPEMKey("ES256", data)
	if err != nil {
		t.Fatal(err)
	}
	p, _ := Algorithm("EdDSA").profile()
	edKey, err := newKey(p, ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, ed25519.SeedSize)))
	if err != nil {
		t.Fatal(err)
	}
	ring := ringWith(t, hmacKey, ecKey, edKey)

	tokens := []string{sign(t, hmacKey, "JWT"), "", sign(t, edKey, "JWT")}
	input, _ := signatureOf(t, sign(t, ecKey, "JWT"))
	digest := sha256.Sum256([]byte(input))
	private := ecKey.private().(*ecdsa.PrivateKey)
	der, err := private.Sign(nil, digest[:], crypto.SHA256) // without random numbers: as RFC 6979 says
	if err != nil {
		t.Fatal(err)
	}
	var rs struct{ R, S *big.Int }
	if _, err := asn1.Unmarshal(der, &rs); err != nil {
		t.Fatal(err)
	}
	if high := new(big.Int).Sub(private.Params().N, rs.S); high.Cmp(rs.S) < 0 {
		rs.S = high
	}
	signature := append(rs.R.FillBytes(make([]byte, 32)), rs.S.FillBytes(make([]byte, 32))...)
	tokens[1] = input + "." + encode(signature)
	return ring, tokens
}

// A token whose bytes differ anywhere from the issued one is never accepted.
func FuzzVerify(f *testing.F) {
	ring, tokens := fixedTokens(f)
	for i, token := range tokens {
		if _, _, err := ring.Verify(token); err != nil {
			f.Fatal(i, err)
		}
		end := uint16(len(token))
		f.Add(token, uint8(i), uint16(0), uint16(0), "") // as issued
		f.Add(token+"=", uint8(i), end, uint16(0), "\n")
		f.Add(forge(f, `{"alg":"none"}`, ring.Signer().method, []byte("x")), uint8(i), end-1, uint16(1), "_")
		f.Add("..", uint8(i), uint16(3), uint16(1), "A")
		f.Add("", uint8(i), end-86, uint16(86), "")
		f.Add(`{"alg":"HS256","kid":"../../dev/null","crit":null}`, uint8(i), uint16(10), uint16(2), "..")
	}
	// Any string, any header over the claims and the signature of an issued token, and an
	// issued token in which some bytes are cut and others put in.
	f.Fuzz(func(t *testing.T, free string, which uint8, at, cut uint16, insert string) {
		issued := tokens[int(which)%len(tokens)]
		from := int(at) % (len(issued) + 1)
		to := min(from+int(cut), len(issued))
		rest := issued[bytes.IndexByte([]byte(issued), '.'):]
		for _, token := range []string{free, free + rest, encode(free) + rest, issued[:from] + insert + issued[to:]} {
			typ, claims, err := ring.Verify(token)
			switch {
			case err == nil && !slices.Contains(tokens, token):
				t.Fatalf("accepted: %q", token)
			case err == nil && (typ != "JWT" || string(claims) != `{"exp":4102444800,"sub":"alice"}`):
				t.Fatalf("typ %q, claims %q", typ, claims)
			case err != nil && slices.Contains(tokens, token):
				t.Fatalf("an issued token is refused: %v", err)
			case err != nil && (typ != "" || claims != nil):
				t.Fatalf("typ %q and claims %q beside the error", typ, claims)
			}
		}
	})
}

// Every byte of a token in turn becomes every other byte.
func TestNoByteOfATokenCanBeChanged(t *testing.T) {
	ring, tokens := fixedTokens(t)
	for _, issued := range tokens {
		token := []byte(issued)
		for i, original := range token {
			for c := range 256 {
				if token[i] = byte(c); token[i] == original {
					continue
				}
				if _, _, err := ring.Verify(string(token)); err == nil {
					t.Fatalf("byte %d: %q for %q is accepted", i, token[i], original)
				}
			}
			token[i] = original
			refuse(t, ring, issued[:i]+issued[i+1:], nil)
		}
		if _, _, err := ring.Verify(string(token)); err != nil {
			t.Fatal(err)
		}
	}
}
