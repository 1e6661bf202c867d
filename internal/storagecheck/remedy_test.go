package storagecheck

import (
	"errors"
	"fmt"
	"io/fs"
	"syscall"
	"testing"
)

func TestAStorageThatCannotBeWrittenGetsARemedy(t *testing.T) {
	denied := &fs.PathError{Op: "open", Path: "/data", Err: syscall.EACCES}
	for _, test := range []struct {
		name   string
		cause  error
		remedy bool
	}{
		{"no permission", fmt.Errorf("storing x: %w", denied), true},
		{"no permission, among other errors", errors.Join(errors.New("x"), denied), true},
		{"a lock file that cannot be created, whose cause is text", fmt.Errorf("locking x in storage: %w", fmt.Errorf("creating lock file: %v", denied)), true},
		{"another error", errors.New("connection refused"), false},
		{"none", nil, false},
	} {
		if got := Remedy(test.cause); (got != "") != test.remedy {
			t.Errorf("%s: %q", test.name, got)
		}
	}
}
