package storagecheck

import (
	"errors"
	"io/fs"
	"strings"

	"go.uber.org/zap"
)

// Remedy says what to do about a storage that cannot be written, or nothing. The
// file system's storage keeps no more than the text of why a lock file was not created.
func Remedy(cause error) string {
	if cause != nil && (errors.Is(cause, fs.ErrPermission) || strings.Contains(cause.Error(), "creating lock file: ")) {
		return "Caddy must be able to write to its storage; look at the owner of the directory"
	}
	return ""
}

// Failure is the log fields of an error of the storage.
func Failure(err error) []zap.Field {
	fields := []zap.Field{zap.Error(err)}
	if remedy := Remedy(err); remedy != "" {
		fields = append(fields, zap.String("remedy", remedy))
	}
	return fields
}
