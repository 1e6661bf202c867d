package nodes

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
)

// Two nodes on one storage go through a rotation. The hours between its stages pass by
// setting back the time of creation in the key objects; the nodes read these by
// themselves, and sooner than the product does.
func TestTwoNodesRotateAGeneratedKeyInStages(t *testing.T) {
	t.Parallel()
	a, b := harness.NewSite(t), harness.NewSite(t)
	b.Dir = a.Dir
	nodes := []*harness.Site{a, b}
	issuer := a.URL("")
	for i, node := range nodes {
		config := node.Write([]string{"a.caddyfile", "b.caddyfile"}[i], node.Expand(`{
	admin off
	persist_config off
	storage file_system "%DIR%/storage"
}
http://127.0.0.1:%PORT% {
	token_endpoint {
		issuer       `+issuer+`
		rotate_every 2h
		client web {
			secret web-secret
		}
		user alice `+harness.HashBcrypt+`
	}
	bearer_auth /app
	respond /app "in"
}
`))
		harness.StartQuickProcess(t, config)
	}

	keys := publishedKeys(t, a, b)
	if len(keys) != 1 {
		t.Fatalf("before the rotation %d keys are published, want 1", len(keys))
	}
	old := keys[0]
	first := tokenSignedBy(t, a, b, old)
	accepted(t, nodes, issuer, first)

	age(t, a.Dir, old, 3*time.Hour)
	harness.Eventually(t, "both nodes publish one more key", func() bool { return len(publishedKeys(t, a, b)) == 2 })
	if objects := harness.KeyObjects(t, a.Dir); len(objects) != 2 {
		t.Fatalf("one rotation on two nodes made %d keys, want 1", len(objects)-1)
	}
	keys = publishedKeys(t, a, b)
	next := keys[slices.IndexFunc(keys, func(k string) bool { return k != old })]
	published := tokenSignedBy(t, a, b, old) // L10: the new key is published before its first use
	accepted(t, nodes, issuer, first, published)

	age(t, a.Dir, next, 20*time.Minute)
	harness.Eventually(t, "both nodes sign with the new key", func() bool {
		return signer(t, a) == next && signer(t, b) == next
	})
	second := tokenSignedBy(t, a, b, next)
	accepted(t, nodes, issuer, first, published, second) // L10: the old key verifies as long as its tokens live

	age(t, a.Dir, next, 90*time.Minute) // 15 minutes published, an hour of tokens, leeway, handover
	harness.Eventually(t, "both nodes retire the old key", func() bool {
		return slices.Equal(publishedKeys(t, a, b), []string{next})
	})
	accepted(t, nodes, issuer, second)
	for _, node := range nodes {
		node.Do(node.Request("GET", "/app", "", "Authorization: Bearer "+first)).Want(t, 401, "")
	}
}

// publishedKeys are the ids of the keys that all nodes publish, nil if they differ.
func publishedKeys(t *testing.T, nodes ...*harness.Site) []string {
	t.Helper()
	var ids []string
	for i, node := range nodes {
		var set jose.JSONWebKeySet
		if err := json.Unmarshal(node.Do(node.Request("GET", "/token/jwks", "")).Body, &set); err != nil {
			t.Fatal(err)
		}
		var found []string
		for _, key := range set.Keys {
			found = append(found, key.KeyID)
		}
		slices.Sort(found)
		if i > 0 && !slices.Equal(ids, found) {
			return nil
		}
		ids = found
	}
	return ids
}

// signer is the id of the key with which a node signs.
func signer(t *testing.T, node *harness.Site) string {
	t.Helper()
	return keyID(t, node.Login("alice", "correct horse").Text(t, "access_token"))
}

func keyID(t *testing.T, token string) string {
	t.Helper()
	jws, err := jose.ParseSigned(token, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		t.Fatal(err)
	}
	return jws.Signatures[0].Header.KeyID
}

// tokenSignedBy logs in at both nodes and returns one of the tokens.
func tokenSignedBy(t *testing.T, a, b *harness.Site, id string) string {
	t.Helper()
	token := a.Login("alice", "correct horse").Text(t, "access_token")
	if got := keyID(t, token); got != id || signer(t, b) != id {
		t.Fatalf("the nodes sign with %s and %s, want %s", got, signer(t, b), id)
	}
	return token
}

// accepted checks tokens at the edge of every node, and as an app does that knows the
// server by its metadata.
func accepted(t *testing.T, nodes []*harness.Site, issuer string, tokens ...string) {
	t.Helper()
	for _, node := range nodes {
		metadata := node.Do(node.Request("GET", "/.well-known/oauth-authorization-server", ""))
		if got := metadata.Text(t, "issuer"); got != issuer {
			t.Fatalf("issuer %q, want %q", got, issuer)
		}
		keys := oidc.NewRemoteKeySet(t.Context(), node.URL("/token/jwks"))
		verifier := oidc.NewVerifier(issuer, keys, &oidc.Config{ClientID: issuer, SupportedSigningAlgs: []string{oidc.ES256}})
		for i, token := range tokens {
			if _, err := verifier.Verify(t.Context(), token); err != nil {
				t.Errorf("token %d: %v", i, err)
			}
			node.Do(node.Request("GET", "/app", "", "Authorization: Bearer "+token)).Want(t, 200, "")
		}
	}
}

// age sets the time of creation of a key that many hours back.
func age(t *testing.T, dir, id string, by time.Duration) {
	t.Helper()
	for _, path := range harness.KeyObjects(t, dir) {
		if filepath.Base(path) != hexID(t, id) {
			continue
		}
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		object := make(map[string]any)
		if err := json.Unmarshal(content, &object); err != nil {
			t.Fatal(err)
		}
		object["created"] = time.Now().Add(-by).Unix()
		if content, err = json.Marshal(object); err != nil {
			t.Fatal(err)
		}
		// as the storage writes: beside, then renamed
		if err := os.WriteFile(path+".tmp", content, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(path+".tmp", path); err != nil {
			t.Fatal(err)
		}
		return
	}
	t.Fatalf("no object of key %s", id)
}

// hexID is a key's id as its object is named.
func hexID(t *testing.T, id string) string {
	t.Helper()
	digest, err := base64.RawURLEncoding.DecodeString(id)
	if err != nil {
		t.Fatal(err)
	}
	return hex.EncodeToString(digest)
}
