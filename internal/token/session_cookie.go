package token

import (
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"golang.org/x/crypto/chacha20poly1305"

	"github.com/caddygrant/caddy-grant/directory"
	"github.com/caddygrant/caddy-grant/internal/keyring"
	"github.com/caddygrant/caddy-grant/internal/session"
)

// SessionCookie is what a browser keeps of a session that began on the login page. It
// is sealed: only this server can read or make one. It is not a token, and no endpoint
// takes it for one.
type SessionCookie struct {
	SessionID         string `json:"sid"`
	Subject           string `json:"sub"`
	CredentialVersion string `json:"cver"`
	SessionVersion    int64  `json:"sver,omitempty"`  // see [session.Claims]
	Scope             string `json:"scope,omitempty"` // of the login
	Begins            int64  `json:"iat"`             // unix seconds, as are the next two
	Ends              int64  `json:"exp"`             // of the session
	Sealed            int64  `json:"sealed"`
	Remembered        bool   `json:"remember,omitempty"` // it outlives the browser's own session

	Session session.ID `json:"-"` // of SessionID
}

// CookiePlace is where a cookie belongs. In another place it is not accepted, although
// the same server has sealed it.
type CookiePlace struct {
	Name string // of the cookie
	Host string // that it is for; empty if it is for a whole domain
}

// BrowserPolicy is the settings of sessions that begin on the login page.
type BrowserPolicy struct {
	Client      *directory.Client // the page itself, which such sessions belong to
	SessionTTL  time.Duration     // how long a session lasts
	IdleTTL     time.Duration     // how long it lasts without a request
	RememberTTL time.Duration     // how long a remembered session lasts; 0: none is remembered
}

// remembers tells whether a session goes on when nobody uses it.
func (p *BrowserPolicy) remembers(c *SessionCookie) bool { return c.Remembered && p.RememberTTL > 0 }

// Expires is when a cookie is no longer accepted, unless it is sealed anew before.
func (p *BrowserPolicy) Expires(c *SessionCookie) time.Time {
	begins, ends := time.Unix(c.Begins, 0), time.Unix(c.Ends, 0)
	if p.remembers(c) {
		return earlier(ends, begins.Add(p.RememberTTL))
	}
	return earlier(earlier(ends, begins.Add(p.SessionTTL)), time.Unix(c.Sealed, 0).Add(p.IdleTTL))
}

// isDue tells whether it is time to seal a cookie anew.
func (p *BrowserPolicy) isDue(c *SessionCookie, now time.Time) bool {
	return !p.remembers(c) && !now.Before(time.Unix(c.Sealed, 0).Add(p.renewEvery()))
}

// renewEvery is how old a cookie gets before it is sealed anew.
func (p *BrowserPolicy) renewEvery() time.Duration { return max(p.IdleTTL/renewals, time.Second) }

// BeginBrowserSession begins a session on the login page. Nothing is written anywhere.
func (p *Policy) BeginBrowserSession(keys *KeySet, user *directory.User, origin session.Origin, scopes []string, remember bool, at time.Time) *SessionCookie {
	ttl := p.Browser.SessionTTL
	if remember = remember && p.Browser.RememberTTL > 0; remember {
		ttl = p.Browser.RememberTTL
	}
	ends := at.Add(ttl)
	id := origin.NewID(ends)
	return &SessionCookie{
		SessionID:         id.String(),
		Subject:           user.Subject(),
		CredentialVersion: credentialVersion(keys.credentialVersion, p.Server, user),
		SessionVersion:    origin.Version,
		Scope:             strings.Join(scopes, " "),
		Begins:            at.Unix(),
		Ends:              ends.Unix(),
		Remembered:        remember,
		Session:           id,
	}
}

// Seal makes the value of the cookie for its place, as of that time.
func (k *KeySet) Seal(c *SessionCookie, place CookiePlace, at time.Time) (string, error) {
	sealed := *c
	sealed.Sealed = at.Unix()
	plain, err := json.Marshal(&sealed)
	if err != nil {
		return "", fmt.Errorf("encoding a session cookie: %w", err)
	}
	aead := k.cookies()
	// random nonces of 192 bits never run out (XChaCha20-Poly1305)
	box := make([]byte, aead.NonceSize(), aead.NonceSize()+len(plain)+aead.Overhead())
	_, _ = rand.Read(box)
	box = aead.Seal(box, box, plain, place.bind())
	value := base64.RawURLEncoding.EncodeToString(box)
	if len(value) > maxCookieValue {
		return "", fmt.Errorf("the session cookie would have %d bytes, the maximum is %d: shorten the scopes of the login page", len(value), maxCookieValue)
	}
	return value, nil
}

// OpenCookie reads what Seal made for that place, and nothing else. Whether the session
// is still good is another question.
func (k *KeySet) OpenCookie(value string, place CookiePlace) (*SessionCookie, error) {
	aead := k.cookies()
	if len(value) > maxCookieValue || strings.ContainsAny(value, "\r\n") { // which the decoder skips
		return nil, errNotOurCookie
	}
	box, err := base64.RawURLEncoding.Strict().DecodeString(value)
	if err != nil || len(box) < aead.NonceSize() {
		return nil, errNotOurCookie
	}
	nonce, sealed := box[:aead.NonceSize()], box[aead.NonceSize():]
	plain, err := aead.Open(sealed[:0], nonce, sealed, place.bind())
	if err != nil {
		return nil, errNotOurCookie
	}
	c := new(SessionCookie)
	if err := json.Unmarshal(plain, c); err != nil {
		return nil, errNotOurCookie
	}
	var ok bool
	if c.Session, ok = session.ParseID(c.SessionID); !ok || c.Subject == "" || c.CredentialVersion == "" || c.SessionVersion < 0 || c.Ends <= 0 {
		return nil, errNotOurCookie
	}
	return c, nil
}

// bind is what a sealed cookie is bound to. Neither a name nor a host holds a NUL.
func (p CookiePlace) bind() []byte { return []byte(p.Name + "\x00" + p.Host) }

// newCookieKey returns the cipher of session cookies. It is a function, so that nothing
// prints the key.
func newCookieKey(secret *keyring.Secret) (func() cipher.AEAD, error) {
	aead, err := chacha20poly1305.NewX(secret.Derive("session cookie", chacha20poly1305.KeySize))
	if err != nil {
		return nil, fmt.Errorf("deriving the key of session cookies: %w", err)
	}
	return func() cipher.AEAD { return aead }, nil
}

// errNotOurCookie is for a value that this server did not seal for that place.
const errNotOurCookie = Error("it is not a session cookie of this server and place")

const (
	// maxCookieValue leaves room for the name and the attributes: browsers keep 4096
	// bytes (RFC 6265bis §5.6).
	maxCookieValue = 3800

	// renewals is how often a cookie is sealed anew within its idle time, at most.
	renewals = 10
)
