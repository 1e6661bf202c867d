// Command storage is what limits a refresh: a server of net/http that exchanges an object in a storage of files for each
// request, and does nothing else.
//
//	storage -directory <directory> -prefix <key> -listen <address>
//
// An exchange is what is needed to keep something of a new session, in an object that is as large and has such a name,
// below the key: to lock it, to look what is there, to write it and to unlock it. GET /took tells how long each of them
// took since it was asked before, in nanoseconds, as JSON.
package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"log"
	"net/http"
	"sync"
	"time"

	"github.com/caddyserver/certmagic"
)

func main() {
	directory := flag.String("directory", "", "the `directory` of the storage")
	prefix := flag.String("prefix", "sessions", "the `key` above the objects")
	listen := flag.String("listen", "127.0.0.1:8080", "the `address` to listen on")
	flag.Parse()

	s := &server{storage: &certmagic.FileStorage{Path: *directory}, prefix: *prefix}
	http.HandleFunc("POST /exchange", s.exchange)
	http.HandleFunc("GET /took", s.tell)
	http.HandleFunc("GET /ready", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte("ready"))
	})
	log.Fatal(http.ListenAndServe(*listen, nil))
}

// server has the storage, and how long the exchanges took since it was last asked.
type server struct {
	storage certmagic.Storage
	prefix  string
	mu      sync.Mutex
	took    []time.Duration
}

func (s *server) exchange(w http.ResponseWriter, r *http.Request) {
	begun := time.Now()
	if err := exchange(r.Context(), s.storage, s.prefix); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	took := time.Since(begun)
	s.mu.Lock()
	s.took = append(s.took, took)
	s.mu.Unlock()
	_, _ = w.Write([]byte("exchanged"))
}

func (s *server) tell(w http.ResponseWriter, _ *http.Request) {
	s.mu.Lock()
	took := s.took
	s.took = nil
	s.mu.Unlock()
	_ = json.NewEncoder(w).Encode(took)
}

func exchange(ctx context.Context, storage certmagic.Storage, prefix string) error {
	id := make([]byte, 20)
	rand.Read(id) // never fails: it crashes the program instead
	key := fmt.Sprintf("%s/%x", prefix, id)
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
