// Package storagecheck finds out what a storage does where its answers alone do not
// tell.
package storagecheck

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"path"
	"sync"

	"github.com/caddyserver/certmagic"
)

// Answers returns an error unless the storage answers wherever it keeps something:
// objects with random names are stored in a folder, read back and deleted. Many
// storages report a failed read as a missing object. If one of several places is down,
// so many names are unlikely to miss it: with one of three, one time in 130.
func Answers(ctx context.Context, storage certmagic.Storage, folder string) error {
	errs := make([]error, names)
	var asking sync.WaitGroup
	for i := range errs {
		asking.Go(func() { errs[i] = answers(ctx, storage, path.Join(folder, random())) })
	}
	asking.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// answers asks with one name, and leaves nothing behind where it can.
func answers(ctx context.Context, storage certmagic.Storage, name string) (err error) {
	defer recovered(&err)
	content := []byte(random() + "\n")
	stored := storage.Store(ctx, name, content)
	found, loaded := storage.Load(ctx, name)
	deleted := storage.Delete(ctx, name)
	switch {
	case stored != nil:
		return fmt.Errorf("storing %s: %w", name, stored)
	case loaded != nil:
		return fmt.Errorf("reading back %s: %w", name, loaded)
	case !bytes.Equal(found, content):
		return fmt.Errorf("reading back %s: %w", name, errOther)
	case deleted != nil:
		return fmt.Errorf("deleting %s: %w", name, deleted)
	}
	return nil
}

// recovered turns a panic into an error. Its value may contain anything, so it is not
// shown.
func recovered(err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("[PANIC] %T in the storage", p)
	}
}

func random() string {
	name := make([]byte, 16)
	rand.Read(name) // never fails: it crashes the program instead
	return hex.EncodeToString(name)
}

var errOther = errors.New("it has something other than what was stored")

const names = 12
