package token

import (
	"context"
	"crypto/subtle"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/caddygrant/caddy-grant/directory"
	"github.com/caddygrant/caddy-grant/internal/clock"
	"github.com/caddygrant/caddy-grant/internal/keyring"
	"github.com/caddygrant/caddy-grant/internal/remembered"
	"github.com/caddygrant/caddy-grant/internal/session"
)

// Checker checks tokens against the users, clients and sessions as they are now.
type Checker struct {
	*Policy
	Keys     func(context.Context) *KeySet // nil while there are none
	Users    *directory.UserDirectory
	Clients  *directory.ClientDirectory
	Sessions Revocations
}

// Revocations knows the revoked sessions.
type Revocations interface {
	// SessionRevoked is called for every request. An error means that this cannot be
	// told now.
	SessionRevoked(context.Context, session.Claims) (bool, error)

	// Revoked asks storage, which knows first what other nodes revoke.
	Revoked(context.Context, session.Claims) (bool, error)
}

// Check verifies a token and returns what is left of it now, by what is in memory: see
// [Policy.Narrowed]. Only a process that has not read the revocations yet queries
// storage, for the token's session. What never changes about a token is checked once.
// An error is the reason for the log, and the token returned with it says whose it was,
// if this server issued it; an [UncheckedError] is not a fault of the token.
func (c *Checker) Check(ctx context.Context, raw string) (*AccessToken, error) {
	if len(raw) > keyring.MaxTokenLength { // which is not worth a digest
		return c.CheckDigested(ctx, raw, remembered.Digest{})
	}
	return c.CheckDigested(ctx, raw, remembered.DigestOf(raw))
}

// CheckDigested is Check for a caller that has the digest of the token, which is not
// looked at if the token is longer than [keyring.MaxTokenLength].
func (c *Checker) CheckDigested(ctx context.Context, raw string, of remembered.Digest) (*AccessToken, error) {
	keys := c.Keys(ctx)
	if keys == nil {
		return nil, errNoKeys
	}
	if len(raw) > keyring.MaxTokenLength {
		return nil, keyring.ErrTooLong
	}
	digest := digestToken(of)
	before, remembered := keys.checked.Get(digest)
	token := before.token
	if !remembered {
		var err error
		if token, err = c.Open(keys, raw); err != nil {
			return nil, err
		}
	}
	if err := c.CheckTimes(token); err != nil {
		return token, err
	}
	user, client, err := c.checkLive(ctx, keys, token, before.user, before.client)
	if err != nil {
		return token, err
	}
	if remembered && before.user == user && before.client == client {
		return before.narrowed, nil
	}
	narrowed := c.Narrowed(token, user, client)
	size := token.memory(len(raw))
	if narrowed != token {
		size += narrowed.memory(len(raw))
	}
	keys.checked.Add(digest, checkedToken{token: token, user: user, client: client, narrowed: narrowed}, size)
	return narrowed, nil
}

// Open checks what never changes about a token: that this server issued it.
func (c *Checker) Open(keys *KeySet, raw string) (*AccessToken, error) {
	token, err := readSigned(keys.Ring, raw)
	if err != nil {
		return nil, err
	}
	switch token.Server {
	case "": // a token from before this claim existed
	case keys.server:
		token.Server = keys.server // one string is enough for all remembered tokens
	default:
		return nil, ErrOfAnotherServer
	}
	if err := c.checkIssuer(token); err != nil {
		return nil, err
	}
	return token, nil
}

// readSigned reads an access token that a key of the ring signed.
func readSigned(ring *keyring.Ring, raw string) (*AccessToken, error) {
	typ, payload, err := ring.Verify(raw)
	if err != nil {
		if unknown, ok := errors.AsType[*keyring.UnknownKeyError](err); ok && unknown.Type == typRefreshToken {
			return nil, Error("it is a refresh token; send the access token")
		}
		return nil, err
	}
	if !slices.Contains(accessTokenTypes, strings.ToLower(typ)) {
		return nil, Error("typ is not that of an access token")
	}
	return ParseAccessToken(payload)
}

func (p *Policy) checkIssuer(token *AccessToken) error {
	if p.Issuer != "" && token.Issuer != p.Issuer {
		return Error("iss is not this server's issuer")
	}
	return nil
}

// CheckTimes enforces RFC 7519 §4.1.4 and §4.1.5, with leeway for clocks that differ.
func (c *Checker) CheckTimes(token *AccessToken) error {
	at, leeway := clock.Now(), c.Leeway
	if !at.Before(time.Unix(token.Expires, 0).Add(leeway)) {
		return Error("expired")
	}
	if at.Add(leeway).Before(time.Unix(token.NotBefore, 0)) {
		return Error("not yet valid")
	}
	return nil
}

// Parties checks a token against the users and clients as they are now, and returns
// those it belongs to: no user if a client got it for itself.
func (c *Checker) Parties(ctx context.Context, keys *KeySet, token *AccessToken) (*directory.User, *directory.Client, error) {
	if token.IsClient() {
		client, err := c.actingClient(ctx, keys, token)
		return nil, client, err
	}
	user, err := c.User(ctx, keys, token.Subject, token.CredentialVersion)
	if err != nil {
		return nil, nil, err
	}
	client, err := c.Clients.OfToken(ctx, token.CID)
	return user, client, checkClient(client, err)
}

// checkLive checks what can change about the session of a token, or of a cookie, and
// returns the user and the client that it belongs to: that they are still there, by
// recent answers of their sources, and that the session was not revoked. The user and
// the client before are those with whom the token was checked before, or nil: the same
// pointer means that they have not changed, since they are immutable.
func (c *Checker) checkLive(ctx context.Context, keys *KeySet, token *AccessToken, userBefore *directory.User, clientBefore *directory.Client) (user *directory.User, client *directory.Client, err error) {
	if token.IsClient() {
		client, err = c.recentActingClient(ctx, keys, token, clientBefore)
	} else {
		user, client, err = c.recentParties(ctx, keys, token, userBefore)
	}
	if err != nil {
		return nil, nil, err
	}
	switch revoked, err := c.Sessions.SessionRevoked(ctx, token.SessionClaims()); {
	case err != nil:
		return nil, nil, uncheckedSession(err)
	case revoked:
		return nil, nil, Error("its session was revoked")
	}
	return user, client, nil
}

// uncheckedSession is why it is not known whether a session was revoked.
func uncheckedSession(err error) error {
	if errors.Is(err, session.ErrUnknownEngine) {
		return UncheckedError{"its session is in an engine that the config does not know", err}
	}
	return UncheckedError{"the revoked sessions have not been read yet", err}
}

// recentParties is Parties of a user's token by recent answers of the sources that have
// to be queried.
func (c *Checker) recentParties(ctx context.Context, keys *KeySet, token *AccessToken, before *directory.User) (*directory.User, *directory.Client, error) {
	user, err := c.Users.RecentBySubject(ctx, token.Subject)
	if user == nil || user != before {
		if err := c.checkUser(keys, user, err, token.CredentialVersion); err != nil {
			return nil, nil, err
		}
	}
	client, err := c.Clients.RecentByID(ctx, token.CID)
	return user, client, checkClient(client, err)
}

// User returns the user to whom a token belongs, who must be there, enabled, and have
// the password with which the session began.
func (c *Checker) User(ctx context.Context, keys *KeySet, subject, version string) (*directory.User, error) {
	user, err := c.Users.BySubject(ctx, subject)
	if err := c.checkUser(keys, user, err, version); err != nil {
		return nil, err
	}
	return user, nil
}

// checkUser checks the user that a look-up found.
func (c *Checker) checkUser(keys *KeySet, user *directory.User, err error, version string) error {
	if err := checkExists(user, err); err != nil {
		return err
	}
	current := credentialVersion(keys.credentialVersion, c.Server, user)
	if subtle.ConstantTimeCompare([]byte(current), []byte(version)) != 1 {
		return Error("its user has another password now")
	}
	return nil
}

// checkExists is checkUser without the password.
func checkExists(user *directory.User, err error) error {
	switch {
	case err != nil:
		return UncheckedError{"the users cannot be looked up", err}
	case user == nil:
		return Error("its user is gone")
	case user.Disabled:
		return Error("its user is disabled")
	}
	return nil
}

// checkClient checks the client that a look-up found.
func checkClient(client *directory.Client, err error) error {
	if err != nil {
		return UncheckedError{"the clients cannot be looked up", err}
	}
	if client == nil {
		return Error("its client is gone")
	}
	return nil
}

// Error is why a token is refused. It is for the log; clients get the same answer for
// all defects.
type Error string

func (e Error) Error() string { return string(e) }

// ErrOfAnotherServer is for a token of a server that shares a signing key with this
// server, but not its storage, name and issuer.
const ErrOfAnotherServer = Error("it belongs to another server")

// UncheckedError is why tokens cannot be checked now, which is not a fault of the
// tokens.
type UncheckedError struct {
	reason string // one of a closed set
	cause  error  // nil if the reason says all
}

// errNoKeys is for the time before the first keys.
var errNoKeys = UncheckedError{reason: "no key to verify tokens with yet"}

// Unchecked makes an [UncheckedError]. The reason is one of a closed set, since metrics
// count by it; cause is what to log, or nil if the reason says all.
func Unchecked(reason string, cause error) UncheckedError { return UncheckedError{reason, cause} }

func (e UncheckedError) Error() string { return e.reason }

func (e UncheckedError) Unwrap() error { return e.cause }

// Cause is what to log: which source failed and how, or the reason.
func (e UncheckedError) Cause() error {
	if e.cause == nil {
		return e
	}
	return e.cause
}

// accessTokenTypes are the media types of access tokens, in lower case (RFC 7515
// §4.1.9: they have no case, and "application/" may be left out).
var accessTokenTypes = []string{"jwt", "application/jwt", "at+jwt", "application/at+jwt"}
