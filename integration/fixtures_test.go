package integration

import (
	"crypto/sha1" //nolint:gosec // a format that operators have
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/go-crypt/x/crypt"
	"github.com/go-crypt/x/yescrypt"
	"github.com/go-jose/go-jose/v4"
	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/bcrypt"
)

// hashWith makes a hash that is as cheap as its scheme allows, for tests of anything but
// its cost.
func hashWith(t *testing.T, scheme, password string) string {
	t.Helper()
	switch scheme {
	case "bcrypt":
		hash, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
		if err != nil {
			t.Fatal(err)
		}
		return string(hash)
	case "argon2id":
		salt := []byte("0123456789abcdef")
		key := argon2.IDKey([]byte(password), salt, 1, 64, 1, 32)
		encode := base64.RawStdEncoding.EncodeToString
		return fmt.Sprintf("$argon2id$v=19$m=64,t=1,p=1$%s$%s", encode(salt), encode(key))
	case "apr1":
		if hash := longAPR1[len(password)]; hash != "" {
			return hash
		}
		output, err := exec.Command("htpasswd", "-nbm", "u", password).Output()
		if err != nil {
			t.Fatalf("htpasswd -m: %v", err)
		}
		return strings.TrimPrefix(strings.TrimSpace(string(output)), "u:")
	case "md5-crypt":
		return "$1$01234567$" + string(crypt.KeyMD5Crypt([]byte(password), []byte("01234567")))
	case "sha256-crypt":
		return "$5$rounds=1000$0123456789abcdef$" + string(crypt.KeySHACrypt(sha256.New, []byte(password), []byte("0123456789abcdef"), 1000))
	case "sha512-crypt":
		return "$6$rounds=1000$0123456789abcdef$" + string(crypt.KeySHACrypt(sha512.New, []byte(password), []byte("0123456789abcdef"), 1000))
	case "yescrypt":
		hash, err := yescrypt.Hash([]byte(password), []byte("$y$j75$0123456789abcdef"))
		if err != nil {
			t.Fatal(err)
		}
		return string(hash)
	case "{SHA}":
		sum := sha1.Sum([]byte(password)) //nolint:gosec // see above
		return "{SHA}" + base64.StdEncoding.EncodeToString(sum[:])
	case "{SSHA}":
		sum := sha1.Sum([]byte(password + "salt")) //nolint:gosec // see above
		return "{SSHA}" + base64.StdEncoding.EncodeToString(append(sum[:], "salt"...))
	}
	t.Fatalf("unknown scheme %s", scheme)
	return ""
}

// longAPR1 are hashes of "0123456789" again and again, by github.com/GehirnInc/crypt: htpasswd takes 255 bytes at most.
var longAPR1 = map[int]string{
	1024: "$apr1$01234567$1rgXb2s70RKI2zkWANd1L/",
	1025: "$apr1$01234567$MqhKUSmA.WI468q0xS/J0.",
}

var allSchemes = []string{"bcrypt", "argon2id", "yescrypt", "apr1", "md5-crypt", "sha256-crypt", "sha512-crypt", "{SHA}", "{SSHA}"}

// writeOld puts a file in the test's directory that was written an hour ago. A broken file
// is then refused at once: a young one might be half written, and is tried again.
func (s *site) writeOld(name, content string) string {
	s.t.Helper()
	path := s.write(name, content)
	hourAgo := time.Now().Add(-time.Hour)
	if err := os.Chtimes(path, hourAgo, hourAgo); err != nil {
		s.t.Fatal(err)
	}
	return path
}

// attempt is login for other goroutines than the test's own: it does not end the test.
func (s *site) attempt(username, password string, pairs ...string) (answer, error) {
	form := url.Values{
		"grant_type": {"password"}, "username": {username}, "password": {password},
		"client_id": {"web"}, "client_secret": {"web-secret"},
	}
	for i := 0; i < len(pairs); i += 2 {
		if form.Set(pairs[i], pairs[i+1]); pairs[i+1] == "" {
			form.Del(pairs[i])
		}
	}
	response, err := s.client.PostForm(s.url("/token"), form)
	if err != nil {
		return answer{}, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return answer{}, err
	}
	a := answer{status: response.StatusCode, header: response.Header, body: body}
	_ = json.Unmarshal(body, &a.json)
	return a, nil
}

// tryEdited loads a Caddyfile whose token endpoints are changed after it became JSON: for
// what a Caddyfile cannot say, or already refuses.
func (s *site) tryEdited(sites string, edit func(endpoint map[string]any)) error {
	s.t.Helper()
	config, err := adapt(s.expand(strings.Replace(globalOptions, "%OPTIONS%", "", 1) + sites))
	if err != nil {
		s.t.Fatalf("adapting the Caddyfile: %v", err)
	}
	var tree any
	if err := json.Unmarshal(config, &tree); err != nil {
		s.t.Fatal(err)
	}
	var walk func(any)
	walk = func(node any) {
		switch node := node.(type) {
		case map[string]any:
			if node["handler"] == "token_endpoint" {
				edit(node)
				return
			}
			for _, child := range node {
				walk(child)
			}
		case []any:
			for _, child := range node {
				walk(child)
			}
		}
	}
	walk(tree)
	edited, err := json.Marshal(tree)
	if err != nil {
		s.t.Fatal(err)
	}
	return caddy.Load(edited, true)
}

// wantLoadError fails the test unless there is an error that holds all of the texts.
func wantLoadError(t *testing.T, err error, texts ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want one with %q", texts)
	}
	for _, text := range texts {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("no %q in the error: %v", text, err)
		}
	}
}

// verified checks an access token as an app does, with the keys that the server publishes
// below its endpoint, and returns its header and claims.
func (s *site) verified(token, endpoint string) (header, claims map[string]any) {
	s.t.Helper()
	var set jose.JSONWebKeySet
	if err := json.Unmarshal(s.jwks(endpoint).body, &set); err != nil {
		s.t.Fatalf("reading the keys of %s: %v", endpoint, err)
	}
	header, claims = opened(s.t, token)
	kid, _ := header["kid"].(string)
	keys := set.Key(kid)
	if len(keys) != 1 {
		s.t.Fatalf("%d keys with kid %q at %s", len(keys), kid, endpoint)
	}
	algorithm := jose.SignatureAlgorithm(header["alg"].(string))
	signed, err := jose.ParseSigned(token, []jose.SignatureAlgorithm{algorithm})
	if err != nil {
		s.t.Fatalf("parsing a token: %v", err)
	}
	if _, err := signed.Verify(keys[0]); err != nil {
		s.t.Fatalf("verifying a token: %v", err)
	}
	return header, claims
}

// opened decodes a token without checking it. Numbers stay as they are written.
func opened(t *testing.T, token string) (header, claims map[string]any) {
	t.Helper()
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		t.Fatalf("%d parts in token %s", len(parts), token)
	}
	for i, into := range []*map[string]any{&header, &claims} {
		decoded, err := base64.RawURLEncoding.DecodeString(parts[i])
		if err != nil {
			t.Fatal(err)
		}
		decoder := json.NewDecoder(strings.NewReader(string(decoded)))
		decoder.UseNumber()
		if err := decoder.Decode(into); err != nil {
			t.Fatal(err)
		}
	}
	return header, claims
}

// htpasswd runs Apache's tool in the test's directory.
func (s *site) htpasswd(args ...string) {
	s.t.Helper()
	tool, err := exec.LookPath("htpasswd")
	if err != nil {
		s.t.Fatal("Apache's htpasswd is needed for this test: apt-get install apache2-utils")
	}
	cmd := exec.Command(tool, args...)
	cmd.Dir = s.dir
	if output, err := cmd.CombinedOutput(); err != nil {
		s.t.Fatalf("htpasswd %s: %v\n%s", args, err, output)
	}
}

// path of a file in the test's directory.
func (s *site) path(name string) string { return filepath.Join(s.dir, name) }

// webSite is a site whose endpoint has the client of login and the given lines.
func webSite(lines string) string {
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

// relogin is login where the config was just changed. Caddy's old server may take a
// connection and close it at once, which is no answer of ours: then it asks again.
func (s *site) relogin(username, password string, pairs ...string) answer {
	s.t.Helper()
	var failed error
	for range 50 {
		a, err := s.attempt(username, password, pairs...)
		if err == nil {
			return a
		}
		failed = err
		s.client.CloseIdleConnections()
	}
	s.t.Fatalf("no login gets an answer: %v", failed)
	return answer{}
}

// jwks gets the public keys of an endpoint, and asks again like relogin.
func (s *site) jwks(endpoint string) answer {
	s.t.Helper()
	var failed error
	for range 50 {
		response, err := s.client.Get(s.url(endpoint + "/jwks"))
		if err == nil {
			body, _ := io.ReadAll(response.Body)
			response.Body.Close()
			return answer{status: response.StatusCode, header: response.Header, body: body}
		}
		failed = err
		s.client.CloseIdleConnections()
	}
	s.t.Fatalf("no request for the keys gets an answer: %v", failed)
	return answer{}
}
