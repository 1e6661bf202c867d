package token

import (
	"fmt"
	"strings"
)

// Claims returns a claim by its exact name. there tells whether there is one, which may
// be empty or null.
type Claims func(name string) (claim any, there bool)

// ClaimAt finds a claim by a path. The exact name goes before dots for nesting, since
// Auth0's names are URLs: `realm_access.roles` is the claim of that name, also if it is
// empty or null, else the member `roles` of the claim `realm_access`.
func ClaimAt(claims Claims, path string) (claim any, there bool) {
	if claim, there = claims(path); there {
		return claim, true
	}
	for end := strings.LastIndexByte(path, '.'); end >= 0; end = strings.LastIndexByte(path[:end], '.') {
		above, _ := claims(path[:end])
		object, ok := above.(map[string]any)
		if !ok {
			continue
		}
		members := func(name string) (any, bool) { member, there := object[name]; return member, there }
		if claim, there = ClaimAt(members, path[end+1:]); there {
			return claim, true
		}
	}
	return nil, false
}

// CheckClaimName refuses a placeholder in the name of a claim, where none is replaced.
func CheckClaimName(name string) error {
	if _, after, found := strings.Cut(name, "{"); found && strings.Contains(after, "}") {
		return fmt.Errorf("%q: placeholders are not replaced in the name of a claim; in a Caddyfile {$NAME} is, while it is read", name)
	}
	return nil
}
