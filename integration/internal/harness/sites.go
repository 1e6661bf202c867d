package harness

import (
	"strings"
	"testing"
)

// BasicSite has two clients and two users.
const BasicSite = `http://127.0.0.1:%PORT% {
	log
	token_endpoint {
		scopes read write admin
		client web {
			secret web-secret
			scopes read write
		}
		client cli {
			public
		}
		user alice ` + HashBcrypt + `
		user bob ` + HashArgon2id + ` {
			id     u-2
			scopes read
			claim  email bob@example.com
		}
	}
	respond "the app"
}
`

// WebSite is a site whose endpoint has the client of [Site.Login] and the given lines.
func WebSite(lines string) string {
	return `http://127.0.0.1:%PORT% {
	token_endpoint {
		client web {
			secret web-secret
			scopes read write
		}
		` + lines + `
	}
	respond "the app"
}
`
}

// StartCheap serves the sites with hashes that are quick to check: most tests are about
// something else, and the race detector makes the real ones slow.
func StartCheap(t *testing.T, sites string) *Site {
	t.Helper()
	return Start(t, WithCheapHashes(t, sites))
}

// WithCheapHashes replaces the costly hashes of the sites by cheap ones.
func WithCheapHashes(t *testing.T, sites string) string {
	t.Helper()
	hash := CheapHash(t, "correct horse")
	return strings.NewReplacer(HashBcrypt, hash, HashArgon2id, hash).Replace(sites)
}

// EdgeSite is an app behind the edge; the server's HS256 secret is one that the app has
// as well, so tests can sign what an app could.
const EdgeSite = `http://127.0.0.1:%PORT% {
	log
	token_endpoint {
		issuer      https://api.example.com
		signing_key HS256 ` + SharedSecret + `
		client web {
			secret web-secret
			scopes read write
		}
		user alice ` + HashCheap + ` {
			claim email alice@example.com
		}
		user bob ` + HashCheapAnother + ` {
			id u-2
		}
	}
	bearer_auth {
		copy_claims sub>X-User
	}
	bearer_auth /write* {
		scopes read write
	}
	respond /who "{http.auth.user.id}|{http.auth.user.username}|{http.auth.user.client_id}|{http.auth.user.scope}|{http.auth.user.email}"
	reverse_proxy %APP%
}
`
