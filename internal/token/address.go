package token

import "strings"

// IsAddress tells whether the claim at a path is an e-mail address by its name: `email`,
// also as a member of an object or after a namespace, as in `user.email` and
// `https://example.com/email`.
func IsAddress(path string) bool {
	return path[strings.LastIndexAny(path, "./:#")+1:] == "email"
}

// IsVerified tells whether the e-mail address at a path is not said to be unverified
// (OpenID Connect Core §5.1): neither by the claim beside it, of the same name with
// `_verified`, nor by `email_verified`. What is there says so unless it is true.
func IsVerified(claims Claims, path string) bool {
	for _, name := range []string{path + "_verified", "email_verified"} {
		if verified, there := ClaimAt(claims, name); there && !isTrue(verified) {
			return false
		}
	}
	return true
}

// isTrue tells whether a claim is true, or says so in a string, as Cognito writes it.
func isTrue(claim any) bool { return claim == true || claim == "true" }
