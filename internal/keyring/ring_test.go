package keyring

import (
	"encoding/json"
	"strings"
	"testing"
)

// L7, L8: what is published, member by member.
func TestJWKSHasThePublicMembersOnlyAndNoHMACKey(t *testing.T) {
	members := map[family]string{
		familyRSA:     "alg e kid kty n use",
		familyECDSA:   "alg crv kid kty use x y",
		familyEd25519: "alg crv kid kty use x",
	}
	var keys []*Key
	for _, p := range profiles {
		keys = append(keys, generate(t, p.algorithm))
	}
	ring, err := NewRing("JWT", keys...)
	if err != nil {
		t.Fatal(err)
	}
	var set map[string][]map[string]any
	if err := json.Unmarshal(ring.JWKS(), &set); err != nil {
		t.Fatal(err)
	}
	if len(set) != 1 || len(set["keys"]) != len(profiles)-3 {
		t.Fatalf("JWKS %s", ring.JWKS())
	}
	published := set["keys"]
	for i, p := range profiles {
		if p.family == familyHMAC {
			continue
		}
		jwk := published[0]
		published = published[1:]
		if jwk["kid"] != keys[i].ID() || jwk["alg"] != string(p.algorithm) || jwk["use"] != "sig" {
			t.Errorf("%s: %v", p.algorithm, jwk)
		}
		want := strings.Fields(members[p.family])
		for _, member := range want {
			if value, ok := jwk[member].(string); !ok || value == "" {
				t.Errorf("%s: no %s", p.algorithm, member)
			}
		}
		if len(jwk) != len(want) {
			t.Errorf("%s: %v, want only %v", p.algorithm, jwk, want)
		}
		for _, private := range []string{"d", "p", "q", "dp", "dq", "qi", "oth", "k"} {
			if _, ok := jwk[private]; ok {
				t.Errorf("%s: publishes %s", p.algorithm, private)
			}
		}
	}
}

func TestJWKSOfHMACKeysAloneIsAnEmptyList(t *testing.T) {
	ring, err := NewRing("JWT", generate(t, "HS256"), generate(t, "HS512"))
	if err != nil {
		t.Fatal(err)
	}
	if string(ring.JWKS()) != `{"keys":[]}` {
		t.Errorf("JWKS %s", ring.JWKS())
	}
}

func TestFirstKeyOfTheRingSigns(t *testing.T) {
	first, second := generate(t, "EdDSA"), generate(t, "ES256")
	keys := []*Key{first, second}
	ring, err := NewRing("JWT", keys...)
	if err != nil {
		t.Fatal(err)
	}
	keys[0] = second // the ring is immutable
	if ring.Signer() != first {
		t.Errorf("signer %v", ring.Signer())
	}
}

func TestRingRefusesNoKeyAndTheSameKeyTwice(t *testing.T) {
	_, err := NewRing("JWT")
	checkError(t, err, "at least one signing key")
	_, err = NewRing("", generate(t, "HS256"))
	checkError(t, err, "needs the typ")

	data := testdata(t, "rsa-pkcs8.pem")
	rs, err := NewPEMKey("RS256", data)
	if err != nil {
		t.Fatal(err)
	}
	ps, err := NewPEMKey("PS256", data)
	if err != nil {
		t.Fatal(err)
	}
	_, err = NewRing("JWT", rs, generate(t, "ES256"), ps)
	checkError(t, err, "one signing key is listed twice, for RS256 and for PS256 (kid "+rs.ID()+"): list it once")
}
