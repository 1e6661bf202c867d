package oauth

// Grant types of RFC 6749 §4.3.2 and §6.
const (
	GrantTypePassword     = "password"
	GrantTypeRefreshToken = "refresh_token"
)
