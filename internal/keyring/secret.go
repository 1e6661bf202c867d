package keyring

import (
	"context"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
)

const secretSize = 32

// secretHeader starts the content of a secret object; 64 lower-case hex digits and a
// newline follow.
const secretHeader = "caddy-grant secret v1\n"

// Secret is the random secret of one authorization server, shared by its nodes through
// storage and not known to others. Keys for one use each are derived from it. It always
// prints as a fixed text.
type Secret struct {
	bytes sealed[[]byte] // secretSize of them
}

// Derive returns n bytes (up to 8160) that depend on the secret and on the purpose, by
// HKDF with SHA-256 (RFC 5869; no salt, the purpose as info). Different purposes give
// independent keys; one purpose always gives the same. More bytes than that are a
// programming error, and it panics.
func (s *Secret) Derive(purpose string, n int) []byte {
	derived, err := hkdf.Key(sha256.New, s.bytes(), nil, purpose, n)
	if err != nil {
		panic(fmt.Sprintf("deriving a key for %s: %v", purpose, err))
	}
	return derived
}

// loadSecret reads the server secret. The error is fs.ErrNotExist (with errors.Is)
// where there is none yet. An object of another form, such as a truncated one, is
// another error that names it. It only reads.
func (s *Store) loadSecret(ctx context.Context) (*Secret, error) {
	name := s.SecretName()
	content, err := s.storage.Load(ctx, name)
	if err != nil && ctx.Err() != nil { // some storages report this as a missing object too
		err = ctx.Err()
	}
	if err != nil {
		return nil, fmt.Errorf("loading server secret %s: %w", name, err)
	}
	secret, err := decodeSecret(content)
	if err != nil {
		return nil, fmt.Errorf("loading server secret %s: %w; restore it, or delete it, which ends every session", name, err)
	}
	return secret, nil
}

// ensureSecret is loadSecret, and where there is none yet it generates and stores one.
// Of several nodes that start at once, one generates. A secret that is there but
// damaged is an error, never replaced. So is a secret that seems to be missing in a
// storage that does not answer, or that lists it: replacing it would end every session.
func (s *Store) ensureSecret(ctx context.Context) (*Secret, error) {
	secret, err := s.loadSecret(ctx)
	if !errors.Is(err, fs.ErrNotExist) {
		return secret, err
	}
	if err := s.certain(ctx); err != nil {
		return nil, err
	}
	err = s.exclusively(ctx, func(ctx context.Context) (err error) {
		if secret, err = s.loadSecret(ctx); !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		switch listed, err := s.isListed(ctx, s.SecretName()); {
		case err != nil:
			return fmt.Errorf("looking for server secret %s: %w", s.SecretName(), err)
		case listed:
			return fmt.Errorf("server secret %s: the storage lists it but does not return it", s.SecretName())
		}
		fresh := make([]byte, secretSize)
		rand.Read(fresh) // never fails: it crashes the program instead
		if err := s.create(ctx, s.SecretName(), encodeSecret(fresh)); err != nil {
			return err
		}
		// What the storage has decides, not what was written to it.
		if secret, err = s.loadSecret(ctx); err == nil {
			s.notice(nil, true)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return secret, nil
}

// SecretName is the name of the object in storage that holds the server secret.
func (s *Store) SecretName() string {
	return path.Join(s.prefix, "secret")
}

func encodeSecret(secret []byte) []byte {
	return []byte(secretHeader + hex.EncodeToString(secret) + "\n")
}

func decodeSecret(content []byte) (*Secret, error) {
	damaged := errors.New("the object is damaged or not a server secret of version 1")
	text, ok := strings.CutPrefix(string(content), secretHeader)
	digits, whole := strings.CutSuffix(text, "\n")
	secret, err := hex.DecodeString(digits)
	if !ok || !whole || err != nil || len(secret) != secretSize || digits != strings.ToLower(digits) {
		return nil, damaged
	}
	return &Secret{bytes: seal(secret)}, nil
}
