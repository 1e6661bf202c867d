package bearer

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/caddygrant/caddy-grant/internal/token"
)

// Demands are what a resource asks of an identity, beside its audience.
type Demands struct {
	Scopes  []string // all of them
	Require []Requirement
}

// Admits tells what is wrong with a valid identity at a resource with these demands and
// audiences, of which the identity must be for one; none: for any.
func (d *Demands) Admits(n Named, audience []string) *Error {
	if len(audience) > 0 && !n.IsFor(audience) {
		return InvalidToken("aud does not name this resource").Of(n)
	}
	if !n.HasScopes(d.Scopes) {
		return InsufficientScope(d.Scopes).Of(n)
	}
	if claim := n.Unmet(d.Require); claim != "" {
		return InsufficientClaim(claim).Of(n)
	}
	return nil
}

// HasScopes tells whether all of these scopes were granted.
func (n Named) HasScopes(scopes []string) bool {
	return !slices.ContainsFunc(scopes, func(scope string) bool { return !n.HasScope(scope) })
}

// Requirement is a claim that must have one of these values.
type Requirement struct {
	Claim  string
	Values []string
}

// Unmet is the claim of the first requirement that is not met, or empty.
func (n Named) Unmet(all []Requirement) string {
	for _, r := range all {
		if !r.isMet(n) {
			return r.Claim
		}
	}
	return ""
}

// isMet tells whether the claim, or an element of it if it is a list, is one of the
// values.
func (r *Requirement) isMet(n Named) bool {
	if r.isOfAddresses() && !token.IsVerified(n.find, r.Claim) {
		return false
	}
	switch claim := n.Lookup(r.Claim).(type) {
	case []any:
		return slices.ContainsFunc(claim, r.accepts)
	case []string:
		return slices.ContainsFunc(claim, r.acceptsText)
	default:
		return r.accepts(claim)
	}
}

// isOfAddresses tells whether the claim has e-mail addresses.
func (r *Requirement) isOfAddresses() bool {
	return token.IsAddress(r.Claim) || slices.ContainsFunc(r.Values, IsDomain)
}

// IsDomain tells whether a value of a requirement stands for all e-mail addresses of a
// domain.
func IsDomain(value string) bool { return strings.HasPrefix(value, anyAddress) }

// MayBeginAddress tells whether a name with a prefix can be an e-mail address of a domain.
func MayBeginAddress(prefix string) bool { return !strings.ContainsFunc(prefix, isSpecial) }

// accepts compares one value of a claim.
func (r *Requirement) accepts(value any) bool {
	if text, ok := value.(string); ok {
		return r.acceptsText(text)
	}
	text, ok := token.Scalar(value)
	return ok && text != "" && slices.Contains(r.Values, text)
}

// acceptsText compares a string, which can also be an e-mail address of a domain.
func (r *Requirement) acceptsText(text string) bool {
	return text != "" && slices.ContainsFunc(r.Values, func(wanted string) bool {
		return text == wanted || isAddressOf(text, wanted)
	})
}

// isAddressOf tells whether an e-mail address belongs to the domain of `*@domain`. A list,
// an address with a name, and one with a second @ are of no domain: programs do not agree
// which part of them counts.
func isAddressOf(address, wanted string) bool {
	domain, ok := strings.CutPrefix(wanted, anyAddress)
	if !ok {
		return false
	}
	local, of, ok := strings.Cut(address, "@")
	return ok && local != "" && !strings.ContainsFunc(local, isSpecial) && len(of) == len(domain) && strings.EqualFold(of, domain) // of equal length, else other letters fold to ASCII
}

// isSpecial tells whether a character is none of an address without quotes (RFC 5322
// §3.2.3, RFC 6532 §3.2).
func isSpecial(c rune) bool {
	return unicode.IsSpace(c) || unicode.IsControl(c) || strings.ContainsRune(`()<>[]:;@\\,"`, c)
}

// Lookup is the claim at a path as the app may get it, see [token.ClaimAt].
func (n Named) Lookup(path string) any {
	claim, _ := token.ClaimAt(n.find, path)
	return claim
}

// find is Claim, and tells whether there is one, which may be null.
func (n Named) find(name string) (claim any, there bool) {
	if claim = n.Claim(name); claim != nil {
		return claim, true
	}
	_, there = n.OwnClaim(name)
	return nil, there
}

// ValidateRequirement checks a rule on a claim.
func ValidateRequirement(claim string, values []string) error {
	if claim == "" {
		return errors.New("require: it has no claim: write a claim and its values, such as \"require groups staff\"")
	}
	if err := token.CheckClaimName(claim); err != nil {
		return fmt.Errorf("require: %w", err)
	}
	if len(values) == 0 {
		return fmt.Errorf("require %s: it has no values: write those of which the claim must have one, such as \"require groups staff\"", claim)
	}
	for i, value := range values {
		switch domain, isDomain := strings.CutPrefix(value, anyAddress); {
		case value == "":
			return fmt.Errorf("require %s: a value is empty", claim)
		case isDomain && (domain == "" || strings.ContainsAny(domain, "@*")):
			return fmt.Errorf("require %s: %q: a domain is written *@example.com", claim, value)
		case !isDomain && strings.Contains(value, "*"):
			return fmt.Errorf("require %s: %q: values are compared as they are; only *@example.com stands for all addresses of a domain", claim, value)
		case slices.Contains(values[:i], value):
			return fmt.Errorf("require %s: duplicate value %q", claim, value)
		}
	}
	return nil
}

// anyAddress begins a value that stands for all e-mail addresses of a domain.
const anyAddress = "*@"
