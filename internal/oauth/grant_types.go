package oauth

import (
	"fmt"
	"slices"
	"strings"

	"github.com/caddygrant/caddy-grant/internal/suggestion"
)

// Grant types of RFC 6749 §4.3.2, §6 and §4.4.2.
const (
	GrantTypePassword          = "password"
	GrantTypeRefreshToken      = "refresh_token"
	GrantTypeClientCredentials = "client_credentials"
)

// ValidateGrantTypes checks a list of the setting grants against what is offered. An
// empty list means none.
func ValidateGrantTypes(grants, offered []string) error {
	for i, grantType := range grants {
		if !slices.Contains(offered, grantType) {
			if meant := suggestion.Nearest(grantType, offered); meant != "" {
				return fmt.Errorf("grants: no such grant type %q: did you mean %s?", grantType, meant)
			}
			return fmt.Errorf("grants: no such grant type %q: there are %s", grantType, enumerate(offered))
		}
		if slices.Contains(grants[:i], grantType) {
			return fmt.Errorf("grants: duplicate grant type %s", grantType)
		}
	}
	return nil
}

// enumerate is "a", "a and b", or "a, b and c".
func enumerate(names []string) string {
	if len(names) < 2 {
		return strings.Join(names, "")
	}
	last := len(names) - 1
	return strings.Join(names[:last], ", ") + " and " + names[last]
}
