package token

import (
	"crypto/sha256"
	"encoding/json"
	"strings"
	"testing"

	"github.com/caddygrant/caddy-grant/directory"
	"github.com/caddygrant/caddy-grant/internal/mac"
)

const clientClaims = `{"sub":"backup","exp":1800000000,"jti":"x","cid":"backup","client_id":"backup","gty":"client-credentials","sid":"20270101-0000000000000000000000000000000000000000","cver":"v"}`

func TestTheTokenOfAClientIsReadAsItIsSigned(t *testing.T) {
	token, err := ParseAccessToken([]byte(clientClaims))
	if err != nil {
		t.Fatal(err)
	}
	if !token.IsClient() || token.Others != nil || token.Claim("gty") != ActingClient || token.Claim("username") != "" {
		t.Errorf("it is %+v", token)
	}
	if claims := token.SessionClaims(); claims.Subject != "" || claims.Client != "backup" {
		t.Errorf("its session is %+v", claims)
	}
	reordered := strings.Replace(clientClaims, `{"sub":"backup",`, `{`, 1)
	reordered = strings.TrimSuffix(reordered, "}") + `,"sub":"backup"}`
	if token, err := ParseAccessToken([]byte(reordered)); err != nil || !token.IsClient() || token.Subject != "backup" {
		t.Errorf("in another order it is %+v, %v", token, err)
	}
}

// An app that shares an HMAC secret can sign any of these.
func TestWhatIsNeitherAUsersNorAClientsTokenIsRefused(t *testing.T) {
	user := strings.Replace(clientClaims, `"gty":"client-credentials"`, `"username":"alice"`, 1)
	if token, err := ParseAccessToken([]byte(user)); err != nil || token.IsClient() {
		t.Fatalf("the user's token is %+v, %v", token, err)
	}
	for name, change := range map[string][2]string{
		"a username":                    {`"gty":"client-credentials"`, `"gty":"client-credentials","username":"alice"`},
		"an empty username":             {`"gty":"client-credentials"`, `"gty":"client-credentials","username":""`},
		"an empty username before gty":  {`"gty":"client-credentials"`, `"username":"","gty":"client-credentials"`},
		"a username that is no string":  {`"gty":"client-credentials"`, `"gty":"client-credentials","username":null`},
		"neither":                       {`"gty":"client-credentials",`, ``},
		"another gty":                   {`"client-credentials"`, `"password"`},
		"the name of the grant":         {`"client-credentials"`, `"client_credentials"`},
		"another gty of a user":         {`"gty":"client-credentials"`, `"username":"alice","gty":"password"`},
		"an empty gty":                  {`"client-credentials"`, `""`},
		"an empty gty of a user":        {`"gty":"client-credentials"`, `"username":"alice","gty":""`},
		"a gty that is null, of a user": {`"gty":"client-credentials"`, `"username":"alice","gty":null`},
		"a list as gty":                 {`"client-credentials"`, `["client-credentials"]`},
		"true as gty":                   {`"client-credentials"`, `true`},
		"two gty":                       {`"gty":"client-credentials"`, `"gty":"client-credentials","gty":"client-credentials"`},
		"two gty, one escaped":          {`"gty":"client-credentials"`, `"gty":"client-credentials","g\u0074y":"password"`},
		"gty in capitals":               {`"gty"`, `"GTY"`},
		"another sub":                   {`"sub":"backup"`, `"sub":"alice"`},
		"another cid":                   {`"cid":"backup"`, `"cid":"web"`},
		"another client_id":             {`"client_id":"backup"`, `"client_id":"web"`},
		"no client_id":                  {`"client_id":"backup",`, ``},
		"no cver":                       {`,"cver":"v"`, ``},
	} {
		if strings.Count(clientClaims, change[0]) != 1 {
			t.Fatalf("%s: %s is not there once", name, change[0])
		}
		payload := strings.Replace(clientClaims, change[0], change[1], 1)
		if token, err := ParseAccessToken([]byte(payload)); err == nil {
			t.Errorf("%s: it is taken: %+v", name, token)
		}
	}
}

func TestTheVersionOfASecretIsItsOwn(t *testing.T) {
	key := mac.NewKey(sha256.New, []byte("key"))
	const hash = "$5$rounds=5000$salt$0000000000000000000000000000000000000000000"
	versions := make(map[string]string)
	add := func(name, version string) {
		if other, there := versions[version]; there {
			t.Errorf("%s has the version of %s", name, other)
		}
		versions[version] = name
	}
	add("a secret", secretVersion(key, "default", &directory.Client{ID: "backup", Secret: "s"}))
	add("another secret", secretVersion(key, "default", &directory.Client{ID: "backup", Secret: "t"}))
	add("another client", secretVersion(key, "default", &directory.Client{ID: "other", Secret: "s"}))
	add("another server", secretVersion(key, "other", &directory.Client{ID: "backup", Secret: "s"}))
	add("a hash", secretVersion(key, "default", &directory.Client{ID: "backup", SecretHash: hash}))
	add("the hash as a secret", secretVersion(key, "default", &directory.Client{ID: "backup", Secret: hash}))
	add("a user of that name and hash", credentialVersion(key, "default", &directory.User{Username: "backup", PasswordHash: hash}))
	add("a user whose source checks", credentialVersion(key, "default", &directory.User{Username: "backup", CredentialVersion: hash}))
	add("a server of the label's name", credentialVersion(key, "a client's secret", &directory.User{Username: "default", PasswordHash: "backup"}))
	if secretVersion(key, "default", &directory.Client{ID: "backup", SecretHash: hash}) != secretVersion(key, "default", &directory.Client{ID: "backup", SecretHash: "{CRYPT}" + hash}) {
		t.Error("a scheme before the hash makes a difference")
	}
}

func TestATokenOfAClientIsNarrowedToWhatTheClientHas(t *testing.T) {
	policy := &Policy{Scopes: []string{"a", "b"}, Audience: []string{"one", "two"}}
	token := &AccessToken{AccessClaims: AccessClaims{GrantType: ActingClient, Scope: "a b", Audience: []string{"one", "two"}}, Scopes: []string{"a", "b"}}
	if policy.Narrowed(token, nil, &directory.Client{}) != token {
		t.Error("nothing has changed, and it is another token")
	}
	now := policy.Narrowed(token, nil, &directory.Client{Scopes: []string{"b"}, Audience: []string{"two"}})
	if now.Scope != "b" || len(now.Scopes) != 1 || len(now.Audience) != 1 || !now.IsClient() {
		t.Errorf("it has %+v", now)
	}
	madeUp := *token
	madeUp.Others = map[string]any{"email": "alice@example.com"}
	if now := policy.Narrowed(&madeUp, nil, &directory.Client{}); now.Others != nil {
		t.Errorf("it keeps %v", now.Others)
	}
}

// The claims are in the order in which a token that is read is encoded again: else each
// check of a new token would take three times as long.
func TestTheTokenOfAClientIsWrittenInOneOrder(t *testing.T) {
	var claims AccessClaims
	if err := json.Unmarshal([]byte(clientClaims), &claims); err != nil {
		t.Fatal(err)
	}
	if encoded, err := json.Marshal(claims); err != nil || string(encoded) != clientClaims {
		t.Errorf("it is written as %s, %v", encoded, err)
	}
}
