package caddygrant

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/certmagic"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/caddygrant/caddy-grant/internal/keyring"
	"github.com/caddygrant/caddy-grant/internal/token"
)

// shownStages are the stages of keys, in short.
func shownStages(keys *serverKeys) string {
	var all []string
	for _, k := range keys.stages(time.Now()) {
		all = append(all, fmt.Sprint(k.Algorithm, " ", k.Name, " ", k.generated))
	}
	return strings.Join(all, ", ")
}

func TestTheStagesOfConfiguredAndGeneratedKeys(t *testing.T) {
	given := SigningKey{Algorithm: "HS256", Secret: strings.Repeat("s", 32)}
	for _, test := range []struct {
		lines         []SigningKey
		before, after string // a rotation
		refused       bool
	}{
		{nil, "ES256 signing true", "ES256 signing true, ES256 published true", false},
		{
			[]SigningKey{{Algorithm: "EdDSA"}, given},
			"EdDSA signing true, HS256 verifying false", "EdDSA signing true, EdDSA published true, HS256 verifying false", false,
		},
		{
			[]SigningKey{given, {Algorithm: "EdDSA"}},
			"HS256 signing false, EdDSA verifying true", "HS256 signing false, EdDSA verifying true", true,
		},
		{[]SigningKey{given}, "HS256 signing false", "HS256 signing false", true},
	} {
		dir := t.TempDir()
		writeUsers(t, filepath.Join(dir, "users"))
		config := testConfig("keys", htpasswd(filepath.Join(dir, "users")))
		config.SigningKeys = test.lines
		app, ctx := newTestApp(t, dir)
		server := mustJoin(t, app, ctx, config)
		keys := server.keys
		if generated := strings.Contains(shownStages(keys), "true"); generated {
			t.Errorf("before the keys are read: %s", shownStages(keys))
		}
		if err := keys.generated.Attempt(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := shownStages(keys); got != test.before {
			t.Errorf("%s, want %s", got, test.before)
		}
		for n := range 2 {
			made, err := keys.rotateNow(t.Context())
			if errors.Is(err, keyring.ErrNotGenerated) != test.refused || !test.refused && err != nil || (len(made) == 1) != (n == 0 && !test.refused) {
				t.Errorf("rotation %d made %v, error %v", n+1, made, err)
			}
			if got := shownStages(keys); got != test.after {
				t.Errorf("%s, want %s", got, test.after)
			}
		}
		if signer := keys.active.Load().Ring.Signer().ID(); signer != keys.stages(time.Now())[0].ID {
			t.Errorf("%s signs", signer)
		}
		leaveFiles(t, server)
		if err := app.Cleanup(); err != nil {
			t.Fatal(err)
		}
	}
}

// Who reads of a rotation in the log, or handles its event, may ask for a token at once.
func TestAKeySignsBeforeItsRotationIsToldOf(t *testing.T) {
	keys := &serverKeys{server: "default", typ: token.TypeJWT, configured: []configuredKey{{algorithm: defaultAlgorithm}}}
	var (
		told      []string
		generated keyring.Generated
	)
	core, _ := observer.New(zap.InfoLevel)
	keys.logger = zap.New(core, zap.Hooks(func(entry zapcore.Entry) error {
		told = append(told, entry.Message+": "+keys.active.Load().Ring.Signer().ID())
		return nil
	}))
	follower := keyring.NewFollower(keyring.FollowerOptions{
		Store: keyring.NewStore(&certmagic.FileStorage{Path: t.TempDir()}, "grant/default"), Memory: keyring.NewMemory(),
		Algorithms: []keyring.Algorithm{defaultAlgorithm}, Lifetime: func() time.Duration { return time.Hour },
		Use: func(set keyring.Generated) error {
			generated = set
			return keys.use(set)
		},
	})
	if err := follower.Attempt(t.Context()); err != nil {
		t.Fatal(err)
	}
	key, err := keyring.GenerateKey(defaultAlgorithm)
	if err != nil {
		t.Fatal(err)
	}
	generated.Keys[defaultAlgorithm] = append([]*keyring.Key{key}, generated.Keys[defaultAlgorithm]...)
	if err := keys.use(generated); err != nil {
		t.Fatal(err)
	}
	if want := []string{"signing key changed: " + key.ID()}; !slices.Equal(told, want) {
		t.Errorf("%q, want %q", told, want)
	}
}
