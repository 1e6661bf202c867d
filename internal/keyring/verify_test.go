package keyring

import (
	"bytes"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// ringOf makes a ring of new keys of these algorithms.
func ringOf(t testing.TB, algorithms ...Algorithm) *Ring {
	t.Helper()
	var keys []*Key
	for _, a := range algorithms {
		keys = append(keys, generate(t, a))
	}
	return ringWith(t, keys...)
}

func ringWith(t testing.TB, keys ...*Key) *Ring {
	t.Helper()
	ring, err := NewRing("JWT", keys...)
	if err != nil {
		t.Fatal(err)
	}
	return ring
}

func encode[T string | []byte](part T) string {
	return base64.RawURLEncoding.EncodeToString([]byte(part))
}

// forge signs any header with a method and a key of the caller's choice.
func forge(t testing.TB, header string, method jwt.SigningMethod, key any) string {
	t.Helper()
	input := encode(header) + "." + encode(`{"sub":"admin","exp":4102444800}`)
	signature, err := method.Sign(input, key)
	if err != nil {
		t.Fatal(err)
	}
	return input + "." + encode(signature)
}

func headerOf(alg, kid string) string {
	return fmt.Sprintf(`{"alg":%q,"kid":%q,"typ":"JWT"}`, alg, kid)
}

// signatureOf is the third part of a token, and what is before it.
func signatureOf(t testing.TB, token string) (input string, signature []byte) {
	t.Helper()
	dot := strings.LastIndexByte(token, '.')
	signature, err := base64.RawURLEncoding.DecodeString(token[dot+1:])
	if err != nil {
		t.Fatal(err)
	}
	return token[:dot], signature
}

func refuse(t *testing.T, ring *Ring, token string, want error) {
	t.Helper()
	typ, claims, err := ring.Verify(token)
	if err == nil {
		t.Fatalf("accepted: %s", token)
	}
	if want != nil && !errors.Is(err, want) {
		t.Errorf("error %q, want %q: %.200s", err, want, token)
	}
	if typ != "" || claims != nil {
		t.Errorf("typ %q and claims %q beside the error", typ, claims)
	}
}

func TestEveryAlgorithmSignsAndVerifies(t *testing.T) {
	var algorithms []Algorithm
	for _, p := range profiles {
		algorithms = append(algorithms, p.algorithm)
	}
	ring := ringOf(t, algorithms...)
	other := ringOf(t, algorithms...)
	for i, k := range ring.keys {
		for _, want := range []string{"JWT", "at+jwt", "refresh+jwt"} {
			token := sign(t, k, want)
			typ, claims, err := ring.Verify(token)
			if err != nil || typ != want || string(claims) != `{"exp":4102444800,"sub":"alice"}` {
				t.Errorf("%s: typ %q, claims %s, error %v", k.algorithm, typ, claims, err)
			}
			refuse(t, other, token, ErrUnknownKey)
			// The same with the kid of an existing key.
			refuse(t, other, forge(t, headerOf(string(k.algorithm), other.keys[i].id), k.method, k.private()), ErrBadSignature)
		}
	}
}

func TestI9UnsignedTokensAreRefusedInEverySpelling(t *testing.T) {
	ring := ringOf(t, "HS256", "RS256", "ES256", "EdDSA")
	for _, k := range ring.keys {
		genuine := sign(t, k, "JWT")
		_, signature := signatureOf(t, genuine)
		for _, alg := range []string{"none", "None", "NONE", "nOnE", " none", "none ", "", "null", "HS0"} {
			input := encode(headerOf(alg, k.id)) + "." + encode(`{"sub":"admin"}`)
			refuse(t, ring, input, ErrMalformed)
			refuse(t, ring, input+".", ErrMalformed)
			refuse(t, ring, input+"."+encode(signature), ErrWrongKey)
			refuse(t, ring, encode(headerOf(alg, k.id))+genuine[strings.IndexByte(genuine, '.'):], ErrWrongKey)
			refuse(t, ring, encode(fmt.Sprintf(`{"alg":%q}`, alg))+genuine[strings.IndexByte(genuine, '.'):], ErrUnknownKey)
		}
		for _, alg := range []string{`null`, `0`, `false`, `[]`, `["none"]`, `{}`} {
			header := fmt.Sprintf(`{"alg":%s,"kid":%q}`, alg, k.id)
			refuse(t, ring, encode(header)+genuine[strings.IndexByte(genuine, '.'):], nil)
		}
		refuse(t, ring, encode(`{"kid":"`+k.id+`"}`)+genuine[strings.IndexByte(genuine, '.'):], ErrWrongKey)
	}
}

func TestI9PublicKeyIsNotAnHMACSecret(t *testing.T) {
	for _, a := range []Algorithm{"RS256", "PS256", "ES256", "EdDSA"} {
		ring := ringWith(t, generate(t, a), generate(t, "HS256"))
		k := ring.Signer()
		der, err := x509.MarshalPKIXPublicKey(k.public)
		if err != nil {
			t.Fatal(err)
		}
		block := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
		secrets := map[string][]byte{
			"DER": der, "PEM": block, "PEM without the last newline": bytes.TrimSpace(block),
			"JWKS": ring.JWKS(), "the kid": []byte(k.id), "nothing": {},
			"the end of the DER": der[len(der)-32:],
		}
		if public, ok := k.public.(*rsa.PublicKey); ok {
			pkcs1 := x509.MarshalPKCS1PublicKey(public)
			secrets["the modulus"] = public.N.Bytes()
			secrets["PKCS#1 in DER"] = pkcs1
			secrets["PKCS#1 in PEM"] = pem.EncodeToMemory(&pem.Block{Type: "RSA PUBLIC KEY", Bytes: pkcs1})
		}
		for name, secret := range secrets {
			t.Run(string(a)+" "+name, func(t *testing.T) {
				for _, method := range []*jwt.SigningMethodHMAC{jwt.SigningMethodHS256, jwt.SigningMethodHS384, jwt.SigningMethodHS512} {
					refuse(t, ring, forge(t, headerOf(method.Alg(), k.id), method, secret), ErrWrongKey)
					refuse(t, ring, forge(t, headerOf(string(a), k.id), method, secret), ErrBadSignature)
					refuse(t, ring, forge(t, `{"alg":"`+method.Alg()+`"}`, method, secret), ErrUnknownKey)
				}
				refuse(t, ring, forge(t, headerOf("HS256", ring.keys[1].id), jwt.SigningMethodHS256, secret), ErrBadSignature)
			})
		}
	}
}

func TestI9KeyVerifiesWithItsOwnAlgorithmOnly(t *testing.T) {
	ring := ringOf(t, "RS256", "HS256", "PS512")
	for _, test := range []struct {
		key    int
		method jwt.SigningMethod
	}{
		{0, jwt.SigningMethodRS512}, {0, jwt.SigningMethodPS256},
		{1, jwt.SigningMethodHS384}, {1, jwt.SigningMethodHS512},
		{2, jwt.SigningMethodPS256}, {2, jwt.SigningMethodRS512},
	} {
		k := ring.keys[test.key]
		refuse(t, ring, forge(t, headerOf(test.method.Alg(), k.id), test.method, k.private()), ErrWrongKey)
		refuse(t, ring, forge(t, headerOf(string(k.algorithm), k.id), test.method, k.private()), ErrBadSignature)
	}
}

func TestI15I16KeyIDIsLookedUpAmongTheKeysAndNowhereElse(t *testing.T) {
	ring := ringOf(t, "HS256", "ES256")
	id := ring.Signer().id
	for _, kid := range []string{
		"", " ", "0", "../../../../../../dev/null", "/dev/null", "/proc/sys/kernel/randomize_va_space",
		"file:///dev/null", "https://attacker.example/jwks.json", `' OR '1'='1`, `x' UNION SELECT 'secret'--`,
		"| sleep 10", "{{.Signer}}", id + " ", " " + id, id + "\x00", id[:42], id + "A", strings.ToLower(id), id + "/../" + id,
		strings.Repeat("k", 5000),
	} {
		quoted, err := json.Marshal(kid)
		if err != nil {
			t.Fatal(err)
		}
		for _, secret := range [][]byte{{}, []byte("secret"), make([]byte, 32)} {
			token := forge(t, `{"alg":"HS256","kid":`+string(quoted)+`,"typ":"JWT"}`, jwt.SigningMethodHS256, secret)
			refuse(t, ring, token, ErrUnknownKey)
		}
	}
	for _, kid := range []string{"0", "true", `["` + id + `"]`, `{"kid":"` + id + `"}`} {
		refuse(t, ring, forge(t, `{"alg":"HS256","kid":`+kid+`}`, jwt.SigningMethodHS256, ring.Signer().private()), ErrHeader)
	}
	refuse(t, ring, forge(t, `{"alg":"HS256","kid":null}`, jwt.SigningMethodHS256, ring.Signer().private()), ErrUnknownKey)
}

func TestI15KeysInOrBehindTheHeaderAreNeitherTrustedNorFetched(t *testing.T) {
	ring, attacker := ringOf(t, "RS256"), ringOf(t, "RS256")
	asked := make(chan string, 100)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked <- r.URL.Path
		_, _ = w.Write(attacker.JWKS())
	}))
	defer server.Close()
	var set struct{ Keys []json.RawMessage }
	if err := json.Unmarshal(attacker.JWKS(), &set); err != nil {
		t.Fatal(err)
	}
	mine, theirs := ring.Signer(), attacker.Signer()
	for _, member := range []string{
		`"jwk":` + string(set.Keys[0]), `"jku":"` + server.URL + `/jku"`, `"x5u":"` + server.URL + `/x5u"`,
		`"x5c":["MIIB"]`, `"x5t":"AAAA"`, `"x5t#S256":"AAAA"`, `"jku":"` + server.URL + `","jwk":` + string(set.Keys[0]),
		`"jwks":` + string(attacker.JWKS()), `"iss":"` + server.URL + `"`,
	} {
		for kid, want := range map[string]error{mine.id: ErrBadSignature, theirs.id: ErrUnknownKey} {
			header := fmt.Sprintf(`{"alg":"RS256","kid":%q,"typ":"JWT",%s}`, kid, member)
			refuse(t, ring, forge(t, header, theirs.method, theirs.private()), want)
		}
		refuse(t, ring, forge(t, `{"alg":"RS256","typ":"JWT",`+member+`}`, theirs.method, theirs.private()), ErrUnknownKey)
		// With a valid signature they are ignored.
		header := fmt.Sprintf(`{"alg":"RS256","kid":%q,"typ":"JWT",%s}`, mine.id, member)
		if _, _, err := ring.Verify(forge(t, header, mine.method, mine.private())); err != nil {
			t.Errorf("%s: %v", member, err)
		}
	}
	time.Sleep(50 * time.Millisecond)
	if len(asked) > 0 {
		t.Errorf("%s was fetched", <-asked)
	}
}

// Signed as an app that shares an HMAC secret with the server could: only the header
// decides.
func TestHeadersThatAreRefusedUnderAGoodSignature(t *testing.T) {
	ring := ringOf(t, "HS256")
	k := ring.Signer()
	const deep = 2500
	tests := []struct {
		name, header string // KID stands for the kid
		err          error
	}{
		{"the usual", `{"alg":"HS256","kid":"KID","typ":"JWT"}`, nil},
		{"white space", " {\n\"alg\" :\t\"HS256\", \"kid\":\"KID\",\"typ\":\"JWT\"} ", nil},
		{"escapes", `{"\u0061lg":"HS\u003256","kid":"KID","typ":"J\u0057T"}`, nil},
		{"unknown members", `{"alg":"HS256","kid":"KID","typ":"JWT","cty":"JWT","x":{"alg":"none"}}`, nil},
		{"other case beside the right one", `{"alg":"HS256","kid":"KID","typ":"JWT","ALG":"none","Kid":"x","CRIT":["x"]}`, nil},
		{"H9: alg twice", `{"alg":"HS256","alg":"HS256","kid":"KID","typ":"JWT"}`, ErrHeader},
		{"H9: alg twice, none first", `{"alg":"none","alg":"HS256","kid":"KID","typ":"JWT"}`, ErrHeader},
		{"H9: alg twice, once escaped", `{"alg":"HS256","\u0061\u006cg":"none","kid":"KID","typ":"JWT"}`, ErrHeader},
		{"H9: kid twice", `{"alg":"HS256","kid":"x","kid":"KID","typ":"JWT"}`, ErrHeader},
		{"H9: typ twice", `{"alg":"HS256","kid":"KID","typ":"JWT","typ":"refresh+jwt"}`, ErrHeader},
		{"H9: an unknown member twice", `{"alg":"HS256","kid":"KID","typ":"JWT","x":1,"x":2}`, ErrHeader},
		{"I14: crit", `{"alg":"HS256","kid":"KID","typ":"JWT","crit":["exp"],"exp":1}`, ErrCritical},
		{"I14: crit that names what is known", `{"alg":"HS256","kid":"KID","typ":"JWT","crit":["alg"]}`, ErrCritical},
		{"I14: crit with b64", `{"alg":"HS256","kid":"KID","typ":"JWT","crit":["b64"],"b64":false}`, ErrCritical},
		{"I14: crit null", `{"alg":"HS256","kid":"KID","typ":"JWT","crit":null}`, ErrCritical},
		{"I14: crit empty", `{"alg":"HS256","kid":"KID","typ":"JWT","crit":[]}`, ErrCritical},
		{"I14: crit of another type", `{"alg":"HS256","kid":"KID","typ":"JWT","crit":0}`, ErrCritical},
		{"I14: crit escaped", `{"alg":"HS256","kid":"KID","typ":"JWT","\u0063rit":["x"]}`, ErrCritical},
		{"I12: typ is a number", `{"alg":"HS256","kid":"KID","typ":1}`, ErrHeader},
		{"I12: typ is a list", `{"alg":"HS256","kid":"KID","typ":["JWT"]}`, ErrHeader},
		{"alg in other case", `{"alg":"hs256","kid":"KID","typ":"JWT"}`, ErrWrongKey},
		{"alg with a space", `{"alg":"HS256 ","kid":"KID","typ":"JWT"}`, ErrWrongKey},
		{"the name of alg in other case", `{"Alg":"HS256","kid":"KID","typ":"JWT"}`, ErrWrongKey},
		{"the name of kid in other case", `{"alg":"HS256","KID":"KID","typ":"JWT"}`, ErrUnknownKey},
		{"null", `null`, ErrMalformed},
		{"a list", `[{"alg":"HS256","kid":"KID","typ":"JWT"}]`, ErrMalformed},
		{"a string", `"HS256"`, ErrMalformed},
		{"a number", `1`, ErrMalformed},
		{"an object without members", `{}`, ErrUnknownKey},
		{"two objects", `{"alg":"HS256","kid":"KID","typ":"JWT"}{}`, ErrMalformed},
		{"a comma too many", `{"alg":"HS256","kid":"KID","typ":"JWT",}`, ErrMalformed},
		{"a byte order mark", "\ufeff" + `{"alg":"HS256","kid":"KID","typ":"JWT"}`, ErrMalformed},
		{"a NUL at the end", `{"alg":"HS256","kid":"KID","typ":"JWT"}` + "\x00", ErrMalformed},
		{"invalid UTF-8", `{"alg":"HS256","kid":"KID","typ":"JWT","x":"` + "\xff" + `"}`, ErrMalformed},
		{"a control character", `{"alg":"HS256","kid":"KID","typ":"J` + "\n" + `WT"}`, ErrMalformed},
		{"deep lists in an unknown member", `{"x":` + strings.Repeat("[", deep) + strings.Repeat("]", deep) + `}`, ErrUnknownKey},
		{"deep lists", strings.Repeat("[", deep) + strings.Repeat("]", deep), ErrMalformed},
		{"deep objects without an end", strings.Repeat(`{"a":`, deep/3), ErrMalformed},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			token := forge(t, strings.ReplaceAll(test.header, `"KID"`, `"`+k.id+`"`), k.method, k.private())
			if test.err != nil {
				refuse(t, ring, token, test.err)
			} else if typ, _, err := ring.Verify(token); err != nil || typ != "JWT" {
				t.Errorf("typ %q, error %v", typ, err)
			}
		})
	}
	for _, header := range []string{`{"alg":"HS256","kid":"` + k.id + `"}`, `{"alg":"HS256","kid":"` + k.id + `","typ":null}`} {
		if typ, _, err := ring.Verify(forge(t, header, k.method, k.private())); err != nil || typ != "" {
			t.Errorf("%s: typ %q, error %v", header, typ, err)
		}
	}
}
