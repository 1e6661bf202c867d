package issuer

import (
	"strings"

	"github.com/caddygrant/caddy-grant/internal/token"
)

// checkKind refuses what an issuer signs with the same keys, but not as access tokens.
func checkKind(claims map[string]any, idTokens bool) error {
	if _, there := claims["cnf"]; there {
		return token.Error("it is bound to a key (cnf), so it is not a Bearer token")
	}
	if _, there := claims["events"]; there {
		return token.Error("it is a logout token or a security event (events)")
	}
	isID := false
	for _, name := range idTokenClaims {
		_, there := claims[name]
		isID = isID || there && !(name == "nonce" && claims["typ"] == "Bearer") // Keycloak's access tokens, before 25
	}
	if claim, there := claims["typ"]; there { // Keycloak's
		kind, ok := claim.(string)
		switch strings.ToLower(kind) {
		case "id":
			isID = true
		case "refresh", "offline", "logout":
			return token.Error("it is a refresh token or a logout token (typ); send the access token")
		}
		if !ok {
			return token.Error("the claim typ is malformed")
		}
	}
	if use, there := claims["token_use"]; there { // Cognito's
		switch use {
		case "access":
		case "id":
			isID = true
		default:
			return token.Error("its token_use is neither access nor id")
		}
	}
	if isID && !idTokens {
		return token.Error("it is an ID token; send the access token")
	}
	return nil
}

// idTokenClaims are claims that only ID tokens have (OpenID Connect Core §2 and
// §3.3.2.11, and FAPI).
var idTokenClaims = []string{"nonce", "at_hash", "c_hash", "s_hash"}

// checkProfile enforces RFC 9068 §2.2 where `typ` of the header promises it. The other
// claims that it requires are required of all tokens.
func (t *Token) checkProfile() error {
	for _, name := range []string{"client_id", "jti"} {
		if text, ok := t.claims[name].(string); !ok || text == "" {
			return token.Error(name + " is missing or malformed, and typ is at+jwt")
		}
	}
	if _, there := t.claims["iat"]; !there {
		return token.Error("iat is missing or malformed, and typ is at+jwt")
	}
	if audience, ok := token.AudienceClaim(t.claims["aud"]); !ok || len(audience) == 0 {
		return token.Error("aud is missing or malformed, and typ is at+jwt")
	}
	return nil
}

// readClient reads which client the token was issued to, and whether the client acts
// for itself.
func (t *Token) readClient(prefix string) error {
	clientID, isClient := "", false
	for _, name := range clientClaims {
		claim, there := t.claims[name]
		if !there {
			continue
		}
		id, ok := claim.(string)
		if !ok || !isName(id) {
			return token.Error(name + " is malformed")
		}
		if clientID == "" {
			clientID = id
		}
		isClient = isClient || id == t.claims["sub"] // RFC 9068 §2.2
	}
	if t.isOfAuth0Client(clientID) || t.isOfEntraApp(clientID) || t.isOfKeycloakClient() {
		isClient = true
	}
	if name, ok := t.claims["preferred_username"].(string); ok && hasPrefixFold(name, serviceAccount) { // Keycloak's
		// A user who was let choose that name must not be taken for the client.
		if !strings.EqualFold(name, serviceAccount+clientID) {
			return token.Error("its preferred_username is that of the service account of another client")
		}
		isClient = true
	}
	if isClient && clientID == "" {
		return token.Error("it is a client's, and does not say which")
	}
	if clientID != "" {
		t.clientID = prefix + clientID
	}
	t.isClient = isClient
	return nil
}

// isOfAuth0Client recognizes the token of a machine by its grant, or by its subject,
// which is all that Auth0's profile of RFC 9068 has. A grant that is not a text is
// nothing that a user's token has.
func (t *Token) isOfAuth0Client(clientID string) bool {
	claim, there := t.claims["gty"]
	grant, isText := claim.(string)
	return there && (!isText || strings.EqualFold(strings.ReplaceAll(grant, "_", "-"), "client-credentials")) ||
		clientID != "" && t.claims["sub"] == clientID+"@clients"
}

// isOfEntraApp recognizes a token of an application by the optional claim idtyp, or by
// what Entra says of it without: its subject is the object itself, where a user has
// another one for each application, and no user has delegated anything to it.
func (t *Token) isOfEntraApp(clientID string) bool {
	claim, there := t.claims["idtyp"]
	kind, isText := claim.(string)
	_, delegated := t.claims["scp"]
	return there && (!isText || strings.EqualFold(kind, "app")) ||
		clientID != "" && t.claims["oid"] == t.claims["sub"] && !delegated
}

// isOfKeycloakClient recognizes a token of a service account without a
// preferred_username: only these say where the client was.
func (t *Token) isOfKeycloakClient() bool {
	_, host := t.claims["clientHost"]
	_, address := t.claims["clientAddress"]
	return host || address
}

func hasPrefixFold(text, prefix string) bool {
	return len(text) >= len(prefix) && strings.EqualFold(text[:len(prefix)], prefix)
}

// clientClaims are the claims that name the client: RFC 9068's, OpenID Connect's, and
// those of Entra and Okta.
var clientClaims = []string{"client_id", "azp", "appid", "cid"}

// serviceAccount begins the username that Keycloak gives to a client.
const serviceAccount = "service-account-"
