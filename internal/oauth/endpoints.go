package oauth

// Endpoints of a server, as metrics and the log name them.
const (
	EndpointToken      = "token"
	EndpointRevoke     = "revoke"
	EndpointIntrospect = "introspect"
	EndpointJWKS       = "jwks"
	EndpointMetadata   = "metadata"
	EndpointLogin      = "login"
	EndpointLogout     = "logout"
	EndpointNone       = "none" // no endpoint at this path
)
