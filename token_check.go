package caddygrant

import (
	"context"
	"crypto/subtle"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	// Unlike encoding/json it refuses a claim that is there twice and tells "sub" from "SUB".
	"github.com/go-jose/go-jose/v4/json"

	"github.com/caddygrant/caddy-grant/internal/session"
)

// accessToken is a verified access token: its claims as they were signed.
type accessToken struct {
	subject           string
	username          string
	clientID          string
	tokenID           string
	sessionID         string
	session           session.ID // the same
	credentialVersion string
	issuer            string
	audience          []string
	scope             string
	scopes            []string
	expires           time.Time
	notBefore         time.Time // zero if absent

	claims map[string]json.RawMessage
}

// checkAccessToken verifies a token and holds it against what is true now, with what is in
// memory. An error is the reason for the log; an uncheckedError is no fault of the token.
func (s *Server) checkAccessToken(ctx context.Context, raw string) (*accessToken, error) {
	keys := s.keys.current(ctx)
	if keys == nil {
		return nil, uncheckedError("no key to verify tokens with yet")
	}
	token, err := s.verifyAccessToken(keys, raw)
	if err != nil {
		return nil, err
	}
	if err := s.checkParties(keys, token); err != nil {
		return nil, err
	}
	revoked, known := s.sessions.memory.InView(token.session)
	switch {
	case revoked:
		return nil, tokenError("its session was revoked")
	case !known:
		return nil, uncheckedError("the revoked sessions were not read yet")
	}
	return token, nil
}

// verifyAccessToken checks what never changes about a token, and its times.
func (s *Server) verifyAccessToken(keys *keySet, raw string) (*accessToken, error) {
	token, err := s.openAccessToken(keys, raw)
	if err != nil {
		return nil, err
	}
	return token, s.checkTimes(token)
}

// openAccessToken checks what never changes about a token: that this server issued it.
func (s *Server) openAccessToken(keys *keySet, raw string) (*accessToken, error) {
	typ, claims, err := keys.ring.Verify(raw)
	if err != nil {
		return nil, err
	}
	if !slices.Contains(accessTokenTypes, strings.ToLower(typ)) {
		return nil, tokenError("typ is not that of an access token")
	}
	token, err := parseAccessToken(claims)
	if err != nil {
		return nil, err
	}
	if s.Issuer != "" && token.issuer != s.Issuer {
		return nil, tokenError("iss is not this server's issuer")
	}
	return token, nil
}

// checkTimes holds RFC 7519 §4.1.4 and §4.1.5, with leeway for clocks that differ.
func (s *Server) checkTimes(token *accessToken) error {
	at, leeway := now(), time.Duration(*s.Leeway)
	if !at.Before(token.expires.Add(leeway)) {
		return tokenError("expired")
	}
	if at.Add(leeway).Before(token.notBefore) {
		return tokenError("not yet valid")
	}
	return nil
}

// checkParties holds a token against the users and clients as they are now. A user who was
// renamed since goes by the new name.
func (s *Server) checkParties(keys *keySet, token *accessToken) error {
	user, err := s.tokenUser(keys, token.subject, token.credentialVersion)
	if err != nil {
		return err
	}
	if s.clients.byID(token.clientID) == nil {
		return tokenError("its client is gone")
	}
	// the name may belong to somebody else by now
	if token.username != user.Username {
		name, err := json.Marshal(user.Username)
		if err != nil {
			return tokenError("its user's name cannot be written")
		}
		token.username, token.claims["username"] = user.Username, name
	}
	return nil
}

// tokenUser returns the user to whom a token belongs, who must be there, enabled, and have
// the password with which the session began.
func (s *Server) tokenUser(keys *keySet, subject, version string) (*User, error) {
	user := s.users.bySubject(subject)
	switch {
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

// parseAccessToken reads the claims of RFC 9068 §2.2 and of this module. All that an
// access token of ours has must be there and of its type: somebody who shares an HMAC
// secret with us may have signed anything.
func parseAccessToken(claims []byte) (*accessToken, error) {
	t := new(accessToken)
	var whole map[string]any // finds what is there twice at any depth, which raw claims do not
	if !utf8.Valid(claims) || json.Unmarshal(claims, &whole) != nil ||
		json.Unmarshal(claims, &t.claims) != nil || t.claims == nil {
		return nil, tokenError("its claims are no JSON object, or one is there twice")
	}
	for _, required := range []struct {
		name string
		into *string
	}{
		{"sub", &t.subject},
		{"cid", &t.clientID},
		{"jti", &t.tokenID},
		{"sid", &t.sessionID},
		{"cver", &t.credentialVersion},
		{"username", &t.username},
	} {
		if t.read(required.name, required.into) != nil || *required.into == "" {
			return nil, tokenError(required.name + " is missing or malformed")
		}
	}
	for _, optional := range []struct {
		name string
		into *string
	}{
		{"iss", &t.issuer},
		{"scope", &t.scope},
	} {
		if _, there := t.claims[optional.name]; there && t.read(optional.name, optional.into) != nil {
			return nil, tokenError(optional.name + " is malformed")
		}
	}
	var ok bool
	if t.session, ok = session.ParseID(t.sessionID); !ok {
		return nil, tokenError("sid is missing or malformed")
	}
	if t.scope != "" {
		t.scopes = strings.Split(t.scope, " ")
	}
	return t, t.readDatesAndAudience()
}

func (t *accessToken) readDatesAndAudience() error {
	if err := t.readDate("exp", &t.expires); err != nil {
		return err
	}
	if _, there := t.claims["nbf"]; there {
		if err := t.readDate("nbf", &t.notBefore); err != nil {
			return err
		}
	}
	if _, there := t.claims["aud"]; !there {
		return nil
	}
	if t.read("aud", &t.audience) == nil {
		return nil
	}
	var one string // RFC 7519 §4.1.3: a single audience may be a string
	if t.read("aud", &one) != nil {
		return tokenError("aud is malformed")
	}
	t.audience = []string{one}
	return nil
}

// read decodes a claim. null is none of the types that claims have here.
func (t *accessToken) read(name string, into any) error {
	raw := t.claims[name]
	if raw == nil || string(raw) == "null" {
		return fmt.Errorf("no %s", name)
	}
	return json.Unmarshal(raw, into)
}

// readDate decodes a NumericDate. Ours are whole seconds, and what is none or beyond the
// year 9999 is refused before it can overflow.
func (t *accessToken) readDate(name string, into *time.Time) error {
	var seconds int64
	if t.read(name, &seconds) != nil || seconds < 0 || seconds > maxNumericDate {
		return tokenError(name + " is missing or malformed")
	}
	*into = time.Unix(seconds, 0)
	return nil
}

// tokenError is why a token is refused. It is for the log; outside, all defects are one.
type tokenError string

func (e tokenError) Error() string { return string(e) }

// uncheckedError is why tokens cannot be checked now, which is no fault of theirs.
type uncheckedError string

func (e uncheckedError) Error() string { return string(e) }

// accessTokenTypes are the media types of access tokens, in lower case (RFC 7515 §4.1.9:
// they have no case, and "application/" may be left out).
var accessTokenTypes = []string{"jwt", "at+jwt", "application/at+jwt"}

const maxNumericDate = 253402300799
