// Package tokenstore keeps the tokens of `caddy grant login`: in the user's keyring, or,
// where there is none, in a file that only the user can read.
package tokenstore

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/gofrs/flock"

	"github.com/caddygrant/caddy-grant/internal/oauthclient"
)

// Session is a login.
type Session struct {
	URL        string // of the site or the token endpoint, as [oauthclient.Client.Parse] has it
	Endpoints  oauthclient.Endpoints
	Username   string
	ClientID   string
	SecretFile string // of the client's secret; empty if ClientSecret has it, or it has none
	Secrets

	KeptIn string // "keyring", or the path of the file
}

// Secrets are what others must not see of a session.
type Secrets struct {
	ClientSecret string             `json:"client_secret,omitempty"`
	Tokens       oauthclient.Tokens `json:"tokens"`
}

// Store is a directory with a file for each session. What is secret of a session is in
// its file only if the keyring does not have it.
type Store struct {
	dir  string
	ring keyring
}

// Open makes the directory, unless it is there. It refuses one that others can enter.
func Open(dir string, useKeyring bool) (*Store, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("making the directory for tokens: %w", err)
	}
	info, err := os.Stat(dir)
	if err != nil {
		return nil, err
	}
	if isOpen(info) {
		return nil, fmt.Errorf("others can look into %s, where tokens are kept: chmod 700 %[1]s", dir)
	}
	s := &Store{dir: dir}
	if useKeyring {
		s.ring = userKeyring{}
	}
	return s, nil
}

// file is the content of a session's file.
type file struct {
	URL        string                `json:"url"`
	Endpoints  oauthclient.Endpoints `json:"endpoints"`
	Username   string                `json:"username,omitempty"`
	ClientID   string                `json:"client_id,omitempty"`
	SecretFile string                `json:"client_secret_file,omitempty"`
	Secrets    *Secrets              `json:"secrets,omitempty"` // nil: the keyring has them
}

// ErrNone is that there is no session of a URL.
var ErrNone = errors.New("you are not logged in")

// Load returns the session of a URL, or ErrNone. The site and its token endpoint are the
// same for it, unless there are several sessions at the site.
func (s *Store) Load(url string) (Session, error) { return s.read(s.path(s.keptAt(url)), true) }

// keptAt is the URL with which the session of a URL was made, or the URL itself if there
// is none, or several at its site.
func (s *Store) keptAt(url string) string {
	if _, err := os.Lstat(s.path(url)); err == nil {
		return url
	}
	all, err := s.List()
	if err != nil {
		return url
	}
	all = slices.DeleteFunc(all, func(other Session) bool { return !other.isAt(url) })
	if len(all) != 1 {
		return url
	}
	return all[0].URL
}

// isAt tells whether a URL is the token endpoint of the session, or its site.
func (x *Session) isAt(address string) bool {
	endpoint, err := url.Parse(x.Endpoints.Token)
	if err != nil {
		return false
	}
	site := url.URL{Scheme: endpoint.Scheme, Host: endpoint.Host}
	return oauthclient.Same(address, site.String()) || oauthclient.Same(address, x.Endpoints.Token)
}

// List returns all sessions, without what the keyring has of them.
func (s *Store) List() ([]Session, error) {
	paths, err := filepath.Glob(filepath.Join(s.dir, "*.json"))
	if err != nil {
		return nil, err
	}
	var sessions []Session
	for _, path := range paths {
		session, err := s.read(path, false)
		if errors.Is(err, ErrNone) {
			continue // logged out meanwhile
		}
		if err != nil {
			return nil, err
		}
		sessions = append(sessions, session)
	}
	return sessions, nil
}

func (s *Store) read(path string, secrets bool) (session Session, err error) {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return session, ErrNone
	case err != nil:
		return session, err
	case !info.Mode().IsRegular():
		return session, fmt.Errorf("%s is not a regular file: remove it, and log in again", path)
	case isOpen(info):
		return session, fmt.Errorf("others can read %s, which may have tokens: chmod 600 %[1]s, then log out and log in again, so that what they read is worth nothing", path)
	}
	content, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return session, ErrNone
	}
	if err != nil {
		return session, err
	}
	var f file
	if err := json.Unmarshal(content, &f); err != nil || f.URL == "" {
		return session, fmt.Errorf("%s is damaged: remove it, and log in again", path)
	}
	session = Session{URL: f.URL, Endpoints: f.Endpoints, Username: f.Username, ClientID: f.ClientID, SecretFile: f.SecretFile, KeptIn: inKeyring}
	switch {
	case f.Secrets != nil:
		session.Secrets, session.KeptIn = *f.Secrets, path
	case secrets:
		encoded, err := userKeyring{}.get(f.URL)
		if errors.Is(err, ErrNone) {
			return session, ErrNone // the keyring was emptied
		}
		if err != nil {
			return session, fmt.Errorf("your keyring, which has the tokens, gives no answer (%w): unlock it, or log in again", err)
		}
		if err := json.Unmarshal([]byte(encoded), &session.Secrets); err != nil {
			return session, errors.New("what your keyring has is damaged: log in again")
		}
	}
	return session, nil
}

// Save keeps a session, in place of the one that its URL had. KeptIn is where.
func (s *Store) Save(session *Session) error {
	f := file{
		URL: session.URL, Endpoints: session.Endpoints, Username: session.Username,
		ClientID: session.ClientID, SecretFile: session.SecretFile, Secrets: &session.Secrets,
	}
	path := s.path(session.URL)
	session.KeptIn = path
	if s.ring != nil {
		encoded, err := json.Marshal(session.Secrets)
		if err != nil {
			return err
		}
		if s.ring.set(session.URL, string(encoded)) == nil { // else there is none, or the tokens are too long for it
			f.Secrets, session.KeptIn = nil, inKeyring
		}
	}
	content, err := json.MarshalIndent(f, "", "  ")
	if err != nil {
		return err
	}
	if err := replace(path, content); err != nil {
		return fmt.Errorf("keeping the tokens: %w", err)
	}
	return nil
}

// replace writes a file that is whole at any time, and for its owner alone.
func replace(path string, content []byte) error {
	temporary, err := os.CreateTemp(filepath.Dir(path), ".new-*") // with mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(temporary.Name()) // fails once it was renamed
	_, err = temporary.Write(content)
	if err == nil {
		err = temporary.Sync()
	}
	if closed := temporary.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return err
	}
	return os.Rename(temporary.Name(), path)
}

// Delete forgets a session.
func (s *Store) Delete(session Session) error {
	var err error
	if session.KeptIn == inKeyring {
		if err = (userKeyring{}).remove(session.URL); errors.Is(err, ErrNone) {
			err = nil
		}
	}
	if removed := os.Remove(s.path(session.URL)); removed != nil && !errors.Is(removed, os.ErrNotExist) {
		err = errors.Join(err, removed)
	}
	return err
}

// Lock waits until no other process changes the session of a URL.
func (s *Store) Lock(ctx context.Context, url string) (unlock func(), err error) {
	ctx, cancel := context.WithTimeout(ctx, lockWithin)
	defer cancel()
	lock := flock.New(strings.TrimSuffix(s.path(s.keptAt(url)), ".json")+".lock", flock.SetPermissions(0o600))
	if _, err := lock.TryLockContext(ctx, lockEvery); err != nil {
		return nil, fmt.Errorf("another process holds the lock of the session at %s: %w", url, err)
	}
	return func() { _ = lock.Unlock() }, nil
}

// path of the file of a session.
func (s *Store) path(url string) string {
	sum := sha256.Sum256([]byte(url))
	return filepath.Join(s.dir, hex.EncodeToString(sum[:16])+".json")
}

// isOpen tells whether others than the owner can do anything with a file. Windows has no
// such bits: there the profile's directory keeps others out.
func isOpen(info os.FileInfo) bool { return runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 }

const (
	inKeyring  = "keyring"
	lockWithin = time.Minute
	lockEvery  = 50 * time.Millisecond
)
