package configcheck

import (
	"slices"

	"go.uber.org/zap"
)

// ofIssuers is about names by which an app takes the users of several issuers for one
// another. The claims sub and username have the prefix of the issuer; what the issuers
// themselves call an e-mail address or a display name has none.
func (w *warnings) ofIssuers(c *Check, p placement) {
	issuers := c.Issuers
	if !c.IssuersOnly {
		issuers++
	}
	if c.Issuers == 0 || issuers < 2 {
		return
	}
	for _, claim := range c.Claims {
		if !slices.Contains(unprefixed, claim.Name) {
			continue
		}
		w.warn("copy_claims gives the app a name that users of several issuers can have alike", p.where()+", "+claim.Name,
			"an app that knows its users by it takes a user of one issuer for a user of another: give it sub or username, which have the prefix of the issuer, or let it use "+claim.Header+" for display only and then copy iss too",
			zap.String("claim", claim.Name), zap.String("header", claim.Header))
	}
}

// unprefixed are claims that apps know users by, as the issuers write them (OpenID
// Connect Core §5.7, and those of Entra and AD FS).
var unprefixed = []string{"email", "preferred_username", "upn", "unique_name"}
