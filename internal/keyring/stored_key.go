package keyring

import (
	"cmp"
	"context"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"
)

var now = time.Now

const (
	storedKeyVersion = 1
	maxCreated       = 253402300799 // the end of the year 9999: time.Time overflows on far greater ones
)

// storedKey is the content of a key object.
type storedKey struct {
	Version    int       `json:"version"`
	Algorithm  Algorithm `json:"algorithm"`
	Created    int64     `json:"created"`     // unix seconds
	PrivateKey []byte    `json:"private_key"` // base64 of PKCS#8 DER, or of the secret itself for HMAC
}

// generatedKey is a signing key from storage, with what its use depends on.
type generatedKey struct {
	*Key
	created int64 // unix seconds
}

// loadKeys returns the generated keys of an algorithm, oldest first; none is not an
// error. It only reads.
//
// An object that cannot be read or does not match its name is an error that names it:
// to ignore it could mean signing with another key than the other nodes, or refusing
// tokens that are still valid.
func (s *Store) loadKeys(ctx context.Context, a Algorithm) ([]generatedKey, error) {
	p, err := a.profile()
	if err != nil {
		return nil, err
	}
	folder := s.keyFolder(a)
	names, err := s.list(ctx, folder)
	if err != nil {
		return nil, fmt.Errorf("listing signing keys in %s: %w", folder, err)
	}
	var found []generatedKey
	for _, name := range names {
		id, ok := strings.CutPrefix(name, folder+"/")
		if !ok || !isKeyName(id) {
			continue
		}
		content, err := s.storage.Load(ctx, name)
		if errors.Is(err, fs.ErrNotExist) {
			listed, lost := s.isListed(ctx, name)
			if lost == nil && !listed {
				continue // deleted since
			}
			err = cmp.Or(lost, errors.New("the storage lists it but does not return it"))
		}
		if err != nil {
			return nil, fmt.Errorf("loading signing key %s: %w", name, err)
		}
		k, err := decodeKey(p, id, content)
		if err != nil {
			return nil, fmt.Errorf("loading signing key %s: %w; restore it, or delete it, which ends the tokens it signed", name, err)
		}
		found = append(found, k)
	}
	slices.SortFunc(found, func(a, b generatedKey) int {
		return cmp.Or(cmp.Compare(a.created, b.created), strings.Compare(a.id, b.id))
	})
	return found, nil
}

// reloadKeys is loadKeys where some are known. That a known key is gone is believed if
// the storage answers and still lacks it. A storage without any keys may be another
// storage, in which nothing is tried.
func (s *Store) reloadKeys(ctx context.Context, a Algorithm, known []generatedKey) ([]generatedKey, error) {
	keys, err := s.loadKeys(ctx, a)
	gone := func(k generatedKey) bool {
		return !slices.ContainsFunc(keys, func(other generatedKey) bool { return other.id == k.id })
	}
	if err != nil || len(keys) == 0 || !slices.ContainsFunc(known, gone) {
		return keys, err
	}
	if err := s.certain(ctx); err != nil {
		return nil, err
	}
	return s.loadKeys(ctx, a)
}

// keepKeys is reloadKeys where it is an error that all known keys are gone.
func (s *Store) keepKeys(ctx context.Context, a Algorithm, known []generatedKey) ([]generatedKey, error) {
	found, err := s.reloadKeys(ctx, a, known)
	if err == nil && len(found) == 0 && len(known) > 0 {
		return nil, fmt.Errorf("the signing keys for %s that were in storage are gone; restore them, or restart to make new ones", a)
	}
	return found, err
}

// ensureKey is loadKeys, and where there is no key yet, or rotateEvery is positive and
// the newest key is that old, it generates and stores one. Of several nodes that do so
// at once, one generates. It returns at least one key or an error. In a storage that
// does not answer nothing is generated.
//
// A new key is always the newest. So a key from a clock that was far ahead holds up
// rotation until that time has come, unless it is deleted: a node that finds it cannot
// tell which of the two clocks is wrong, and a key inserted among older ones would
// retire its predecessor too early.
func (s *Store) ensureKey(ctx context.Context, a Algorithm, rotateEvery time.Duration) ([]generatedKey, error) {
	load := func(ctx context.Context) ([]generatedKey, error) { return s.loadKeys(ctx, a) }
	keys, _, err := s.ensure(ctx, a, load, func(keys []generatedKey) bool { return fresh(keys, rotateEvery) })
	return keys, err
}

// ensure loads the keys of an algorithm, and generates and stores another unless there
// are enough. It returns that key too, nil if none was made here.
func (s *Store) ensure(ctx context.Context, a Algorithm,
	load func(context.Context) ([]generatedKey, error), enough func([]generatedKey) bool,
) (keys []generatedKey, made *Key, err error) {
	keys, err = load(ctx)
	if err != nil || enough(keys) {
		return keys, nil, err
	}
	if err := s.certain(ctx); err != nil {
		return nil, nil, err
	}
	next, err := GenerateKey(a) // before the lock: RSA takes seconds on a small machine
	if err != nil {
		return nil, nil, err
	}
	err = s.exclusively(ctx, func(ctx context.Context) (err error) {
		if keys, err = load(ctx); err != nil || enough(keys) {
			return err
		}
		created := now().Unix()
		if len(keys) > 0 {
			created = max(created, keys[len(keys)-1].created+1) // the newest, where clocks differ
		}
		content, err := encodeKey(generatedKey{Key: next, created: created})
		if err != nil {
			return err
		}
		first := len(keys) == 0
		name := path.Join(s.keyFolder(a), keyName(next))
		if err := s.create(ctx, name, content); err != nil {
			return err
		}
		// What the storage has decides, not what was written to it.
		if keys, err = load(ctx); err != nil {
			return err
		}
		if len(keys) == 0 {
			return fmt.Errorf("loading signing key %s: stored, but the storage does not list it", name)
		}
		made = next
		s.notice(next, first)
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	return keys, made, nil
}

func (s *Store) keyFolder(a Algorithm) string {
	return path.Join(s.prefix, "keys", strings.ToLower(string(a)))
}

// keyName is the ID in hex: base64url does not survive storages that fold case.
func keyName(k *Key) string { return keyNameOf(k.id) }

func keyNameOf(id string) string {
	digest, _ := base64.RawURLEncoding.DecodeString(id) // its own encoding
	return hex.EncodeToString(digest)
}

func isKeyName(name string) bool {
	return len(name) == 64 && strings.Trim(name, "0123456789abcdef") == ""
}

func encodeKey(k generatedKey) ([]byte, error) {
	stored := storedKey{Version: storedKeyVersion, Algorithm: k.algorithm, Created: k.created}
	if secret, ok := k.private().([]byte); ok {
		stored.PrivateKey = secret
	} else {
		var err error
		if stored.PrivateKey, err = x509.MarshalPKCS8PrivateKey(k.private()); err != nil {
			return nil, fmt.Errorf("encoding a signing key for %s: %w", k.algorithm, err)
		}
	}
	return json.Marshal(stored)
}

// decodeKey reads a key object and checks it against the folder and the name that it
// was found under. The ID is made from the public key, and that from the private key,
// so a damaged key is refused.
func decodeKey(p profile, name string, content []byte) (generatedKey, error) {
	var stored storedKey
	if err := json.Unmarshal(content, &stored); err != nil {
		// The error of encoding/json may quote the content.
		return generatedKey{}, errors.New("the object is damaged: it is not the JSON of a key")
	}
	if stored.Version != storedKeyVersion {
		return generatedKey{}, fmt.Errorf("the object has version %d, this program reads version %d", stored.Version, storedKeyVersion)
	}
	if stored.Algorithm != p.algorithm {
		return generatedKey{}, fmt.Errorf("the object is not a key for %s", p.algorithm)
	}
	if stored.Created <= 0 || stored.Created > maxCreated {
		return generatedKey{}, errors.New("the object is damaged: its time of creation is impossible")
	}
	var private any = stored.PrivateKey
	if p.family != familyHMAC {
		var err error
		if private, err = x509.ParsePKCS8PrivateKey(stored.PrivateKey); err != nil {
			return generatedKey{}, fmt.Errorf("the object is damaged: %w", err)
		}
	}
	k, err := newKey(p, private)
	if err != nil {
		return generatedKey{}, err
	}
	if keyName(k) != name {
		return generatedKey{}, errors.New("the object is damaged: its key does not match its name")
	}
	return generatedKey{Key: k, created: stored.Created}, nil
}
