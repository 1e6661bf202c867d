package issuer

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	strictjson "github.com/go-jose/go-jose/v4/json"

	"github.com/caddygrant/caddy-grant/directory"
	"github.com/caddygrant/caddy-grant/internal/compact"
	"github.com/caddygrant/caddy-grant/internal/oauth"
	"github.com/caddygrant/caddy-grant/internal/token"
)

// Token is a verified token of an outside issuer. It is shared by requests, and never
// changed once it has been read.
type Token struct {
	issuer    string
	subject   string // with the prefix, as are the next two
	username  string // empty if it is a client's
	clientID  string // empty if the token does not say
	isClient  bool
	audience  []string
	scopes    []string
	scope     string // all of scopes
	expires   int64  // unix seconds, as are the next two
	notBefore int64  // 0 if the token does not say
	issuedAt  int64  // 0 if the token does not say

	claims map[string]any // all, as they were signed; numbers as strictjson.Number
}

// IsClient tells whether it is a client's that acts for itself, and not a user's.
func (t *Token) IsClient() bool { return t.isClient }

// HasScope tells whether it has a scope.
func (t *Token) HasScope(scope string) bool { return slices.Contains(t.scopes, scope) }

// IsFor tells whether it names one of these audiences.
func (t *Token) IsFor(audience []string) bool {
	return slices.ContainsFunc(t.audience, func(a string) bool { return slices.Contains(audience, a) })
}

// Claim returns a claim by its name, nil or empty if there is none. Names of users and
// clients have the issuer's prefix: `sub`, `username` (which is the claim that is
// mapped to it) and `client_id`. `aud` is the claim that the settings name, in a list;
// `scope` is joined by spaces. There is no `key_name`. All other claims are as they were
// signed.
func (t *Token) Claim(name string) any {
	switch name {
	case "iss":
		return t.issuer
	case "sub":
		return t.subject
	case "username":
		return t.username
	case "cid", "client_id":
		return t.clientID
	case "aud":
		return t.audience
	case "scope":
		return t.scope
	case "exp":
		return t.expires
	case "nbf":
		return t.notBefore
	case "iat":
		return t.issuedAt
	case "email_verified": // null does not say that an address is verified
		if verified, there := t.claims[name]; there && verified == nil {
			return false
		}
	case "jti", "sid":
		text, _ := t.claims[name].(string)
		return text
	case "key_name": // names an API key of this server
		return nil
	}
	return t.claims[name]
}

// OwnClaim returns a claim that is neither registered nor ours, and whether there is one.
func (t *Token) OwnClaim(name string) (claim any, there bool) {
	if directory.IsReservedClaim(name) {
		return nil, false
	}
	return t.signed(name)
}

// signed is a claim as it was signed.
func (t *Token) signed(name string) (claim any, there bool) {
	claim, there = t.claims[name]
	return claim, there
}

// memory is about how many bytes a token of that length takes in memory.
func (t *Token) memory(length int) int { return 400 + length + token.MemoryOf(t.claims) }

// read reads the claims of a token whose signature is verified.
func (i *Issuer) read(h *compact.Header, payload []byte) (*Token, error) {
	var claims map[string]any
	if !utf8.Valid(payload) || token.DecodeStrictly(payload, &claims) != nil || claims == nil {
		return nil, errClaims
	}
	t := &Token{issuer: i.settings.URL, claims: claims}
	if claims["iss"] != t.issuer {
		return nil, token.Error("iss is not the issuer whose keys verify it")
	}
	if err := checkKind(claims, i.settings.IDTokens); err != nil {
		return nil, err
	}
	if err := t.readDates(); err != nil {
		return nil, err
	}
	subject, ok := claims["sub"].(string)
	if !ok || !isName(subject) {
		return nil, token.Error("sub is missing or malformed")
	}
	t.subject = i.settings.UsernamePrefix + subject
	if ok := t.readAudience(i.settings.AudienceClaim); !ok {
		return nil, token.Error("its audience is missing or malformed")
	}
	if !t.IsFor(i.settings.Audience) {
		return nil, token.Error("it is for another audience")
	}
	if !t.readScope(i.settings.ScopeClaim) {
		return nil, token.Error("its scope is malformed")
	}
	if err := t.readClient(i.settings.UsernamePrefix); err != nil {
		return nil, err
	}
	if isAccessToken(h) {
		if err := t.checkProfile(); err != nil {
			return nil, err
		}
	}
	if t.isClient {
		return t, nil
	}
	username, err := t.readUsername(i.settings.UsernameClaim)
	t.username = i.settings.UsernamePrefix + username
	return t, err
}

// readDates reads the dates of RFC 7519 §4.1.4 to §4.1.6.
func (t *Token) readDates() error {
	for _, date := range []struct {
		name string
		into *int64
	}{
		{"exp", &t.expires},
		{"nbf", &t.notBefore},
		{"iat", &t.issuedAt},
	} {
		if claim, there := t.claims[date.name]; there {
			var ok bool
			if *date.into, ok = numericDate(claim); !ok {
				return token.Error(date.name + " is missing or malformed")
			}
		}
	}
	if t.expires == 0 {
		return token.Error("exp is missing or malformed")
	}
	return nil
}

// numericDate reads a date (RFC 7519 §2), which may have a fraction.
func numericDate(claim any) (seconds int64, ok bool) {
	number, ok := claim.(strictjson.Number)
	if !ok {
		return 0, false
	}
	value, err := strconv.ParseFloat(string(number), 64)
	if err != nil || !(value >= 0 && value <= token.MaxNumericDate) {
		return 0, false
	}
	return int64(math.Floor(value)), true
}

// readAudience reads the claim that says whom the token is for: a string, or a list of
// them.
func (t *Token) readAudience(path string) bool {
	var ok bool
	t.audience, ok = token.AudienceClaim(t.at(path))
	return ok && len(t.audience) > 0
}

// readScope reads the scopes, from a string in which spaces separate them or from a
// list. What cannot be a scope is left out, since no setting could ask for it: a group's
// name with a space in it, for example.
func (t *Token) readScope(path string) bool {
	claim := t.at(path)
	if path == "" {
		if claim = t.claims["scope"]; claim == nil {
			claim = t.claims["scp"]
		}
	}
	var listed []string
	switch claim := claim.(type) {
	case nil:
		return true
	case string:
		listed = strings.Split(claim, " ")
	default:
		var ok bool
		if listed, ok = token.StringList(claim); !ok {
			return false
		}
	}
	seen := make(map[string]bool, len(listed))
	for _, scope := range listed {
		parsed, ok := oauth.ParseScope(scope)
		if ok && len(parsed) == 1 && parsed[0] == scope && !seen[scope] {
			seen[scope] = true
			t.scopes = append(t.scopes, scope)
		}
	}
	t.scope = strings.Join(t.scopes, " ")
	return true
}

// readUsername reads the claim that names the user. An e-mail address names its owner
// only if the issuer has verified it (OpenID Connect Core §5.7).
func (t *Token) readUsername(path string) (string, error) {
	username, ok := t.at(path).(string)
	if !ok || !isName(username) {
		return "", token.Error("the claim that names its user is missing or malformed")
	}
	if token.IsAddress(path) && !token.IsVerified(t.signed, path) {
		return "", token.Error("the e-mail address of its user is not verified")
	}
	return username, nil
}

// at returns a claim by a path, nil if there is none.
func (t *Token) at(path string) any {
	claim, _ := token.ClaimAt(t.signed, path)
	return claim
}

// isName tells whether a text can name a user or a client. U+FFFD is what the decoder
// makes of all that is not Unicode, so that two names could become the same.
func isName(text string) bool { return text != "" && isPrintable(text) }

// isPrintable tells whether a text has no control characters.
func isPrintable(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool {
		return unicode.IsControl(r) || r == utf8.RuneError || r == '\u2028' || r == '\u2029'
	})
}
