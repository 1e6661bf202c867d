package bearer

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
)

// tlsLogin gets alice's token over TLS.
func tlsLogin(s *harness.Site, client *http.Client) string {
	s.T.Helper()
	form := url.Values{
		"grant_type": {"password"}, "username": {"alice"}, "password": {"correct horse"},
		"client_id": {"web"}, "client_secret": {"web-secret"},
	}
	response, err := client.Post(s.TLSURL("/token"), "application/x-www-form-urlencoded", strings.NewReader(form.Encode()))
	if err != nil {
		s.T.Fatal(err)
	}
	defer response.Body.Close()
	var body struct {
		Token string `json:"access_token"`
	}
	if err := json.NewDecoder(response.Body).Decode(&body); err != nil || body.Token == "" {
		s.T.Fatalf("logging in by %s: %d %v", response.Proto, response.StatusCode, err)
	}
	return body.Token
}
