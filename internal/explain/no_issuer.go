package explain

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/caddygrant/caddy-grant/internal/adminapi"
	"github.com/caddygrant/caddy-grant/internal/apikey"
	"github.com/caddygrant/caddy-grant/internal/issuer"
	"github.com/caddygrant/caddy-grant/internal/token"
)

// OfNoIssuer explains why none of the outside issuers that a config takes judges a token:
// it cannot be read, or names another issuer. alone is without a token_endpoint in the
// config. ok is false if it is for one of them, or for a token_endpoint, to explain it.
func OfNoIssuer(raw string, issuers []string, alone bool) (x adminapi.Explanation, ok bool) {
	claimed, _ := issuer.ClaimedIssuer(raw) // why it cannot be read is said below
	d := Decode(raw)
	switch {
	case len(issuers) == 0, slices.Contains(issuers, claimed):
		return x, false
	case !alone && !slices.Contains(issuers, d.text("iss")):
		return x, false
	}
	x = adminapi.Explanation{Kind: kindUnknown, Checks: []adminapi.CheckResult{}}
	if apikey.LooksLike(raw) {
		x.Kind = kindAPIKey
		return withCheck(x, adminapi.CheckResult{
			Check: checkFormat, Found: "it is an API key, and the config has no token_endpoint, which has their files",
			Remedy: "send it to an app behind a Caddy that has the key, or send a token of an issuer that the config takes",
		}), true
	}
	if found, remedy := d.unreadable(raw); found != "" {
		return withCheck(x, adminapi.CheckResult{Check: checkFormat, Found: found, Remedy: remedy}), true
	}
	x = withCheck(x, adminapi.CheckResult{Check: checkFormat, Passed: true, Found: "it is a signed token (JWT)"})
	if claimed == "" {
		if found := d.malformed(); found != "" {
			return withCheck(x, adminapi.CheckResult{Check: checkClaims, Found: found, Remedy: strangeToken}), true
		}
		return withCheck(x, adminapi.CheckResult{
			Check: checkIssuer, Found: "it has no iss that is a text; the config takes: " + list(issuers),
			Remedy: "ask who runs the issuer for tokens with iss, or get a token from " + oneOf(issuers),
		}), true
	}
	return withCheck(x, adminapi.CheckResult{
		Check: checkIssuer, Found: "iss is " + shown(claimed) + "; the config takes: " + list(issuers), Remedy: otherIssuer(claimed, issuers),
	}), true
}

// unreadable says why a token is not looked at, if it is not.
func (d Decoded) unreadable(raw string) (found, remedy string) {
	switch {
	case len(raw) > issuer.MaxTokenLength:
		return fmt.Sprintf("it has %d bytes, and the maximum is %d", len(raw), issuer.MaxTokenLength),
			issuerRefusals["it is longer than 16 KiB, the maximum for a token of an outside issuer"].remedy
	case d.isUnsigned():
		return notAToken(&facts{decoded: d}), neverUnsigned
	case d.isEncrypted():
		return notAToken(&facts{decoded: d}), "have the issuer sign its access tokens and not encrypt them"
	case d.Header == nil, d.isCut, !strings.Contains(raw, "."+base64.RawURLEncoding.EncodeToString(d.payload)+"."): // one spelling only
		return notAToken(&facts{decoded: d}), issuerRefusals["not a signed token in compact form"].remedy
	}
	return "", ""
}

// malformed says what is wrong with the claims, if anything is.
func (d Decoded) malformed() string {
	if !utf8.Valid(d.payload) {
		return "its claims are not UTF-8"
	}
	var claims map[string]any
	if token.DecodeStrictly(d.payload, &claims) != nil || claims == nil {
		return "its claims are not a JSON object, or a claim appears twice"
	}
	return ""
}

// otherIssuer is what to do about a token of an issuer that the config does not take.
func otherIssuer(claimed string, taken []string) string {
	if slices.ContainsFunc(taken, func(one string) bool { return strings.TrimSuffix(one, "/") == strings.TrimSuffix(claimed, "/") }) {
		return "write the issuer in the config byte for byte as iss has it: a / at the end makes a difference"
	}
	return "get a token from an issuer that the config takes, or add this one to a bearer_auth if its tokens may pass"
}
