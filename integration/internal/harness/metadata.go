package harness

// MetadataSite is a site with an endpoint that has these lines more, and an app after
// it.
func MetadataSite(lines string) string {
	return `http://127.0.0.1:%PORT% {
	token_endpoint {
		user alice ` + HashBcrypt + `
		` + lines + `
	}
	reverse_proxy %APP%
}
`
}

// WellKnown is the path of the metadata (RFC 8414).
const WellKnown = "/.well-known/oauth-authorization-server"

// Clients of the sites here.
const (
	SecretClient = "client web {\n\t\t\tsecret web-secret\n\t\t}"
	PublicClient = "client cli {\n\t\t\tpublic\n\t\t}"
)
