// Package outside has issuers of access tokens that are not caddy-grant: HTTP servers on
// loopback with metadata, keys and tokens, which do everything that a real issuer does
// when it is well, when it is down, and when an attacker has it.
package outside

import (
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
)

// Audience is that of the tokens, unless a test changes it.
const Audience = "https://contacts.example.com"

// Options of an issuer. The zero value is an OpenID provider at the root of a plain
// port, with one key of ES256.
type Options struct {
	Path      string // of the issuer's URL, such as /realms/staff
	Algorithm string // of its first key
	TLS       bool   // https, with a certificate of CAFile's
	OAuthOnly bool   // has RFC 8414's metadata, and not OpenID Connect's
}

// Issuer is one issuer. Its methods may be called while it serves.
type Issuer struct {
	URL    string // the issuer, as `iss` and metadata have it
	CAFile string // certificate of its authority in PEM, with Options.TLS

	t       *testing.T
	options Options
	address string
	tls     *tls.Config

	mu       sync.Mutex
	keys     []*Key         // the first signs
	members  map[string]any // of the metadata, beyond the usual ones; nil: left out
	answer   map[Document]http.HandlerFunc
	fetches  map[Document]int
	padding  int
	server   *http.Server
	released []chan struct{}
}

// New starts an issuer, which serves until the test ends.
func New(t *testing.T, options Options) *Issuer {
	t.Helper()
	i := &Issuer{
		t: t, options: options, address: fmt.Sprintf("127.0.0.1:%d", harness.FreePort(t)),
		members: make(map[string]any), answer: make(map[Document]http.HandlerFunc), fetches: make(map[Document]int),
	}
	i.URL = "http://" + i.address + options.Path
	if options.TLS {
		i.URL = strings.Replace(i.URL, "http:", "https:", 1)
		i.tls, i.CAFile = certificate(t)
	}
	if options.Algorithm == "" {
		options.Algorithm = "ES256"
	}
	i.keys = []*Key{NewKey(t, options.Algorithm)}
	i.Up()
	t.Cleanup(i.Down)
	return i
}

// In puts the issuer's URL where a config has %ISSUER%, and its CA where it has %CA%.
func (i *Issuer) In(config string) string {
	return strings.NewReplacer("%ISSUER%", i.URL, "%CA%", i.CAFile).Replace(config)
}

// Up listens, at the same address as before.
func (i *Issuer) Up() {
	i.t.Helper()
	listener, err := net.Listen("tcp", i.address)
	if err != nil {
		i.t.Fatalf("an outside issuer: %v", err)
	}
	if i.tls != nil {
		listener = tls.NewListener(listener, i.tls)
	}
	server := &http.Server{Handler: i}
	i.mu.Lock()
	i.server = server
	i.mu.Unlock()
	go func() { _ = server.Serve(listener) }()
}

// Down ends all connections and refuses new ones.
func (i *Issuer) Down() {
	i.mu.Lock()
	server, released := i.server, i.released
	i.server, i.released = nil, nil
	i.mu.Unlock()
	for _, release := range released {
		close(release)
	}
	if server != nil {
		_ = server.Close()
	}
}

// Key is the key that signs now.
func (i *Issuer) Key() *Key {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.keys[0]
}

// Publish adds keys to the set, after those that are in it.
func (i *Issuer) Publish(keys ...*Key) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.keys = append(i.keys, keys...)
}

// PublishOnly replaces the set. The first key signs from now on.
func (i *Issuer) PublishOnly(keys ...*Key) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.keys = keys
}

// Rotate signs by a new key from now on, and returns it. The old ones stay published.
func (i *Issuer) Rotate() *Key {
	i.t.Helper()
	key := NewKey(i.t, "ES256")
	i.mu.Lock()
	defer i.mu.Unlock()
	i.keys = append([]*Key{key}, i.keys...)
	return key
}

// Pad makes the key set that many bytes longer, by a member that means nothing.
func (i *Issuer) Pad(bytes int) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.padding = bytes
}

// Metadata sets a member of the metadata, or takes it out if the value is nil.
func (i *Issuer) Metadata(member string, value any) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.members[member] = value
}
