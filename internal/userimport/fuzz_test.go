package userimport

import (
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/caddygrant/caddy-grant/internal/password"
)

// secretWord is planted where the fuzzer writes SECRET, so that it finds its way into
// every place a password or hash can be.
const secretWord = "Zq7vXw9pLk3m"

// check reads a file in every way, and fails if a text has the secret in it or a user
// comes over that the server would refuse.
func check(t *testing.T, format Format, text string) {
	t.Helper()
	planted := strings.ReplaceAll(text, "SECRET", secretWord)
	named := strings.ReplaceAll(text, "SECRET", "") // what else the fuzzer wrote
	for _, options := range []Options{{}, {AllowWeak: true, Plaintext: true}} {
		result, err := Read(format, []byte(planted), options)
		if err != nil {
			if strings.Contains(err.Error(), secretWord) && !strings.Contains(named, secretWord) {
				t.Fatalf("the error has the secret in it: %v", err)
			}
			continue
		}
		names, subjects := make(map[string]bool), make(map[string]bool)
		for _, e := range result.Entries {
			said := e.Reason + strings.Join(e.Notes, " ") + e.Kind
			if strings.Contains(said, secretWord) && !strings.Contains(e.Name, secretWord) {
				t.Fatalf("line %d: the secret is in what is said: %s", e.Line, said)
			}
			if e.Line < 1 || (e.User == nil) == (e.Reason == "") {
				t.Fatalf("line %d: %v, %q", e.Line, e.User != nil, e.Reason)
			}
			if e.User == nil {
				continue
			}
			if names[e.User.Username] {
				t.Fatalf("%q comes over twice", e.User.Username)
			}
			names[e.User.Username] = true
			if subjects[e.User.Subject()] {
				t.Fatalf("two users have the subject %q", e.User.Subject())
			}
			subjects[e.User.Subject()] = true
			if e.NeedsHash() {
				if e.User.PasswordHash != "" {
					t.Fatal("a user with a hash needs one")
				}
				fails := errors.New("no hash")
				if err := e.Hash(func(string) (string, error) { return "", fails }); !errors.Is(err, fails) {
					t.Fatal("the failure is lost")
				}
				err := e.Hash(func(text string) (string, error) {
					if text == "" || len(text) > password.MaxLength || strings.ContainsRune(text, 0) || !utf8.ValidString(text) {
						t.Fatalf("no login accepts %q", text)
					}
					return goodHash, nil
				})
				if err != nil || e.NeedsHash() {
					t.Fatal(err)
				}
			}
			if err := e.User.Validate(); err != nil {
				t.Fatalf("the server refuses it: %v", err)
			}
			if _, err := password.Parse(e.User.PasswordHash, options.AllowWeak); err != nil {
				t.Fatalf("the server refuses its hash: %v", err)
			}
		}
	}
}

func fuzzFormat(f *testing.F, format Format, seeds ...string) {
	for _, seed := range seeds {
		f.Add(strings.ReplaceAll(seed, "HASH", goodHash))
	}
	f.Fuzz(func(t *testing.T, text string) { check(t, format, text) })
}

func FuzzHtpasswd(f *testing.F) {
	fuzzFormat(f, Htpasswd, "alice:HASH\nbob:SECRET\n", "alice:{PLAIN}SECRET:x\nalice:{SHA}MNLW6wfRtawHZ/atRhQOJCUt398=\n",
		"SECRET\nalice: SECRET\n\xef\xbb\xbf#\n", "a:{PLAIN.b64}U0VDUkVU\r\nb:{CRYPT.hex}2432\n")
}

func FuzzDovecot(f *testing.F) {
	fuzzFormat(f, Dovecot, "alice:{SHA512-CRYPT}$6$SECRET$x:1:1:A B,C:/:/:nologin=y nopassword allow_nets=1\n",
		"bob:{PLAIN}SECRET::::::\n", "carol:HASH\nSECRET\n::\n", "d:{PLAIN.hex}5345\ne:{ARGON2ID.B64}JDJ5JA==\n")
}

func FuzzAuthelia(f *testing.F) {
	fuzzFormat(f, Authelia, "users:\n  alice:\n    password: 'HASH'\n    groups: [a, b]\n  bob: {password: SECRET, disabled: yes}\n",
		"a: &a [b]\nusers: {c: {password: *a, <<: *SECRET}}\n", "users: {? {a: b} : c, ~: d, !!binary aGVsbG8=: {password: 'HASH', extra: [1, 2]}}",
		"users:\n  a:\n    password: &SECRET HASH\n    extra: {x: 1, ? [y] : 2}\n", "%YAML 1.1\n---\nusers:\n- SECRET\n")
}

func FuzzCSV(f *testing.F) {
	fuzzFormat(f, CSV, "username,password,password_hash,id,scopes,disabled,email\nalice,SECRET,,1,a b,no,x\nbob,,HASH,,*,1,\n",
		"username;password\n\"a\nb\";SECRET\n\"SECRET", "USERNAME\tPASSWORD_HASH\nx\tSECRET\ny\tHASH\ny\tHASH\n")
}
