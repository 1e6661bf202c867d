package clienttools

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	josejwt "github.com/go-jose/go-jose/v4/jwt"
	"github.com/golang-jwt/jwt/v5"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
)

const verifySite = `http://127.0.0.1:%PORT% {
	token_endpoint {
		issuer http://127.0.0.1:%PORT%
		client web {
			secret web-secret
		}
		user alice %HASH%
	}
}
`

func startVerifySite(t *testing.T) *harness.Site {
	t.Helper()
	return harness.Start(t, strings.ReplaceAll(verifySite, "%HASH%", harness.CheapHash(t, "correct horse")))
}

// verifiesByClock runs a recipe by clocks that are behind, as it stands and without the
// setting for that. Each token is new, or it would not be from the future. The refusal
// is the library's own, as the page names it.
func verifiesByClock(t *testing.T, s *harness.Site, name, setting, refusal string, run func(t *testing.T, clock, token, source string) string) {
	t.Helper()
	with := recipe(t, name, "https://api.example.com", origin(s))
	if !strings.Contains(with, setting) {
		t.Fatalf("the recipe %s does not have %q", name, setting)
	}
	without := strings.Replace(with, setting, "", 1)
	for _, test := range []struct{ what, clock, source, want string }{
		{"right", "+0s", with, "sub alice"},
		{"right, without the setting", "+0s", without, "sub alice"},
		{"behind", "-45s", with, "sub alice"},
		{"behind, without the setting", "-45s", without, refusal},
		{"far behind", "-180s", with, refusal},
	} {
		if printed := run(t, test.clock, s.Token("alice"), test.source); !strings.Contains(printed, test.want) {
			t.Errorf("%s, with a clock that is %s: %s", name, test.what, printed)
		}
	}
}

func TestPyJWTByAClockThatIsBehind(t *testing.T) {
	need(t, python, "faketime")
	s := startVerifySite(t)
	verifiesByClock(t, s, "verify-pyjwt", " leeway=60,", "ImmatureSignatureError", func(t *testing.T, clock, token, source string) string {
		source = fmt.Sprintf("token = %q\n%s\nprint('sub', claims['sub'])\n", token, source)
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "verify.py"), []byte(source), 0o600); err != nil {
			t.Fatal(err)
		}
		printed, _ := command(t, dir, nil, "faketime", "-f", clock, python, "verify.py")
		return printed
	})
}

func TestLibrariesOfNodeByAClockThatIsBehind(t *testing.T) {
	need(t, "node", "npm", "faketime")
	s, modules := startVerifySite(t), filepath.Join(npm(t), "node_modules")
	for name, refusal := range map[string]string{
		"verify-jose":         `"nbf" claim timestamp check failed`,
		"verify-jsonwebtoken": "NotBeforeError: jwt not active",
	} {
		verifiesByClock(t, s, name, " clockTolerance: 60,", refusal, func(t *testing.T, clock, token, source string) string {
			source = fmt.Sprintf("const token = %q;\n%s\nconsole.log('sub', claims.sub);\n", token, source)
			dir := t.TempDir()
			if err := os.Symlink(modules, filepath.Join(dir, "node_modules")); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, "verify.mjs"), []byte(source), 0o600); err != nil {
				t.Fatal(err)
			}
			printed, _ := command(t, dir, nil, "faketime", "-f", clock, "node", "verify.mjs")
			return printed
		})
	}
}

// This one needs Go alone, so it is never skipped.
func TestLibrariesOfGoByAClockThatIsBehind(t *testing.T) {
	s := startVerifySite(t)
	token := s.Token("alice")
	s.Verified(token, "/token")
	var keys jose.JSONWebKeySet
	if err := json.Unmarshal(s.JWKS("/token").Body, &keys); err != nil {
		t.Fatal(err)
	}
	at := func(behind time.Duration) time.Time { return time.Now().Add(-behind) }
	golangJWT := func(behind time.Duration, more ...jwt.ParserOption) error {
		options := append(more, jwt.WithValidMethods([]string{"ES256"}), jwt.WithTimeFunc(func() time.Time { return at(behind) }))
		_, err := jwt.NewParser(options...).Parse(token, func(*jwt.Token) (any, error) { return keys.Keys[0].Key, nil })
		return err
	}
	for what, err := range map[string]error{
		"right": golangJWT(0), "behind, with leeway": golangJWT(30*time.Second, jwt.WithLeeway(time.Minute)),
	} {
		if err != nil {
			t.Errorf("golang-jwt, %s: %v", what, err)
		}
	}
	if err := golangJWT(30 * time.Second); !errors.Is(err, jwt.ErrTokenNotValidYet) {
		t.Errorf("golang-jwt, behind: %v", err)
	}

	parsed, err := josejwt.ParseSigned(token, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		t.Fatal(err)
	}
	var claims josejwt.Claims
	if err := parsed.Claims(keys, &claims); err != nil {
		t.Fatal(err)
	}
	if err := claims.Validate(josejwt.Expected{Time: at(30 * time.Second)}); err != nil {
		t.Errorf("go-jose, behind: %v", err)
	}
	for what, err := range map[string]error{
		"far behind":             claims.Validate(josejwt.Expected{Time: at(3 * time.Minute)}),
		"behind, without leeway": claims.ValidateWithLeeway(josejwt.Expected{Time: at(30 * time.Second)}, 0),
	} {
		if !errors.Is(err, josejwt.ErrNotValidYet) {
			t.Errorf("go-jose, %s: %v", what, err)
		}
	}
}
