package caddygrant

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/certmagic"

	"github.com/caddygrant/caddy-grant/directory"
)

// processState is what outlives a reload, since the next config joins it before the
// previous config leaves. A key says what makes two values the same:
//
//	key          value              what it is
//	verifierKey  *pooledVerifier    what compares passwords, and its bounds
//	throttleKey  *pooledThrottle    counts of failures of the servers of one name
//	callsKey     pooledCalls        calls of a server's sources that have not returned
//	keysKey      pooledKeys         the keys that a server generated in storage
//	sessionsKey  pooledMemory       what is known of a server's sessions in storage
//	issuerKey    *issuerKeys        the keys of an outside issuer
//	fileKey      pooledFile[T]      a users or clients file that is followed
var processState = caddy.NewUsagePool()

type (
	verifierKey struct{}
	throttleKey struct{ server string }
	callsKey    struct{ server string }
	keysKey     struct{ storagePlace }
	sessionsKey struct{ storagePlace }
	issuerKey   struct{ issuer, jwksURL, ca string }
	fileKey     struct {
		path   string // absolute
		reads  string // what is read from it, for messages: "users", "clients", "api_keys"
		format string
		weak   bool // allows weak hashes
	}
)

// share is a reference to a value of the pool.
type share[T caddy.Destructor] struct {
	value T
	key   any // nil unless taken
}

// join takes a share in the value of a key, creating it if no config has it.
func join[T caddy.Destructor](key any, create func() T) share[T] {
	s, _, _ := tryJoin(key, func() (T, error) { return create(), nil })
	return s
}

// tryJoin is join for a value whose creation can fail. existed tells whether a config,
// perhaps the same one, had it before.
func tryJoin[T caddy.Destructor](key any, create func() (T, error)) (_ share[T], existed bool, err error) {
	value, existed, err := processState.LoadOrNew(key, func() (caddy.Destructor, error) { return create() })
	if err != nil {
		return share[T]{}, false, err
	}
	return share[T]{value.(T), key}, existed, nil
}

// leave gives the reference back, if it was taken and not given back yet. The value
// stays usable, since requests of the config may go on for a while. last tells whether
// no config has it now; an error is that of its Destruct.
func (s *share[T]) leave() (last bool, err error) {
	if s.key == nil {
		return false, nil
	}
	key := s.key
	s.key = nil
	return processState.Delete(key)
}

// pooledCalls are the calls of the sources of the servers of one name.
type pooledCalls struct{ *directory.Calls }

// Destruct has nothing to do: a call that hangs cannot be ended.
func (pooledCalls) Destruct() error { return nil }

// storagePlace is where a server keeps what it generates, and its sessions: two configs
// with the same place for a server share what is there.
type storagePlace struct {
	prefix  string
	storage string // its identity
}

// placeOf is the place of a server in a storage. The issuer is hashed since storage
// keys may be used as file names.
func placeOf(storage certmagic.Storage, server, issuer string) storagePlace {
	sum := sha256.Sum256([]byte(issuer))
	return storagePlace{
		prefix:  "grant/" + server + "-" + hex.EncodeToString(sum[:8]),
		storage: storageIdentity(storage),
	}
}

// storageIdentity tells whether two configs use the same storage: by type and settings,
// hashed since they may hold a password.
func storageIdentity(storage certmagic.Storage) string {
	settings, err := json.Marshal(storage)
	if err != nil {
		settings = nil // the settings of this storage cannot tell it apart
	}
	sum := sha256.Sum256(settings)
	return fmt.Sprintf("%T-%x", storage, sum[:8])
}
