package outside

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
)

// Document is one of the documents of an issuer.
type Document string

// The documents that an edge may ask for.
const (
	OpenIDMetadata Document = "OpenID Connect's metadata"
	OAuthMetadata  Document = "RFC 8414's metadata"
	KeySet         Document = "the key set"
	Nothing        Document = "something else"
)

// Hand is a request that an issuer has and does not answer.
type Hand struct {
	Arrived  chan struct{} // has one element for each request that waits
	released chan struct{}
	once     sync.Once
}

// WaitsFor is done when a request hangs.
func (h *Hand) WaitsFor(t *testing.T) {
	t.Helper()
	select {
	case <-h.Arrived:
	case <-t.Context().Done():
		t.Fatal("the issuer was not asked")
	}
}

// Release ends the wait with the usual answer.
func (h *Hand) Release() { h.once.Do(func() { close(h.released) }) }

// ServeHTTP answers what an edge asks for, and 404 beside that.
func (i *Issuer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	document := i.documentAt(r.URL.EscapedPath())
	i.mu.Lock()
	i.fetches[document]++
	answer := i.answer[document]
	i.mu.Unlock()
	switch {
	case answer != nil:
		answer(w, r)
	default:
		i.serve(w, document)
	}
}

func (i *Issuer) documentAt(path string) Document {
	below := strings.TrimSuffix(i.options.Path, "/") // OpenID Connect Discovery §4.1, RFC 8414 §3.1
	switch path {
	case below + "/.well-known/openid-configuration":
		return OpenIDMetadata
	case "/.well-known/oauth-authorization-server" + below:
		return OAuthMetadata
	case below + "/keys":
		return KeySet
	}
	return Nothing
}

func (i *Issuer) serve(w http.ResponseWriter, document Document) {
	var content any
	switch {
	case document == KeySet:
		content = i.keySet()
	case document == OpenIDMetadata && !i.options.OAuthOnly, document == OAuthMetadata && i.options.OAuthOnly:
		content = i.metadata()
	default:
		http.Error(w, "no such page", http.StatusNotFound)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(content)
}

func (i *Issuer) metadata() map[string]any {
	i.mu.Lock()
	defer i.mu.Unlock()
	members := map[string]any{
		"issuer": i.URL, "jwks_uri": strings.TrimSuffix(i.URL, "/") + "/keys", "response_types_supported": []string{"code"},
		"authorization_endpoint": i.URL + "/authorize", "token_endpoint": i.URL + "/token",
	}
	maps.Copy(members, i.members)
	maps.DeleteFunc(members, func(_ string, value any) bool { return value == nil })
	return members
}

func (i *Issuer) keySet() map[string]any {
	i.mu.Lock()
	defer i.mu.Unlock()
	set := map[string]any{"keys": i.keys}
	if i.padding > 0 {
		set["padding"] = strings.Repeat("x", i.padding)
	}
	return set
}

// Answer answers for a document in the issuer's place, until it is called with nil.
func (i *Issuer) Answer(document Document, answer http.HandlerFunc) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.answer[document] = answer
}

// Hang lets requests for a document wait until they are released or the test ends.
func (i *Issuer) Hang(document Document) *Hand {
	hand := &Hand{Arrived: make(chan struct{}, 1000), released: make(chan struct{})}
	end := make(chan struct{})
	i.mu.Lock()
	i.released = append(i.released, end)
	i.mu.Unlock()
	i.Answer(document, func(w http.ResponseWriter, r *http.Request) {
		hand.Arrived <- struct{}{}
		select {
		case <-hand.released:
			i.serve(w, document)
		case <-end:
		case <-r.Context().Done():
		}
	})
	return hand
}

// Fetches is how often a document was asked for.
func (i *Issuer) Fetches(document Document) int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.fetches[document]
}

// WantFetch waits until a document was asked for more often than before.
func (i *Issuer) WantFetch(t *testing.T, document Document, before int) {
	t.Helper()
	harness.Eventually(t, fmt.Sprintf("%s is asked for", document), func() bool { return i.Fetches(document) > before })
}

// Fault is an answer that has no document.
type Fault struct {
	Name   string
	Answer http.HandlerFunc
}

// text answers with a body.
func text(status int, contentType, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}
}

// Withdrawals are key sets that have no usable key. To an edge that never had keys they
// are as good as a fault.
func Withdrawals() []Fault {
	return []Fault{
		{"no keys", text(200, "application/json", `{"keys":[]}`)},
		{"keys of HMAC alone", text(200, "application/json", `{"keys":[{"kty":"oct","kid":"a","k":"c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LTEyMw"}]}`)},
		{"keys to encrypt alone", text(200, "application/json", `{"keys":[{"kty":"OKP","crv":"Ed25519","use":"enc","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}`)},
	}
}

// Faults are answers of an issuer, or of what stands before it, which is not well.
func Faults() []Fault {
	const page = "<!doctype html><title>Sign in to the network</title>"
	return []Fault{
		{"500", text(500, "application/json", `{"keys":[]}`)},
		{"429", text(429, "text/plain", "slow down")},
		{"404", text(404, "application/json", `{}`)},
		{"a page of a portal", text(200, "text/html", page)},
		{"a page that is called JSON", text(200, "application/json", page)},
		{"JSON that is called a page", text(200, "text/html", `{"keys":[]}`)},
		{"JSON that is cut off", text(200, "application/json", `{"keys":[{"kty":"EC","crv":"P-256",`)},
		{"a list", text(200, "application/json", `[]`)},
		{"null", text(200, "application/json", `null`)},
		{"nothing", text(200, "application/json", ``)},
		{"no members", text(200, "application/json", `{}`)},
		{"keys that are not a list", text(200, "application/json", `{"keys":{"a":1}}`)},
		{"a redirect to itself", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, r.URL.Path, http.StatusFound) }},
		{"a redirect to plain HTTP elsewhere", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://keys.example.com/keys", http.StatusFound)
		}},
		{"a connection that is cut", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }},
	}
}
