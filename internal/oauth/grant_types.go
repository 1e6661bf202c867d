package oauth

import (
	"fmt"
	"slices"
	"strings"
)

// Grant types of RFC 6749 §4.3.2 and §6.
const (
	GrantTypePassword     = "password"
	GrantTypeRefreshToken = "refresh_token"
)

// ValidateGrantTypes checks a list of the setting grants against what is offered. An
// empty list means none.
func ValidateGrantTypes(grants, offered []string) error {
	for i, grantType := range grants {
		if !slices.Contains(offered, grantType) {
			return fmt.Errorf("grants: %q is not offered here, only %s are", grantType, strings.Join(offered, " and "))
		}
		if slices.Contains(grants[:i], grantType) {
			return fmt.Errorf("grants: duplicate grant type %s", grantType)
		}
	}
	return nil
}
