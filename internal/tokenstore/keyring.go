package tokenstore

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"time"

	gokeyring "github.com/zalando/go-keyring"
)

// keyring has one secret for a URL.
type keyring interface {
	get(url string) (string, error)
	set(url, secret string) error
	remove(url string) error
}

// userKeyring is the Secret Service, the Keychain or the Credential Manager.
type userKeyring struct{}

func (userKeyring) get(url string) (string, error) {
	return patiently(func() (string, error) { return gokeyring.Get(service, url) })
}

func (userKeyring) set(url, secret string) error {
	_, err := patiently(func() (string, error) { return "", gokeyring.Set(service, url, secret) })
	return err
}

func (userKeyring) remove(url string) error {
	_, err := patiently(func() (string, error) { return "", gokeyring.Delete(service, url) })
	return err
}

// patiently asks the keyring, which may ask the user to unlock it.
func patiently(ask func() (string, error)) (string, error) {
	if !hasBus() {
		return "", errNoKeyring
	}
	type answer struct {
		secret string
		err    error
	}
	answered := make(chan answer, 1)
	go func() {
		secret, err := ask()
		answered <- answer{secret, err}
	}()
	select {
	case a := <-answered:
		if errors.Is(a.err, gokeyring.ErrNotFound) {
			return "", ErrNone
		}
		return a.secret, a.err
	case <-time.After(unlockWithin):
		return "", errNoAnswer
	}
}

// hasBus tells whether there is a session bus, where a keyring needs one: the library
// would start a bus of its own, on which there is no keyring.
func hasBus() bool {
	switch runtime.GOOS {
	case "darwin", "windows":
		return true
	}
	if os.Getenv("DBUS_SESSION_BUS_ADDRESS") != "" {
		return true
	}
	_, err := os.Stat(filepath.Join(os.Getenv("XDG_RUNTIME_DIR"), "bus"))
	return os.Getenv("XDG_RUNTIME_DIR") != "" && err == nil
}

var (
	errNoKeyring = errors.New("there is no keyring")
	errNoAnswer  = errors.New("it was not unlocked")
)

const (
	service      = "caddy-grant"
	unlockWithin = time.Minute
)
