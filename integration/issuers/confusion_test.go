package issuers

import (
	"fmt"
	"strings"
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
	"github.com/caddygrant/caddy-grant/integration/internal/outside"
)

// The algorithm and the key are those of the issuer that `iss` names, whatever a token
// says.
func TestRFC8725AlgorithmAndKeyConfusion(t *testing.T) {
	staff := outside.New(t, outside.Options{Path: "/realms/staff"})
	partners := outside.New(t, outside.Options{Path: "/realms/partners", Algorithm: "RS256"})
	foreign := outside.NewKey(t, "ES256")
	weak := outside.WeakRSA(t)
	encryption := outside.NewKey(t, "ES256")
	encryption = encryption.With(map[string]any{"use": "enc", "alg": "ECDH-ES"})
	wrapping := outside.NewKey(t, "RS256").As("wrapping", "")
	wrapping = wrapping.With(map[string]any{"use": nil, "alg": nil, "key_ops": []string{"wrapKey"}})
	pinned := outside.NewKey(t, "RS256").As("pinned", "")
	pinned = pinned.With(map[string]any{"alg": "RS512"})
	shared := outside.NewKey(t, "ES256").With(map[string]any{"kty": "oct", "k": "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LTEyMw", "crv": nil, "x": nil, "y": nil, "alg": "HS256"})
	staff.Publish(weak, encryption, wrapping, pinned, shared)
	ec, rsa := staff.Key(), partners.Key()

	e := start(t, trusting(staff), trusting(partners))
	e.knows(staff, partners)
	attacks := []attack{
		{"RFC 8725 §3.8: the iss of one issuer and the key of the other", staff.Token(outside.By(rsa)), ""},
		{"RFC 8725 §3.8: the same, in the name of its key", staff.Token(outside.ByInNameOf(rsa, ec)), ""},
		{"RFC 8725 §3.8: the other way round", partners.Token(outside.By(ec)), ""},
		{"RFC 8725 §3.8: the other way round, in the name of its key", partners.Token(outside.ByInNameOf(ec, rsa)), ""},
		{"RFC 7515 §4.1.4: a key of no issuer", staff.Token(outside.By(foreign)), ""},
		{"RFC 7515 §4.1.4: a key of no issuer under a published kid", staff.Token(outside.ByInNameOf(foreign, ec)), ""},
		{"RFC 7515 §4.1.4: a key of no issuer without a kid", staff.Token(outside.By(foreign), outside.Header("kid", nil)), ""},
		{"RFC 7515 §4.1.4: a kid that is a path", staff.Token(outside.Header("kid", "../../../../dev/null")), ""},
		{"RFC 7515 §4.1.4: a kid that is an injection", staff.Token(outside.Header("kid", "x' UNION SELECT 'secret")), ""},
		{"RFC 7515 §4.1.4: a kid that is a number", staff.Token(outside.Header("kid", 1)), ""},
		{"RFC 7515 §4.1.4: an empty kid", staff.Token(outside.By(foreign), outside.Header("kid", "")), ""},
		{"RFC 7515 §4.1.4: a kid of 8 kB", staff.Token(outside.Header("kid", strings.Repeat("k", 8<<10))), ""},
		{"RFC 7515 §4.1.3: a jwk of the sender's", staff.Token(outside.By(foreign), outside.Header("jwk", foreign)), ""},
		{"RFC 7515 §4.1.2: a jku of the sender's", staff.Token(outside.By(foreign), outside.Header("jku", staff.URL+"/elsewhere")), ""},
		{"RFC 7515 §4.1.6: an x5c of the sender's", staff.Token(outside.By(foreign), outside.Header("x5c", []string{"AAAA"})), ""},
		{"RFC 8725 §3.1: RS256 with an EC key's kid", staff.Token(outside.ByInNameOf(rsa, ec), outside.Header("alg", "RS256")), ""},
		{"RFC 8725 §3.1: ES256 with an RSA key's kid", partners.Token(outside.ByInNameOf(ec, rsa), outside.Header("alg", "ES256")), ""},
		{"RFC 8725 §3.1: ES384 with a key of P-256", staff.Token(outside.Header("alg", "ES384")), ""},
		{"RFC 8725 §3.1: EdDSA with a key of P-256", staff.Token(outside.Header("alg", "EdDSA")), ""},
		{"RFC 8725 §3.1: ES256K", staff.Token(outside.Header("alg", "ES256K")), ""},
		{"RFC 7517 §4.4: PS256 with a key that says RS256", partners.Token(outside.Header("alg", "PS256")), ""},
		{"RFC 7517 §4.4: RS256 with a key that says RS512", staff.Token(outside.By(pinned)), ""},
		{"RFC 7517 §4.2: a key for encryption", staff.Token(outside.By(encryption)), ""},
		{"RFC 7517 §4.3: a key for wrapping", staff.Token(outside.By(wrapping)), ""},
		{"RFC 7518 §3.3: an RSA key of 1,024 bits", staff.Token(outside.By(weak)), ""},
		{"RFC 8725 §2.1: HS256 with a secret in the key set", staff.Token(outside.By(shared), outside.ByHMAC("HS256", []byte("secret-secret-secret-secret-123"))), ""},
		{"RFC 7516: five parts", staff.Token() + ".AAAA.AAAA", ""},
		{"RFC 7515 §5.2: padding in the signature", staff.Token() + "=", ""},
		{"RFC 7515 §5.2: a line end after the signature", staff.Token() + "%0A", ""},
		{"RFC 7515 §5.2: a signature that is cut", staff.Token()[:len(staff.Token())-4], ""},
	}
	for _, none := range []string{"none", "None", "NONE", "nOnE", ""} {
		attacks = append(attacks, attack{"RFC 8725 §3.2: the algorithm " + none, staff.Token(outside.Unsigned(none)), ""})
	}
	for issuer, key := range map[*outside.Issuer]*outside.Key{staff: ec, partners: rsa} {
		for form, secret := range key.PublicForms(t) {
			for _, algorithm := range []string{"HS256", "HS384", "HS512"} {
				name := fmt.Sprintf("RFC 8725 §2.1: %s with the public key of %s as the secret: %s", algorithm, key.Algorithm, form)
				attacks = append(attacks, attack{name, issuer.Token(outside.ByHMAC(algorithm, secret)), ""})
			}
		}
	}
	e.refuses(t, attacks)
	e.want(t, staff.Token(), 200)
	e.want(t, partners.Token(), 200)
	if staff.Fetches(outside.Nothing) > 0 {
		t.Error("a URL of a token was followed")
	}
}

// asJSON is a token in the flattened JSON serialization, without spaces.
func asJSON(token string) string {
	parts := strings.Split(token, ".")
	return fmt.Sprintf(`{"protected":%q,"payload":%q,"signature":%q}`, parts[0], parts[1], parts[2])
}

// Two issuers may give their keys one id.
func TestTheSameKidOfTwoIssuersAreTwoKeys(t *testing.T) {
	staff, partners := outside.New(t, outside.Options{}), outside.New(t, outside.Options{})
	staff.PublishOnly(staff.Key().As("1", ""))
	partners.PublishOnly(partners.Key().As("1", ""))
	e := start(t, trusting(staff), trusting(partners))
	e.knows(staff, partners)
	e.refuses(t, []attack{
		{"the key of partners for staff", staff.Token(outside.By(partners.Key())), ""},
		{"the key of staff for partners", partners.Token(outside.By(staff.Key())), ""},
	})
}

// An own token and one of an outside issuer are judged each by their own server.
func TestOwnAndOutsideTokensAreNotTakenForEachOther(t *testing.T) {
	issuer := outside.New(t, outside.Options{})
	e := startSite(t, ownServer, bearer("", trusting(issuer), copied))
	e.knows(issuer)
	own := e.Token("alice")
	e.want(t, own, 200)
	e.get("/contacts", own).Want(t, 200, "")
	e.app.Take()[1].WantIdentity(t, "X-User", "alice")
	header, claims := harness.Decoded(t, own)
	asOwn := []outside.Change{func(token *outside.Token) { token.Claims = claims; token.Header = map[string]any{"typ": header["typ"]} }}
	e.refuses(t, []attack{
		{"the claims of an own token, by the outside key", issuer.Token(asOwn...), ""},
		{"the same in the name of the own key", issuer.Token(append(asOwn, outside.Header("kid", header["kid"]))...), ""},
		{"an outside token that names the own server", issuer.Token(outside.Claim("iss", "https://api.example.com")), ""},
		{"an own token that names the issuer", reissued(t, own, issuer.URL), ""},
	})
}

// reissued is a token with another iss, under the signature that it had.
func reissued(t *testing.T, token, iss string) string {
	t.Helper()
	forged := harness.Forge(t, token, func(f *harness.Forgery) { f.Claims["iss"] = []byte(`"` + iss + `"`) })
	parts := strings.Split(token, ".")
	return parts[0] + "." + strings.Split(forged, ".")[1] + "." + parts[2]
}
