package issuers

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"testing"

	"golang.org/x/oauth2/clientcredentials"

	"github.com/caddygrant/caddy-grant/integration/internal/outside"
)

// adminAPI is Hydra's, for its operator.
type adminAPI struct {
	t   *testing.T
	url string
}

func (a *adminAPI) post(path string, content any) {
	a.t.Helper()
	encoded, err := json.Marshal(content)
	if err != nil {
		a.t.Fatal(err)
	}
	response, err := http.Post(a.url+path, "application/json", bytes.NewReader(encoded))
	if err != nil {
		a.t.Fatal(err)
	}
	defer response.Body.Close()
	body, _ := io.ReadAll(response.Body)
	if response.StatusCode != http.StatusCreated {
		a.t.Fatalf("%s is answered %d %s", path, response.StatusCode, body)
	}
}

// clientCredentials gets a token as x/oauth2 does (RFC 6749 §4.4).
func clientCredentials(t *testing.T, tokenURL string) string {
	t.Helper()
	config := clientcredentials.Config{
		ClientID: "machine", ClientSecret: "machine-secret", TokenURL: tokenURL, Scopes: []string{"contacts.read"},
		EndpointParams: map[string][]string{"audience": {outside.Audience}},
	}
	token, err := config.Token(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return token.AccessToken
}
