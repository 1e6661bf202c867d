package issuer

import (
	"crypto/ecdsa"
	"errors"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/caddygrant/caddy-grant/internal/remembered"
	"github.com/caddygrant/caddy-grant/internal/token"
)

func TestATokenOfEachAlgorithmPasses(t *testing.T) {
	atClock(t, now)
	signers := []signer{
		{"es256", "ES256", ecKey()}, {"es384", "ES384", ec384Key()}, {"es512", "ES512", ec521Key()},
		{"rs", "RS256", rsaKey()}, {"rs", "RS384", rsaKey()}, {"rs", "RS512", rsaKey()},
		{"rs", "PS256", rsaKey()}, {"rs", "PS384", rsaKey()}, {"rs", "PS512", rsaKey()}, {"ed", "EdDSA", edKey()},
	}
	keys := keysOf(t, signers[0], signers[1], signers[2], signers[3], signers[9])
	all := newIssuer(t, keys, func(s *Settings) {
		for _, a := range algorithms {
			s.Algorithms = append(s.Algorithms, a.name)
		}
	})
	byDefault := newIssuer(t, keys, nil)
	for _, s := range signers {
		t.Run(s.algorithm, func(t *testing.T) {
			for _, kid := range []any{s.id, nil} {
				raw := s.token(claims(nil), m{"kid": kid})
				if got, err := all.Check(t.Context(), raw); err != nil || got.Claim("sub") != staff+"#7f3a" {
					t.Errorf("kid %v: %v", kid, err)
				}
				_, err := byDefault.Check(t.Context(), raw)
				if ok := strings.HasSuffix(s.algorithm, "256") || s.algorithm == "EdDSA"; (err == nil) != ok {
					t.Errorf("with the default algorithms: %v", err)
				}
			}
		})
	}
}

// RFC 9864 §2.2: Ed25519 is EdDSA with that curve. Keys and settings may have either name.
func TestEd25519IsAnotherNameOfEdDSA(t *testing.T) {
	atClock(t, now)
	ed := signer{"ed", "EdDSA", edKey()}
	for _, published := range []any{nil, "EdDSA", "Ed25519"} {
		keys := keysOf(t, with(ed.jwk(), m{"alg": published}), es256("ec"), signer{"rs", "RS256", rsaKey()})
		for _, accepted := range [][]string{nil, {"EdDSA"}, {"Ed25519"}, {"EdDSA", "Ed25519"}} {
			i := newIssuer(t, keys, func(s *Settings) { s.Algorithms = accepted })
			for _, name := range []string{"EdDSA", "Ed25519"} {
				raw := ed.token(claims(nil), m{"alg": name})
				if _, err := i.Check(t.Context(), raw); err != nil {
					t.Errorf("published as %v, accepted as %v, named %s: %v", published, accepted, name, err)
				}
				if _, err := i.ReadUnverified(raw); err != nil {
					t.Errorf("without keys: accepted as %v, named %s: %v", accepted, name, err)
				}
			}
		}
		i := newIssuer(t, keys, func(s *Settings) { s.Algorithms = []string{"ES256", "RS256"} })
		got, err := i.Check(t.Context(), ed.token(claims(nil), m{"alg": "Ed25519"}))
		wantRefused(t, got, err, "its algorithm is not one that is accepted")
	}
	i := newIssuer(t, keysOf(t, ed, es256("ec")), nil)
	for _, test := range []struct {
		raw  string
		want string // part of the reason
	}{
		{ed.token(claims(nil), m{"alg": "ed25519"}), "its algorithm is not one that is accepted"},
		{ed.token(claims(nil), m{"alg": "Ed448"}), "its algorithm is not one that is accepted"},
		{es256("ec").token(claims(nil), m{"alg": "Ed25519"}), "no such key for the token's algorithm"},
		{es256("ec").token(claims(nil), m{"alg": "Ed25519", "kid": "ed"}), "does not verify"},
	} {
		got, err := i.Check(t.Context(), test.raw)
		wantRefused(t, got, err, test.want)
	}
}

// Outside issuers make either s. Only our own tokens have the lower one.
func TestBothSignaturesOfECDSAPass(t *testing.T) {
	atClock(t, now)
	i := newIssuer(t, keysOf(t, es256("k")), nil)
	raw := es256("k").token(claims(nil), nil)
	end := strings.LastIndexByte(raw, '.') + 1
	signature := must(base64url.DecodeString(raw[end:]))
	s := new(big.Int).SetBytes(signature[32:])
	s.Sub(ecKey().Public().(*ecdsa.PublicKey).Params().N, s).FillBytes(signature[32:])
	for _, raw := range []string{raw, raw[:end] + base64url.EncodeToString(signature)} {
		if _, err := i.Check(t.Context(), raw); err != nil {
			t.Error(err)
		}
	}
}

// wantRefused wants the reason of a refusal that is a fault of the token.
func wantRefused(t *testing.T, got *Token, err error, want string) {
	t.Helper()
	if _, ok := errors.AsType[token.Error](err); !ok || !strings.Contains(err.Error(), want) {
		t.Errorf("%v, want a token.Error with %q (token %+v)", err, want, got)
	}
}

func TestThereIsNoAnswerBeforeTheFirstKeys(t *testing.T) {
	atClock(t, now)
	keys := &Keys{asked: make(chan struct{}, 1)}
	cause := errors.New("connection refused")
	keys.status.Store(&Status{Err: cause})
	i := newIssuer(t, keys, nil)
	raw := es256("k").token(claims(nil), nil)
	_, err := i.Check(t.Context(), raw)
	if unchecked, ok := errors.AsType[token.UncheckedError](err); !ok || unchecked.Cause() != cause {
		t.Fatalf("%#v", err)
	}
	keys.fetched(t, es256("k"))
	if _, err := i.Check(t.Context(), raw); err != nil {
		t.Error(err)
	}
}

func TestATokenThatNoKeyVerifiesAsksForAFetch(t *testing.T) {
	atClock(t, now)
	keys := keysOf(t, es256("k"))
	i := newIssuer(t, keys, nil)
	check := func(raw string) { _, _ = i.Check(t.Context(), raw) }

	check(es256("k").token(claims(nil), nil))
	check(es256("k").token(claims(m{"exp": 1}), nil))
	check(es256("k").token(claims(nil), m{"typ": "no"}))
	check(signer{"k", "RS512", rsaKey()}.token(claims(nil), nil))
	check("made up")
	if keys.wasAsked() {
		t.Error("a fetch is asked for without need")
	}
	for _, raw := range []string{
		es256("new").token(claims(nil), nil),                              // a new key
		signer{"", "ES256", otherECKey()}.token(claims(nil), nil),         // of an issuer without kids
		signer{"k", "ES256", otherECKey()}.token(claims(nil), nil),        // a key replaced under its kid
		signer{"k", "EdDSA", edKey()}.token(claims(nil), m{"kid": "new"}), // of another kind
	} {
		for range 3 {
			check(raw) // and it does not wait
		}
		if !keys.wasAsked() {
			t.Error("no fetch is asked for")
		}
		if keys.wasAsked() {
			t.Error("more than one is asked for")
		}
	}
}

// A token must not cost the checks of a thousand keys, so the log says that not all of
// them were tried.
func TestATokenIsVerifiedWithTheFirstKeysThatFit(t *testing.T) {
	atClock(t, now)
	if maxCandidates != 4 {
		t.Error("the reason and docs/outside-issuers.md say 4")
	}
	key := signer{"", "ES256", otherECKey()}
	others := []any{es256("a"), es256("b"), es256("c")}
	raw := key.token(claims(nil), nil)
	for _, test := range []struct {
		name string
		keys []any
		want string // part of the reason; empty: it passes
	}{
		{"as the fourth", append(others, key), ""},
		{"as the fifth", append(others, es256("d"), key), "with the first 4 keys that fit, and no more are tried"},
		{"as the fifth, after one that does not fit", append(others, signer{"d", "RS256", rsaKey()}, key), ""},
		{"as none of four", append(others, es256("d")), "the signature does not verify"},
	} {
		got, err := newIssuer(t, keysOf(t, test.keys...), nil).Check(t.Context(), raw)
		if test.want == "" {
			if err != nil {
				t.Errorf("%s: %v", test.name, err)
			}
			continue
		}
		wantRefused(t, got, err, test.want)
		if test.name == "as none of four" && strings.Contains(err.Error(), "no more are tried") {
			t.Errorf("%s: %v", test.name, err)
		}
	}
}

func TestATokenIsVerifiedOnce(t *testing.T) {
	atClock(t, now)
	keys := keysOf(t, es256("k"), signer{"old", "RS256", rsaKey()})
	i := newIssuer(t, keys, nil)
	raw := es256("k").token(claims(m{"nbf": now.Unix()}), nil)
	digest := remembered.DigestOf(raw)
	if i.Recall(digest) != nil {
		t.Error("it is remembered before it was checked")
	}
	first, err := i.Check(t.Context(), raw)
	if err != nil || i.Recall(digest) != first {
		t.Fatal(err)
	}
	again := func(same bool) {
		t.Helper()
		if got, err := i.Check(t.Context(), raw); err != nil || (got == first) != same {
			t.Errorf("%p and %p, %v", got, first, err)
		}
	}
	again(true)
	keys.fetched(t, signer{"old", "RS256", rsaKey()}, es256("k")) // nothing new
	again(true)
	if n, size := i.memory.Load().checked.Len(); n != 1 || size < len(raw) {
		t.Errorf("%d are remembered, in %d bytes", n, size)
	}

	// Time goes on for what is remembered.
	for _, test := range []struct {
		at   time.Time
		want string
	}{
		{now.Add(time.Hour + 30*time.Second), "expired"},
		{now.Add(-31 * time.Second), "not yet valid"},
		{now.Add(-24 * time.Hour), "not yet valid"},
	} {
		atClock(t, test.at)
		got, err := i.Check(t.Context(), raw)
		wantRefused(t, got, err, test.want)
		if got != first || i.Recall(digest) != first {
			t.Error("it does not say whose it is")
		}
		wantRefused(t, got, i.CheckTimes(got), test.want)
	}
	atClock(t, now)
	again(true)

	keys.fetched(t, es256("k")) // another key is gone
	if i.Recall(digest) != nil {
		t.Error("it is remembered with other keys")
	}
	again(false)
	keys.fetched(t, signer{"old", "RS256", rsaKey()}) // its key is gone
	got, err := i.Check(t.Context(), raw)
	wantRefused(t, got, err, "no key with the token's kid")
	keys.fetched(t, signer{"k", "ES256", otherECKey()}) // another key has its kid
	got, err = i.Check(t.Context(), raw)
	wantRefused(t, got, err, "does not verify")
}

func TestARememberedTokenIsCheckedWithoutAllocation(t *testing.T) {
	atClock(t, now)
	i := newIssuer(t, keysOf(t, es256("k")), nil)
	raw := es256("k").token(claims(nil), nil)
	ctx := t.Context()
	if _, err := i.Check(ctx, raw); err != nil {
		t.Fatal(err)
	}
	if n := testing.AllocsPerRun(100, func() { _, _ = i.Check(ctx, raw) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
	if n := testing.AllocsPerRun(100, func() { _ = i.CheckTimes(i.Recall(remembered.DigestOf(raw))) }); n != 0 {
		t.Errorf("recalled: %v allocations", n)
	}
}

func TestTheClaimedIssuerIsReadFromTokensOnly(t *testing.T) {
	of := func(payload string) string { return "e30." + base64url.EncodeToString([]byte(payload)) + ".AA" }
	for _, test := range []struct {
		name, raw, want string
		why             error
	}{
		{"a token", of(`{"iss":"https://a"}`), "https://a", nil},
		{"one among nested claims", of(`{"a":{"iss":"https://b"},"iss":"https://a"}`), "https://a", nil},
		{"a long one", of(`{"iss":"https://a","b":"` + strings.Repeat("b", 12000) + `"}`), "https://a", nil},
		{"one that is too long", of(`{"iss":"https://a","b":"` + strings.Repeat("b", 3*MaxTokenLength/4) + `"}`), "", errTooLong},
		{"a duplicate", of(`{"iss":"https://a","iss":"https://a"}`), "", errClaims},
		{"a duplicate of another claim", of(`{"iss":"https://a","sub":"a","sub":"b"}`), "", errClaims},
		{"more after it", of(`{"iss":"https://a"}{}`), "", errClaims},
		{"a payload that is null", of(`null`), "", errClaims},
		{"a duplicate in what is not a token", "AA." + base64url.EncodeToString([]byte(`{"iss":"a","iss":"a"}`)) + ".AA", "", nil},
		{"null", of(`{"iss":null}`), "", nil},
		{"empty", of(`{"iss":""}`), "", nil},
		{"a number", of(`{"iss":1}`), "", nil},
		{"another case", of(`{"ISS":"https://a"}`), "", nil},
		{"not an object", of(`["https://a"]`), "", errClaims},
		{"not UTF-8", of("{\"iss\":\"https://a\xff\"}"), "", errClaims},
		{"padding", "e30.eyJpc3MiOiJhIn0=.AA", "", nil},
		{"stray bits", "e30.eyJpc3MiOiJhIn1.AA", "", nil},
		{"no signature", "e30.eyJpc3MiOiJhIn0.", "", nil},
		{"a deep one", of(strings.Repeat("[", 12000)), "", errClaims},
	} {
		if got, err := ClaimedIssuer(test.raw); got != test.want || err != test.why {
			t.Errorf("%s: %q, %v", test.name, got, err)
		}
	}
}

// The token of one issuer, whose iss names another, is judged by neither.
func TestATokenOfAnotherIssuerDoesNotPass(t *testing.T) {
	atClock(t, now)
	const partners = "https://partners.example.com"
	ours, theirs := es256("k"), signer{"k", "ES256", otherECKey()} // of the same kid
	a := newIssuer(t, keysOf(t, ours), nil)
	b := newIssuer(t, keysOf(t, theirs), func(s *Settings) { s.URL, s.UsernamePrefix = partners, DefaultPrefix(partners) })
	shared := newIssuer(t, keysOf(t, ours), func(s *Settings) { s.URL = partners }) // both have our key
	for _, test := range []struct {
		name string
		by   *Issuer
		raw  string
		want string // part of the error; empty: it passes
	}{
		{"of the first, by the first", a, ours.token(claims(nil), nil), ""},
		{"of the second, by the second", b, theirs.token(claims(m{"iss": partners}), nil), ""},
		{"of the second, by the first", a, theirs.token(claims(m{"iss": partners}), nil), "does not verify"},
		{"of the second, which names the first", a, theirs.token(claims(nil), nil), "does not verify"},
		{"of the first, which names the second, by the second", b, ours.token(claims(m{"iss": partners}), nil), "does not verify"},
		{"of the first, which names the second, by the first", a, ours.token(claims(m{"iss": partners}), nil), "iss is not the issuer"},
		{"of an issuer with the same keys", shared, ours.token(claims(nil), nil), "iss is not the issuer"},
		{"with a slash after its iss", a, ours.token(claims(m{"iss": staff + "/"}), nil), "iss is not the issuer"},
		{"with its iss in another case", a, ours.token(claims(m{"iss": strings.ToUpper(staff)}), nil), "iss is not the issuer"},
		{"with both in a list", a, ours.token(claims(m{"iss": []string{staff, partners}}), nil), "iss is not the issuer"},
	} {
		t.Run(test.name, func(t *testing.T) {
			for range 2 {
				got, err := test.by.Check(t.Context(), test.raw)
				if test.want != "" {
					wantRefused(t, got, err, test.want)
				} else if err != nil || got.Claim("iss") != test.by.URL() || got.Claim("sub") != test.by.URL()+"#7f3a" {
					t.Errorf("%+v, %v", got, err)
				}
				if recalled := test.by.Recall(remembered.DigestOf(test.raw)); recalled != got {
					t.Errorf("%+v is recalled", recalled)
				}
			}
		})
	}
}
