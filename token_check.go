package caddygrant

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
)

// checkAccessToken verifies a token and returns what is left of it now, by what is in
// memory: see narrowed. Only a process that has not read the revocations yet asks storage,
// for the token's session. What never changes about a token is checked once. An error is
// the reason for the log, and the token beside it says whose it was, if this server issued
// it; an uncheckedError is no fault of the token.
func (s *Server) checkAccessToken(ctx context.Context, raw string) (*accessToken, error) {
	keys := s.keys.current(ctx)
	if keys == nil {
		return nil, uncheckedError{reason: "no key to verify tokens with yet"}
	}
	if len(raw) > keyring.MaxTokenLength {
		return nil, keyring.ErrMalformed
	}
	digest := digestToken(raw)
	before, remembered := keys.checked.get(digest)
	token := before.token
	if !remembered {
		var err error
		if token, err = s.openAccessToken(keys, raw); err != nil {
			return nil, err
		}
	}
	if err := s.checkTimes(token); err != nil {
		return token, err
	}
	user, client, err := s.checkParties(ctx, keys, token, before.user)
	if err != nil {
		return token, err
	}
	switch revoked, err := s.sessions.revoked(ctx, token.session); {
	case err != nil:
		return nil, uncheckedError{"the revoked sessions were not read yet", err}
	case revoked:
		return token, tokenError("its session was revoked")
	}
	if remembered && before.user == user && before.client == client {
		return before.narrowed, nil
	}
	narrowed := s.narrowed(token, user, client)
	size := token.memory(len(raw))
	if narrowed != token {
		size += narrowed.memory(len(raw))
	}
	keys.checked.add(digest, checkedToken{token: token, user: user, client: client, narrowed: narrowed, size: size})
	return narrowed, nil
}

// openAccessToken checks what never changes about a token: that this server issued it.
func (s *Server) openAccessToken(keys *keySet, raw string) (*accessToken, error) {
	typ, payload, err := keys.ring.Verify(raw)
	if err != nil {
		if unknown, ok := errors.AsType[*keyring.UnknownKeyError](err); ok && unknown.Type == typRefreshToken {
			return nil, tokenError("it is a refresh token; send the access token")
		}
		return nil, err
	}
	if !slices.Contains(accessTokenTypes, strings.ToLower(typ)) {
		return nil, tokenError("typ is not that of an access token")
	}
	token, err := parseAccessToken(payload)
	if err != nil {
		return nil, err
	}
	switch token.Server {
	case "": // a token of before
	case keys.server:
		token.Server = keys.server // one string is enough for all that are remembered
	default:
		return nil, errOfAnotherServer()
	}
	if s.Issuer != "" && token.Issuer != s.Issuer {
		return nil, tokenError("iss is not this server's issuer")
	}
	return token, nil
}

// checkTimes holds RFC 7519 §4.1.4 and §4.1.5, with leeway for clocks that differ.
func (s *Server) checkTimes(token *accessToken) error {
	at, leeway := clock.Now(), time.Duration(*s.Leeway)
	if !at.Before(time.Unix(token.Expires, 0).Add(leeway)) {
		return tokenError("expired")
	}
	if at.Add(leeway).Before(time.Unix(token.NotBefore, 0)) {
		return tokenError("not yet valid")
	}
	return nil
}

// checkParties checks a token against the users and clients as they are now, and returns
// its own. A user who is the very same as when the token was checked before, nil if it was
// not, has not changed: users are immutable.
func (s *Server) checkParties(ctx context.Context, keys *keySet, token *accessToken, before *directory.User) (*directory.User, *directory.Client, error) {
	user, err := s.users.BySubject(ctx, token.Subject)
	if err != nil {
		return nil, nil, uncheckedError{"the users cannot be asked", err}
	}
	if user == nil || user != before {
		if user, err = s.tokenUser(ctx, keys, token.Subject, token.CredentialVersion); err != nil {
			return nil, nil, err
		}
	}
	client, err := s.clients.ByID(ctx, token.CID)
	if err != nil {
		return nil, nil, uncheckedError{"the clients cannot be asked", err}
	}
	if client == nil {
		return nil, nil, tokenError("its client is gone")
	}
	return user, client, nil
}

// tokenUser returns the user to whom a token belongs, who must be there, enabled, and have
// the password with which the session began.
func (s *Server) tokenUser(ctx context.Context, keys *keySet, subject, version string) (*directory.User, error) {
	user, err := s.users.BySubject(ctx, subject)
	switch {
	case err != nil:
		return nil, uncheckedError{"the users cannot be asked", err}
	case user == nil:
		return nil, tokenError("its user is gone")
	case user.Disabled:
		return nil, tokenError("its user is disabled")
	}
	current := credentialVersion(keys.credentialVersion, s.Name, user)
	if subtle.ConstantTimeCompare([]byte(current), []byte(version)) != 1 {
		return nil, tokenError("its user has another password now")
	}
	return user, nil
}

// tokenError is why a token is refused. It is for the log; outside, all defects are one.
type tokenError string

func (e tokenError) Error() string { return string(e) }

// errOfAnotherServer is said of a token of a server that has a signing key in common with this
// one, but not its storage, name and issuer.
func errOfAnotherServer() error { return tokenError("it is of another server") }

// uncheckedError is why tokens cannot be checked now, which is no fault of theirs.
type uncheckedError struct {
	reason string // one of a closed set
	cause  error  // nil if the reason says all
}

func (e uncheckedError) Error() string { return e.reason }

func (e uncheckedError) Unwrap() error { return e.cause }

// accessTokenTypes are the media types of access tokens, in lower case (RFC 7515 §4.1.9:
// they have no case, and "application/" may be left out).
var accessTokenTypes = []string{"jwt", "at+jwt", "application/at+jwt"}
