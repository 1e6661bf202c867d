package caddygrant

import (
	"context"
	"errors"
	"io/fs"
	"strings"

	"go.uber.org/zap"

	"github.com/caddygrant/caddy-grant/internal/oauth"
)

// storageRemedy says what to do about a storage that cannot be written, or nothing. The
// file system's storage keeps no more than the text of why a lock file was not created.
func storageRemedy(cause error) string {
	if cause != nil && (errors.Is(cause, fs.ErrPermission) || strings.Contains(cause.Error(), "creating lock file: ")) {
		return "Caddy must be able to write to its storage; look at the owner of the directory"
	}
	return ""
}

// storageFailure is the log fields of an error of the storage.
func storageFailure(err error) []zap.Field {
	fields := []zap.Field{zap.Error(err)}
	if remedy := storageRemedy(err); remedy != "" {
		fields = append(fields, zap.String("remedy", remedy))
	}
	return fields
}

// errStorage answers where storage failed: nothing is known then, and nothing granted.
func errStorage(ctx context.Context, cause error) error {
	if errors.Is(ctx.Err(), context.Canceled) {
		return oauth.Gone()
	}
	return oauth.StorageUnavailable(cause, storageRemedy(cause))
}
