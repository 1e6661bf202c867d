package caddygrant

import (
	"bytes"
	"errors"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	// Unlike encoding/json it refuses a claim that is there twice, at any depth, and tells "sub" from "SUB".
	strictjson "github.com/go-jose/go-jose/v4/json"

	"github.com/caddygrant/caddy-grant/internal/session"
)

// accessToken is a verified access token: its claims as they were signed. It is shared by
// requests, and never changed once it was read.
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

	claims map[string]any // all of them, numbers as strictjson.Number
	own    []textClaim    // the user's own, as far as they are text
}

// textClaim is a claim that is a string, a number or a boolean.
type textClaim struct{ name, text string }

// of is the token with its user's name as it is now: the one with which the user logged in
// may belong to somebody else since.
func (t *accessToken) of(user *User) *accessToken {
	if t.username == user.Username {
		return t
	}
	renamed := *t
	renamed.username = user.Username
	renamed.claims = maps.Clone(t.claims)
	renamed.claims["username"] = user.Username
	return &renamed
}

// parseAccessToken reads the claims of RFC 9068 §2.2 and of this module. All that an
// access token of ours has must be there and of its type: somebody who shares an HMAC
// secret with us may have signed anything.
func parseAccessToken(payload []byte) (*accessToken, error) {
	t := new(accessToken)
	if !utf8.Valid(payload) || decodeStrictly(payload, &t.claims) != nil || t.claims == nil {
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
		if *required.into, _ = t.claims[required.name].(string); *required.into == "" {
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
		claim, there := t.claims[optional.name]
		if text, ok := claim.(string); there && !ok {
			return nil, tokenError(optional.name + " is malformed")
		} else {
			*optional.into = text
		}
	}
	var ok bool
	if t.session, ok = session.ParseID(t.sessionID); !ok {
		return nil, tokenError("sid is missing or malformed")
	}
	if t.scope != "" {
		t.scopes = strings.Split(t.scope, " ")
	}
	for name, claim := range t.claims {
		if text, ok := scalar(claim); ok && !slices.Contains(reservedClaims, name) {
			t.own = append(t.own, textClaim{name, text})
		}
	}
	return t, t.readDatesAndAudience()
}

// decodeStrictly decodes one JSON value, with its numbers as they are written.
func decodeStrictly(encoded []byte, into any) error {
	decoder := strictjson.NewDecoder(bytes.NewReader(encoded))
	decoder.UseNumber()
	if err := decoder.Decode(into); err != nil {
		return err
	}
	if _, err := decoder.Token(); err != io.EOF {
		return errors.New("there is more than one value")
	}
	return nil
}

func (t *accessToken) readDatesAndAudience() error {
	var ok bool
	if t.expires, ok = numericDate(t.claims["exp"]); !ok {
		return tokenError("exp is missing or malformed")
	}
	if claim, there := t.claims["nbf"]; there {
		if t.notBefore, ok = numericDate(claim); !ok {
			return tokenError("nbf is missing or malformed")
		}
	}
	if claim, there := t.claims["aud"]; there {
		if t.audience, ok = audienceClaim(claim); !ok {
			return tokenError("aud is malformed")
		}
	}
	return nil
}

// numericDate reads a date. Ours are whole seconds, and what is none or beyond the year
// 9999 is refused before it can overflow.
func numericDate(claim any) (time.Time, bool) {
	number, ok := claim.(strictjson.Number)
	if !ok {
		return time.Time{}, false
	}
	seconds, err := strconv.ParseInt(string(number), 10, 64)
	if err != nil || seconds < 0 || seconds > maxNumericDate {
		return time.Time{}, false
	}
	return time.Unix(seconds, 0), true
}

// audienceClaim reads a list, or a single audience, which may be a string (RFC 7519 §4.1.3).
func audienceClaim(claim any) ([]string, bool) {
	if one, ok := claim.(string); ok {
		return []string{one}, true
	}
	return stringList(claim)
}

// stringList reads an array of strings.
func stringList(claim any) ([]string, bool) {
	values, ok := claim.([]any)
	if !ok {
		return nil, false
	}
	list := make([]string, len(values))
	for i, value := range values {
		if list[i], ok = value.(string); !ok {
			return nil, false
		}
	}
	return list, true
}

// scalar is the text of a claim that is a string, a number or a boolean.
func scalar(claim any) (string, bool) {
	switch claim := claim.(type) {
	case string:
		return claim, true
	case strictjson.Number:
		return string(claim), true
	case bool:
		return strconv.FormatBool(claim), true
	}
	return "", false
}

const maxNumericDate = 253402300799
