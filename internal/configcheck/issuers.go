package configcheck

import (
	"slices"

	"go.uber.org/zap"
)

// ofOutsideAudience is about an audience that an outside issuer, which another check
// defines, has to have there.
func (w *warnings) ofOutsideAudience(c *Check, p placement) {
	if c.Audience == nil || c.Referenced == 0 {
		return
	}
	w.warn("an audience is not asked of the tokens of an outside issuer", p.where(),
		"audience is about tokens and keys of the token_endpoint, and an issuer without a block has the audience of the bearer_auth that defines it: give it a block here, with the audience that its tokens need here")
}

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
