package issuer

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/caddygrant/caddy-grant/internal/remembered"
)

// withoutUsableKeys are sets by which an issuer withdraws the keys that it had.
func withoutUsableKeys() map[string]http.HandlerFunc {
	return map[string]http.HandlerFunc{
		"an empty set":           answerJSON(m{"keys": []any{}}),
		"a key to encrypt alone": answerBody("application/json", jwks(with(es256("k").jwk(), m{"use": "enc"}))),
		"shared secrets alone":   answerBody("application/json", jwks(m{"kty": "oct", "k": "aHVudGVyMg"})),
		"null alone":             answerJSON(m{"keys": []any{nil}}),
	}
}

// A set is what the issuer says now, also if it has no key that can verify tokens.
func TestTheLastKeyCanBeWithdrawn(t *testing.T) {
	for name, withdrawn := range withoutUsableKeys() {
		t.Run(name, func(t *testing.T) {
			atClock(t, now)
			key, after := es256("k"), signer{"after", "RS256", rsaKey()}
			s := startServer(t, key)
			f := s.follow(t, slow, nil)
			f.next(t)
			i := newIssuer(t, f.Keys, nil)
			raw, other := key.token(claims(nil), nil), key.token(claims(m{"jti": "j2"}), m{"kid": nil})
			if _, err := i.Check(t.Context(), raw); err != nil {
				t.Fatal(err)
			}
			s.set(jwksPath, withdrawn)
			f.ask()
			if status := f.next(t); status.Err != nil || status.Keys != 0 || status.Fetched.IsZero() {
				t.Errorf("%+v", status)
			}
			if i.Recall(remembered.DigestOf(raw)) != nil {
				t.Error("a token that was verified by the key is remembered")
			}
			for _, raw := range []string{raw, other} {
				got, err := i.Check(t.Context(), raw)
				wantRefused(t, got, err, "the issuer publishes no key")
			}
			// such a token asks for a fetch, as one with an unknown kid does
			s.set(jwksPath, answerBody("application/json", jwks(after)))
			got, err := i.Check(t.Context(), after.token(claims(nil), nil))
			if err != nil {
				wantRefused(t, got, err, "the issuer publishes no key")
			}
			f.until(t, "has the new key", func(s Status) bool { return s.Keys == 1 })
			if _, err := i.Check(t.Context(), after.token(claims(nil), nil)); err != nil {
				t.Error(err)
			}
			got, err = i.Check(t.Context(), raw)
			wantRefused(t, got, err, "no key with the token's kid")
		})
	}
}

// Until there were keys, there are none to withdraw.
func TestASetWithoutUsableKeysIsNotAFirstSet(t *testing.T) {
	for name, withdrawn := range withoutUsableKeys() {
		t.Run(name, func(t *testing.T) {
			s := startServer(t)
			s.set(jwksPath, withdrawn)
			f := s.follow(t, slow, nil)
			if status := f.next(t); status.Err == nil || status.Keys != 0 || !status.Fetched.IsZero() || f.current.Load() != nil {
				t.Errorf("%+v", status)
			}
		})
	}
}

// One line when the keys are withdrawn, and one when there are keys again.
func TestWithdrawnKeysAreLoggedOnce(t *testing.T) {
	s := startServer(t, es256("k"))
	keys := s.answers[jwksPath]
	f := s.follow(t, quick, nil)
	step := func(what string, answer http.HandlerFunc, is func(Status) bool, level zapcore.Level, message string, parts ...string) {
		t.Helper()
		s.set(jwksPath, answer)
		for range 5 {
			f.until(t, what, is)
		}
		lines := f.lines.TakeAll()
		if len(lines) != 1 || lines[0].Level != level || !strings.Contains(lines[0].Message, message) {
			t.Fatalf("%d lines, want one with %q: %+v", len(lines), message, lines)
		}
		for _, part := range parts {
			if text := fmt.Sprint(lines[0].ContextMap()); !strings.Contains(text, part) {
				t.Errorf("%s: no %q in it", text, part)
			}
		}
	}
	withdrawn := answerBody("application/json", jwks(with(es256("k").jwk(), m{"use": "enc"})))
	hasKey := func(s Status) bool { return s.Err == nil && s.Keys == 1 }
	hasNone := func(s Status) bool { return s.Err == nil && s.Keys == 0 }
	step("has a key", keys, hasKey, zap.InfoLevel, "fetched the keys")
	for range 2 {
		step("has no key", withdrawn, hasNone, zap.WarnLevel, "has withdrawn its keys", s.URL, "use enc")
		step("has a key again", keys, hasKey, zap.InfoLevel, "changed", "[k]")
	}
	step("has no key", withdrawn, hasNone, zap.WarnLevel, "has withdrawn its keys")
	step("fails", answerStatus(500), fails, zap.ErrorLevel, "stay refused until this works", "status 500")
}
