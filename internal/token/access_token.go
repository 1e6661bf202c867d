package token

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	// Unlike encoding/json it refuses a duplicate claim, at any depth, and tells "sub"
	// from "SUB".
	strictjson "github.com/go-jose/go-jose/v4/json"

	"github.com/caddygrant/caddy-grant/directory"
	"github.com/caddygrant/caddy-grant/internal/buffer"
	"github.com/caddygrant/caddy-grant/internal/session"
)

// AccessToken is a verified access token: its claims as they were signed. It is shared
// by requests, and never changed once it has been read.
type AccessToken struct {
	AccessClaims
	Session session.ID // of SessionID
	Scopes  []string   // of Scope

	Others map[string]any // claims other than ours, numbers as strictjson.Number
}

// memory is about how many bytes a token of that length takes in memory. Other claims
// can take many times their encoded size.
func (t *AccessToken) memory(length int) int { return 200 + length + MemoryOf(t.Others) }

// MemoryOf is about how many bytes a decoded claim takes in memory, without its text.
func MemoryOf(claim any) int {
	switch claim := claim.(type) {
	case map[string]any:
		if len(claim) == 0 {
			return 50
		}
		size := 350
		for name, member := range claim {
			size += 50 + len(name) + MemoryOf(member)
		}
		return size
	case []any:
		size := 50
		for _, element := range claim {
			size += 20 + MemoryOf(element)
		}
		return size
	}
	return 50 // a string or a number, which is as long as it was encoded
}

// Claim returns a claim by its name, nil or empty if there is none.
func (t *AccessToken) Claim(name string) any {
	switch name {
	case "iss":
		return t.Issuer
	case "sub":
		return t.Subject
	case "aud":
		return t.Audience
	case "exp":
		return t.Expires
	case "nbf":
		return t.NotBefore
	case "iat":
		return t.IssuedAt
	case "jti":
		return t.ID
	case "cid", "client_id": // of which only cid is checked
		return t.CID
	case "scope":
		return t.Scope
	case "username":
		return t.Username
	case "gty":
		return t.GrantType
	case "sid":
		return t.SessionID
	case "cver":
		return t.CredentialVersion
	case "srv":
		return t.Server
	case "sver":
		return t.SessionVersion
	}
	return t.Others[name]
}

// IsClient tells whether a client got the token for itself. Its subject is the client,
// and there is no user.
func (t *AccessToken) IsClient() bool { return t.GrantType != "" }

// OwnClaim returns a claim of the user's own, and whether there is one. What an app that
// shares an HMAC secret with us signed under a reserved name is not the user's.
func (t *AccessToken) OwnClaim(name string) (claim any, there bool) {
	if directory.IsReservedClaim(name) {
		return nil, false
	}
	claim, there = t.Others[name]
	return claim, there
}

// ParseAccessToken reads the claims of RFC 9068 §2.2 and of this module. All claims
// that our access tokens have must be there and have the right type: an app that shares
// an HMAC secret with us may have signed anything.
func ParseAccessToken(payload []byte) (*AccessToken, error) {
	t := new(AccessToken)
	// A payload that is encoded again to the same bytes has every claim once, by its
	// exact name, and no other. That takes a third of the time of reading strictly.
	encoded := buffer.Borrow()
	defer buffer.Return(encoded)
	err := json.Unmarshal(payload, &t.AccessClaims)
	if err == nil {
		err = t.encode(encoded)
	}
	if err != nil || !bytes.Equal(encoded.Bytes(), payload) {
		*t = AccessToken{}
		if err := t.readStrictly(payload); err != nil {
			return nil, err
		}
	}
	for _, required := range []struct{ name, value string }{
		{"sub", t.Subject},
		{"cid", t.CID},
		{"jti", t.ID},
		{"sid", t.SessionID},
		{"cver", t.CredentialVersion},
	} {
		if required.value == "" {
			return nil, Error(required.name + " is missing or malformed")
		}
	}
	if err := t.checkKind(); err != nil {
		return nil, err
	}
	if t.Expires == 0 || !validDate(t.Expires) {
		return nil, Error("exp is missing or malformed")
	}
	for _, date := range []struct {
		name    string
		seconds int64
	}{{"nbf", t.NotBefore}, {"iat", t.IssuedAt}} {
		if !validDate(date.seconds) {
			return nil, Error(date.name + " is missing or malformed")
		}
	}
	if t.SessionVersion < 0 {
		return nil, Error("sver is malformed")
	}
	var ok bool
	if t.Session, ok = session.ParseID(t.SessionID); !ok {
		return nil, Error("sid is missing or malformed")
	}
	if t.Scope != "" {
		t.Scopes = strings.Split(t.Scope, " ")
	}
	if t.IsClient() {
		t.Subject = t.CID
	}
	if t.ClientID == t.CID { // one string is enough for a remembered token
		t.ClientID = t.CID
	}
	if t.Username == t.Subject {
		t.Username = t.Subject
	}
	return t, nil
}

// checkKind tells a user's token, which has the user's name, from one that a client got
// for itself: that has the client as its subject (RFC 9068 §2.2), and no username. What
// is neither, or both, is refused.
func (t *AccessToken) checkKind() error {
	switch {
	case t.GrantType == "" && t.Username == "":
		return Error("username is missing or malformed")
	case t.GrantType == "":
		return nil
	case t.GrantType != ActingClient:
		return Error("gty is malformed")
	case t.Username != "":
		return errClientHasUsername
	case t.Subject != t.CID || t.ClientID != t.CID:
		return Error("sub is malformed")
	}
	return nil
}

// errClientHasUsername is for a token that says that a client got it for itself, and
// has a username all the same.
const errClientHasUsername = Error("username is malformed")

// readStrictly reads claims, some of which may not be ours.
func (t *AccessToken) readStrictly(payload []byte) error {
	var claims map[string]any
	if !utf8.Valid(payload) || DecodeStrictly(payload, &claims) != nil || claims == nil {
		return Error("its claims are not a JSON object, or a claim is duplicated")
	}
	if kind, isClient := claims["gty"]; isClient {
		if kind != ActingClient { // an empty one is not a user's either
			return Error("gty is malformed")
		}
		if _, there := claims["username"]; there {
			return errClientHasUsername
		}
	}
	for _, text := range []struct {
		name     string
		into     *string
		required bool // then ParseAccessToken reports it
	}{
		{"iss", &t.Issuer, false},
		{"sub", &t.Subject, true},
		{"jti", &t.ID, true},
		{"cid", &t.CID, true},
		{"client_id", &t.ClientID, false},
		{"scope", &t.Scope, false},
		{"username", &t.Username, true},
		{"gty", &t.GrantType, false},
		{"sid", &t.SessionID, true},
		{"cver", &t.CredentialVersion, true},
		{"srv", &t.Server, false},
	} {
		claim, there := claims[text.name]
		var ok bool
		if *text.into, ok = claim.(string); there && !ok && !text.required {
			return Error(text.name + " is malformed")
		}
		delete(claims, text.name)
	}
	for _, date := range []struct {
		name string
		into *int64
	}{
		{"exp", &t.Expires},
		{"nbf", &t.NotBefore},
		{"iat", &t.IssuedAt},
	} {
		if claim, there := claims[date.name]; there {
			var ok bool
			if *date.into, ok = numericDate(claim); !ok {
				return Error(date.name + " is missing or malformed")
			}
		}
		delete(claims, date.name)
	}
	if claim, there := claims["aud"]; there {
		var ok bool
		if t.Audience, ok = AudienceClaim(claim); !ok {
			return Error("aud is malformed")
		}
		delete(claims, "aud")
	}
	if claim, there := claims["sver"]; there {
		var ok bool
		if t.SessionVersion, ok = sessionVersion(claim); !ok {
			return Error("sver is malformed")
		}
		delete(claims, "sver")
	}
	t.Others = claims
	return nil
}

// SessionClaims is what the token says of its session. That of a client that acts for
// itself is no user's, also not of one who has its name.
func (t *AccessToken) SessionClaims() session.Claims {
	if t.IsClient() {
		return session.Claims{ID: t.Session, Client: t.CID, Version: t.SessionVersion}
	}
	return session.Claims{ID: t.Session, Subject: t.Subject, Client: t.CID, Version: t.SessionVersion}
}

// DecodeStrictly decodes one JSON value, with its numbers as they are written.
func DecodeStrictly(encoded []byte, into any) error {
	decoder := strictjson.NewDecoder(bytes.NewReader(encoded))
	decoder.SetNumberType(strictjson.UnmarshalJSONNumber)
	if err := decoder.Decode(into); err != nil {
		return err
	}
	if _, err := decoder.Token(); err != io.EOF {
		return errors.New("there is more than one value")
	}
	return nil
}

// numericDate reads a date. Ours are whole seconds.
func numericDate(claim any) (seconds int64, ok bool) {
	number, ok := claim.(strictjson.Number)
	if !ok {
		return 0, false
	}
	seconds, err := strconv.ParseInt(string(number), 10, 64)
	return seconds, err == nil && validDate(seconds)
}

// sessionVersion reads the number of a notice.
func sessionVersion(claim any) (int64, bool) {
	number, ok := claim.(strictjson.Number)
	if !ok {
		return 0, false
	}
	version, err := strconv.ParseInt(string(number), 10, 64)
	return version, err == nil && version >= 0
}

// validDate refuses dates beyond the year 9999, before they can overflow.
func validDate(seconds int64) bool { return seconds >= 0 && seconds <= MaxNumericDate }

// AudienceClaim reads a list, or a single audience, which may be a string (RFC 7519
// §4.1.3).
func AudienceClaim(claim any) ([]string, bool) {
	if one, ok := claim.(string); ok {
		return []string{one}, true
	}
	return StringList(claim)
}

// StringList reads an array of strings.
func StringList(claim any) ([]string, bool) {
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

// Scalar is the text of a claim that is a string, a number or a boolean.
func Scalar(claim any) (string, bool) {
	switch claim := claim.(type) {
	case string:
		return claim, true
	case strictjson.Number:
		return string(claim), true
	case int64:
		return strconv.FormatInt(claim, 10), claim != 0
	case bool:
		return strconv.FormatBool(claim), true
	}
	return "", false
}

// MaxNumericDate is the end of the year 9999, in unix seconds.
const MaxNumericDate = 253402300799
