package token

import (
	"context"
	"crypto/sha256"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/caddygrant/caddy-grant/directory"
	"github.com/caddygrant/caddy-grant/internal/buffer"
	"github.com/caddygrant/caddy-grant/internal/clock"
	"github.com/caddygrant/caddy-grant/internal/oauth"
)

// BrowserSession is a session cookie that was checked. It is shared by requests.
type BrowserSession struct {
	*SessionCookie

	// Token is what the session stands for with its user and its client as they are
	// now, in the form of an access token. There is no such token: it has no jti, aud
	// and exp.
	Token *AccessToken

	user      *directory.User
	client    *directory.Client
	forwarded struct {
		sync.Mutex
		token       string
		from, until time.Time // when to make another one: before the one, from the other on
	}
	renewal struct {
		sync.Mutex
		tried time.Time
	}
}

// CheckCookie opens a session cookie and checks its session as [Checker.Check] does
// that of a token: against the user, the client and the revoked sessions as they are
// now. An error is the reason for the log, and the session returned with it says whose
// it was; an [UncheckedError] is not a fault of the cookie.
func (c *Checker) CheckCookie(ctx context.Context, value string, place CookiePlace) (*BrowserSession, error) {
	keys := c.Keys(ctx)
	if keys == nil {
		return nil, errNoKeys
	}
	if len(value) > maxCookieValue {
		return nil, errNotOurCookie
	}
	digest := digestCookie(value, place)
	before, remembered := keys.checked.Get(digest)
	session := before.session
	if !remembered {
		cookie, err := keys.OpenCookie(value, place)
		if err != nil {
			return nil, err
		}
		session = &BrowserSession{SessionCookie: cookie, Token: c.tokenOf(keys, cookie)}
	}
	user, client, err := c.checkSession(ctx, keys, session, before.user)
	if err != nil {
		return session, err
	}
	if remembered && before.user == user && before.client == client {
		return session, nil
	}
	session = &BrowserSession{
		SessionCookie: session.SessionCookie, Token: c.currentToken(session, user, client),
		user: user, client: client,
	}
	keys.checked.Add(digest, checkedToken{
		token: session.Token, user: user, client: client, narrowed: session.Token, session: session,
	}, session.memory(len(value)))
	return session, nil
}

// memory is about how many bytes a session takes, with a token to forward. length is
// that of its cookie, which has none of the user's claims.
func (s *BrowserSession) memory(length int) int {
	claims := 0
	for name, claim := range s.user.Claims {
		claims += len(name) + len(claim)
	}
	return s.Token.memory(length) + sessionSize + claims + claims*4/3
}

// checkSession checks what can change about a session.
func (c *Checker) checkSession(ctx context.Context, keys *KeySet, session *BrowserSession, before *directory.User) (*directory.User, *directory.Client, error) {
	if c.Browser == nil {
		return nil, nil, Error("the server has no login page")
	}
	if !clock.Now().Before(c.Browser.Expires(session.SessionCookie)) {
		return nil, nil, Error("expired")
	}
	return c.checkLive(ctx, keys, session.Token, before, nil)
}

// Renew seals the cookie of a session anew if it is time to, and if the session is
// still good: the answer to a slow request must not bring back a session that ended
// meanwhile, and must not take the place of the one that began then. So storage is
// asked too, which knows what other nodes have revoked a moment ago. While that gives no
// answer, the cookie stays as it is.
//
// Of requests at the same time only one renews a cookie.
func (c *Checker) Renew(ctx context.Context, session *BrowserSession, place CookiePlace) (value string, renewed bool, err error) {
	now := clock.Now()
	keys := c.Keys(ctx)
	if keys == nil || c.Browser == nil || !c.Browser.isDue(session.SessionCookie, now) || !session.mayTry(now, c.Browser.renewEvery()) {
		return "", false, nil
	}
	ctx, cancel := context.WithTimeout(ctx, renewalLimit)
	defer cancel()
	if revoked, err := c.Sessions.Revoked(ctx, session.Token.SessionClaims()); revoked || err != nil {
		return "", false, nil //nolint:nilerr // a later request tries again
	}
	// after storage, which may take its time
	if _, _, err := c.checkSession(ctx, keys, session, session.user); err != nil {
		return "", false, nil //nolint:nilerr // the next request reports it
	}
	value, err = keys.Seal(session.SessionCookie, place, now)
	return value, err == nil, err
}

// mayTry tells whether to try to renew the cookie: not while another request does, nor
// soon after one did.
func (s *BrowserSession) mayTry(now time.Time, every time.Duration) bool {
	s.renewal.Lock()
	defer s.renewal.Unlock()
	if now.Sub(s.renewal.tried).Abs() < min(every, renewalPause) {
		return false
	}
	s.renewal.tried = now
	return true
}

// AccessToken returns an access token of the session for an app that wants one. It is
// made anew at half its life, and when the user or the client changes.
func (c *Checker) AccessToken(ctx context.Context, session *BrowserSession) (string, error) {
	keys := c.Keys(ctx)
	if keys == nil {
		return "", errNoKeys
	}
	now := clock.Now()
	session.forwarded.Lock()
	defer session.forwarded.Unlock()
	if now.Before(session.forwarded.until) && !now.Before(session.forwarded.from) {
		return session.forwarded.token, nil
	}
	issued := now.Truncate(time.Second)
	claims := c.accessClaims(keys, &Authorization{
		Client: session.client, User: session.user, Scopes: session.Token.Scopes,
		Session: &Session{ID: session.SessionID, Version: session.SessionVersion, Ends: c.Browser.Expires(session.SessionCookie)},
	}, issued)
	signed := buffer.Borrow()
	defer buffer.ReturnSecret(signed)
	if err := claims.sign(keys, signed); err != nil {
		return "", fmt.Errorf("making a token to forward: %w", err)
	}
	session.forwarded.token = signed.String()
	session.forwarded.from = issued
	session.forwarded.until = issued.Add(time.Duration(claims.lifetime()) * time.Second / 2)
	return session.forwarded.token, nil
}

// tokenOf is what a cookie says, without what only its user can tell.
func (c *Checker) tokenOf(keys *KeySet, cookie *SessionCookie) *AccessToken {
	token := &AccessToken{
		AccessClaims: AccessClaims{
			Issuer:            c.Issuer,
			Subject:           cookie.Subject,
			IssuedAt:          cookie.Begins,
			CID:               LoginPage,
			ClientID:          LoginPage,
			Scope:             cookie.Scope,
			SessionID:         cookie.SessionID,
			CredentialVersion: cookie.CredentialVersion,
			Server:            keys.server,
			SessionVersion:    cookie.SessionVersion,
		},
		Session: cookie.Session,
	}
	if cookie.Scope != "" {
		token.Scopes = strings.Split(cookie.Scope, " ")
	}
	return token
}

// currentToken is what a session stands for now: the scopes of the login as far as the
// page and the user still have them, and the user's claims of now.
func (c *Checker) currentToken(session *BrowserSession, user *directory.User, client *directory.Client) *AccessToken {
	now := *session.Token
	var login []string
	if session.Scope != "" {
		login = strings.Split(session.Scope, " ")
	}
	now.Scopes = user.Allowed(oauth.Intersect(login, c.AllowedScopes(client)))
	now.Scope = strings.Join(now.Scopes, " ")
	now.Issuer = c.Issuer // which a reload may change
	now.Username = user.Username
	now.Others = make(map[string]any, len(user.Claims))
	for name := range user.Claims {
		if claim, has := UserClaim(user, name); has {
			now.Others[name] = claim
		}
	}
	return &now
}

// digestCookie stands for a cookie in its place. No token has this digest.
func digestCookie(value string, place CookiePlace) tokenDigest {
	var room [1024]byte // enough for most, without an allocation
	text := room[:0]
	for _, part := range [...]string{place.Name, place.Host, value} {
		text = append(append(text, part...), 0)
	}
	sum := sha256.Sum256(text)
	sum[0] |= ofCookie
	return tokenDigest(sum[:sha256.Size/2])
}

// LoginPage is the client id of the login page, which its sessions belong to.
const LoginPage = "login_page"

// sessionSize is what a session takes in memory beside its token, with a token to
// forward without claims of the user's own, in bytes.
const sessionSize = 1500

const (
	// renewalLimit is how long an answer waits for the storage at most.
	renewalLimit = time.Second

	// renewalPause is how long after an attempt to renew a cookie there is no other.
	renewalPause = 10 * time.Second
)
