// Command storage is what limits a refresh: it exchanges objects in a storage of files, one after the other, and prints
// how long each took, in nanoseconds. It is a process of its own, so that it can be given the core that a server has.
//
//	storage <directory> <duration>
//
// An exchange is what is needed to keep something of a new session, in an object that is as large and has such a name:
// to lock it, to look what is there, to write it and to unlock it.
package main

import (
	"bufio"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/caddyserver/certmagic"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "storage:", err)
		os.Exit(1)
	}
}

func run() error {
	if len(os.Args) != 3 {
		return errors.New("usage: storage <directory> <duration>")
	}
	duration, err := time.ParseDuration(os.Args[2])
	if err != nil {
		return err
	}
	storage := &certmagic.FileStorage{Path: os.Args[1]}
	var took []time.Duration
	for begun := time.Now(); time.Since(begun) < duration; {
		began := time.Now()
		if err := exchange(context.Background(), storage); err != nil {
			return err
		}
		took = append(took, time.Since(began))
	}
	out := bufio.NewWriter(os.Stdout)
	for _, d := range took {
		fmt.Fprintln(out, int64(d))
	}
	return out.Flush()
}

func exchange(ctx context.Context, storage certmagic.Storage) error {
	id := make([]byte, 20)
	rand.Read(id) // never fails: it crashes the program instead
	key := fmt.Sprintf("grant/sessions/20300101/%x", id)
	lock := key + ".0"
	if err := storage.Lock(ctx, lock); err != nil {
		return err
	}
	if _, err := storage.Load(ctx, key); !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("a new object is there already, or: %w", err)
	}
	content := fmt.Sprintf(`{"version":1,"generation":1,"answer":"%x","rotated":%d}`, id[:16], time.Now().UnixMilli())
	return errors.Join(storage.Store(ctx, key, []byte(content)), storage.Unlock(ctx, lock))
}
