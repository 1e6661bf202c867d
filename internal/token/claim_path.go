package token

import "strings"

// ClaimAt finds a claim by a path, nil if there is none. The exact name goes before
// dots for nesting, since Auth0's names are URLs: `realm_access.roles` is the claim of
// that name, else the member `roles` of the claim `realm_access`. claim returns a claim
// by its exact name.
func ClaimAt(claim func(name string) any, path string) any {
	if found := claim(path); !isNothing(found) {
		return found
	}
	for end := strings.LastIndexByte(path, '.'); end >= 0; end = strings.LastIndexByte(path[:end], '.') {
		object, ok := claim(path[:end]).(map[string]any)
		if !ok {
			continue
		}
		member := func(name string) any { return object[name] }
		if found := ClaimAt(member, path[end+1:]); !isNothing(found) {
			return found
		}
	}
	return nil
}

// isNothing tells whether Claim found nothing.
func isNothing(claim any) bool {
	switch claim := claim.(type) {
	case nil:
		return true
	case string:
		return claim == ""
	case []string:
		return len(claim) == 0
	case int64:
		return claim == 0
	}
	return false
}
