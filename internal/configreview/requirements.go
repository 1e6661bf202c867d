package configreview

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/caddygrant/caddy-grant/directory"
	"github.com/caddygrant/caddy-grant/internal/token"
)

// ofRequirements is about values of require that no token has, as they are written.
func (r *review) ofRequirements(c *check) {
	if c.Off {
		return
	}
	prefixes := r.prefixesOf(c)
	for i, required := range c.Require {
		at := r.ofCheckSetting(c, "require/"+strconv.Itoa(i), func(n *node) *node { return n.nth("require", i) })
		for _, value := range required.Values {
			value = resolved(value)
			shown := directory.Shown(value)
			switch {
			case token.IsAddress(required.Claim) && strings.HasPrefix(value, "@"):
				r.at(at, "unmeetable-claim", fmt.Sprintf("bearer_auth requires %s to be %s, and no e-mail address is", required.Claim, shown),
					fmt.Sprintf("write %s for all addresses of that domain", directory.Shown("*"+value)))
			case slices.Contains(prefixed, required.Claim) && prefixes != nil && !strings.HasPrefix(value, "*@") && !beginsWithOne(value, prefixes):
				r.at(at, "unmeetable-claim", fmt.Sprintf("bearer_auth requires %s to be %s, and here that always begins with the prefix of an issuer, %s", required.Claim, shown, shownPrefixes(prefixes)),
					"write the prefix before the name, or require another claim")
			case strings.Contains(value, ",") && !strings.ContainsAny(value, "= "): // those are names of LDAP, and of people
				r.at(at, "value-with-comma", fmt.Sprintf("bearer_auth requires %s to be %s, with a comma in it: values are separated by spaces", required.Claim, shown), "")
			}
		}
	}
}

// prefixesOf are those of names where all names have one, nil elsewhere. Clients with
// names of their own have two.
func (r *review) prefixesOf(c *check) (prefixes []string) {
	if !c.IssuersOnly || c.Clients != nil && !isNone(c.Clients.UsernamePrefix) {
		return nil
	}
	for _, issuer := range c.Issuers {
		defined := r.definition(issuer)
		switch {
		case defined == nil:
			return nil // which is an error
		case defined.UsernamePrefix == nil:
			prefixes = append(prefixes, resolved(defined.Issuer)+"#")
		case isNone(*defined.UsernamePrefix):
			return nil
		default:
			prefixes = append(prefixes, resolved(*defined.UsernamePrefix))
		}
	}
	return prefixes
}

// definition is the issuer where it has a block, and so an audience, or nil.
func (r *review) definition(issuer outsideIssuer) *outsideIssuer {
	if issuer.Audience != nil {
		return &issuer
	}
	for _, c := range r.config.checks {
		for i := range c.Issuers {
			if other := &c.Issuers[i]; other.Audience != nil && resolved(other.Issuer) == resolved(issuer.Issuer) {
				return other
			}
		}
	}
	return nil
}

// isNone tells whether a prefix says that there is none.
func isNone(prefix string) bool { return prefix == "" || resolved(prefix) == "-" }

func shownPrefixes(prefixes []string) string {
	shown := make([]string, len(prefixes))
	for i, prefix := range prefixes {
		shown[i] = directory.Shown(prefix)
	}
	return strings.Join(shown, " or ")
}

func beginsWithOne(value string, prefixes []string) bool {
	return slices.ContainsFunc(prefixes, func(prefix string) bool { return strings.HasPrefix(value, prefix) })
}

// prefixed are the claims that have the prefix of their issuer.
var prefixed = []string{"sub", "username", "client_id", "cid"}
