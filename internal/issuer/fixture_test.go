package issuer

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"maps"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/golang-jwt/jwt/v5"

	"github.com/caddygrant/caddy-grant/internal/clock"
)

const staff = "https://id.example.com/realms/staff"

// signer is a key pair of a made-up issuer.
type signer struct {
	id, algorithm string
	private       crypto.Signer
}

// Keys of a kind are the same in all tests of a process, since RSA keys take long.
var (
	ecKey      = sync.OnceValue(func() crypto.Signer { return newECKey(elliptic.P256()) })
	otherECKey = sync.OnceValue(func() crypto.Signer { return newECKey(elliptic.P256()) })
	ec384Key   = sync.OnceValue(func() crypto.Signer { return newECKey(elliptic.P384()) })
	ec521Key   = sync.OnceValue(func() crypto.Signer { return newECKey(elliptic.P521()) })
	rsaKey     = sync.OnceValue(func() crypto.Signer { return newRSAKey(2048) })
	weakRSAKey = sync.OnceValue(func() crypto.Signer { return newRSAKey(1024) })
	edKey      = sync.OnceValue(func() crypto.Signer {
		_, private, err := ed25519.GenerateKey(rand.Reader)
		return must(private, err)
	})
)

func newECKey(curve elliptic.Curve) crypto.Signer {
	return must(ecdsa.GenerateKey(curve, rand.Reader))
}

func newRSAKey(bits int) crypto.Signer { return must(rsa.GenerateKey(rand.Reader, bits)) }

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func es256(id string) signer { return signer{id, "ES256", ecKey()} }

// jwk is what the issuer publishes of a key.
func (s signer) jwk() map[string]any {
	encoded := must((&jose.JSONWebKey{Key: s.private.Public(), KeyID: s.id}).MarshalJSON())
	var members map[string]any
	if err := json.Unmarshal(encoded, &members); err != nil {
		panic(err)
	}
	return members
}

// with returns a copy with members that are other, or nil for none.
func with(members map[string]any, change map[string]any) map[string]any {
	changed := maps.Clone(members)
	for name, value := range change {
		if value == nil {
			delete(changed, name)
			continue
		}
		changed[name] = value
	}
	return changed
}

// token signs claims. change is of the header.
func (s signer) token(claims any, change map[string]any) string {
	h := map[string]any{"alg": s.algorithm, "typ": "JWT", "kid": s.id}
	if s.id == "" {
		delete(h, "kid")
	}
	return s.tokenOf(encodeJSON(with(h, change)), encodeJSON(claims))
}

// tokenOf signs a header and claims that are encoded already.
func (s signer) tokenOf(header, claims []byte) string {
	signed := base64url.EncodeToString(header) + "." + base64url.EncodeToString(claims)
	var key any = s.private
	signature := must(jwt.GetSigningMethod(s.algorithm).Sign(signed, key))
	return signed + "." + base64url.EncodeToString(signature)
}

func encodeJSON(v any) []byte {
	if encoded, ok := v.([]byte); ok {
		return encoded
	}
	return must(json.Marshal(v))
}

func encodeSegment(v any) string { return base64.RawURLEncoding.EncodeToString(encodeJSON(v)) }

// jwks is the JWK Set of keys, which are signers or what jwk returned.
func jwks(keys ...any) []byte {
	list := make([]any, len(keys))
	for i, k := range keys {
		if s, ok := k.(signer); ok {
			k = s.jwk()
		}
		list[i] = k
	}
	return encodeJSON(map[string]any{"keys": list})
}

// keysOf are keys that were fetched, and are not followed.
func keysOf(t testing.TB, keys ...any) *Keys {
	t.Helper()
	k := &Keys{asked: make(chan struct{}, 1)}
	k.status.Store(new(Status))
	k.fetched(t, keys...)
	return k
}

// fetched takes the place of a fetch.
func (k *Keys) fetched(t testing.TB, keys ...any) {
	t.Helper()
	set, err := parseKeySet(jwks(keys...))
	if err != nil {
		t.Fatal(err)
	}
	k.adopt(set)
}

// wasAsked tells whether a token asked for a fetch, and forgets it.
func (k *Keys) wasAsked() bool {
	select {
	case <-k.asked:
		return true
	default:
		return false
	}
}

// newIssuer is an issuer with its defaults, and the prefix that it has by default.
func newIssuer(t testing.TB, keys *Keys, change func(*Settings)) *Issuer {
	t.Helper()
	settings := Settings{URL: staff, Audience: []string{"https://app.example.com"}, UsernamePrefix: DefaultPrefix(staff)}
	if change != nil {
		change(&settings)
	}
	if err := settings.Validate(); err != nil {
		t.Fatal(err)
	}
	return New(settings, keys)
}

var now = time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)

// atClock sets the time of tokens.
func atClock(t testing.TB, at time.Time) {
	before := clock.Now
	t.Cleanup(func() { clock.Now = before })
	clock.Now = func() time.Time { return at }
}

// claims are those of a good token. change replaces some, or removes those that are
// nil.
func claims(change map[string]any) map[string]any {
	return with(map[string]any{
		"iss": staff, "sub": "7f3a", "aud": "https://app.example.com", "azp": "web",
		"iat": now.Add(-time.Minute).Unix(), "exp": now.Add(time.Hour).Unix(),
		"jti": "j1", "scope": "contacts.read contacts.write",
	}, change)
}

type m = map[string]any

var base64url = base64.RawURLEncoding.Strict()
