package caddygrant

import (
	"errors"
	"io/fs"
	"testing"

	"github.com/caddygrant/caddy-grant/internal/oauth"
)

func TestARefusalOfAFailedStorageHasARemedy(t *testing.T) {
	denied := &fs.PathError{Op: "open", Path: "/data", Err: fs.ErrPermission}
	if e, ok := errors.AsType[*oauth.Error](errStorage(t.Context(), denied)); !ok || e.Remedy == "" {
		t.Error("a refusal has no remedy")
	}
}
