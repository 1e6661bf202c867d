package caddygrant

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/caddygrant/caddy-grant/internal/apikey"
	"github.com/caddygrant/caddy-grant/internal/session"
	"github.com/caddygrant/caddy-grant/internal/storagecheck"
)

// endedKeys are the keys that ended with their owners, for good: another user of the
// same name must not get them. An owner with an id is told apart by that.
type endedKeys struct {
	ctx      context.Context // of the config
	sessions *serverSessions
	logger   *zap.Logger

	mu   sync.Mutex
	seen map[string]bool // by fingerprint
}

// has tells whether a key has ended, here or at another node.
func (e *endedKeys) has(ctx context.Context, key *apikey.Key) (bool, error) {
	if field, _ := key.Owner(); field == "user_id" {
		return false, nil
	}
	of := fingerprintOf(key)
	e.mu.Lock()
	_, here := e.seen[of]
	e.mu.Unlock()
	if here {
		return true, nil
	}
	ended, known := e.sessions.memory.KeyEnded(of)
	if known {
		return ended, nil
	}
	if _, err := e.sessions.Version(ctx); err != nil { // which reads the notices
		return false, err
	}
	if ended, known = e.sessions.memory.KeyEnded(of); !known {
		return false, session.ErrUnavailable
	}
	return ended, nil
}

// end ends a key, at once here and soon at the other nodes.
func (e *endedKeys) end(key *apikey.Key, advice string) {
	field, name := key.Owner()
	if field == "user_id" {
		return
	}
	of := fingerprintOf(key)
	if ended, _ := e.sessions.memory.KeyEnded(of); ended {
		return
	}
	e.mu.Lock()
	_, under := e.seen[of]
	e.seen[of] = true
	e.mu.Unlock()
	if under {
		return
	}
	e.logger.Warn("API key ended: its owner is gone",
		zap.String("api_key", key.Name), zap.String("owner", field+" "+name),
		zap.String("advice", advice))
	go e.store(key.Name, of)
}

// store tells all nodes, as soon as the storage answers.
func (e *endedKeys) store(name, of string) {
	for failed := false; ; failed = true {
		_, err := e.sessions.Tell(e.ctx, session.EndKey, of)
		if err == nil {
			return
		}
		if !failed {
			e.logger.Error("storing that an API key has ended; it is ended here, and other nodes learn of it once this works", append(storagecheck.Failure(err), zap.String("api_key", name))...)
		}
		select {
		case <-e.ctx.Done():
			return
		case <-time.After(retryEnding):
		}
	}
}

// fingerprintOf stands for a key in storage, and tells nothing of its hash.
func fingerprintOf(key *apikey.Key) string {
	digest := key.Digest()
	sum := sha256.Sum256(digest[:])
	return hex.EncodeToString(sum[:16])
}

// retryEnding is how long to wait before the storage is told again.
const retryEnding = 10 * time.Second
