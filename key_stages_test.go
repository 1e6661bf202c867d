package caddygrant

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/caddygrant/caddy-grant/internal/keyring"
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
