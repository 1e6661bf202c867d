package issuers

import (
	"net/http"
	"strings"
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
	"github.com/caddygrant/caddy-grant/integration/internal/outside"
)

// OpenID Connect Discovery comes first, and RFC 8414 where that is not there.
func TestTheKeysAreFoundByMetadata(t *testing.T) {
	for name, options := range map[string]outside.Options{
		"OpenID Connect Discovery §4":                        {},
		"OpenID Connect Discovery §4.1: below a path":        {Path: "/realms/staff"},
		"OpenID Connect Discovery §4.1: a path with a slash": {Path: "/application/o/app/"},
		"RFC 8414 §3":                          {OAuthOnly: true},
		"RFC 8414 §3.1: between host and path": {OAuthOnly: true, Path: "/realms/staff"},
	} {
		t.Run(name, func(t *testing.T) {
			issuer := outside.New(t, options)
			e := start(t, trusting(issuer))
			e.knows(issuer)
			if asked := issuer.Fetches(outside.OAuthMetadata) > 0; asked != options.OAuthOnly {
				t.Errorf("RFC 8414's metadata was asked for: %v", asked)
			}
			if issuer.Fetches(outside.Nothing) > 0 {
				t.Error("the issuer was asked for something else")
			}
		})
	}
}

// A server that answers JSON at any path has no OpenID Connect Discovery by that.
func TestAnErrorInJSONIsNotMetadata(t *testing.T) {
	issuer := outside.New(t, outside.Options{OAuthOnly: true})
	issuer.Answer(outside.OpenIDMetadata, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"error":"not_found"}`))
	})
	start(t, trusting(issuer)).knows(issuer)
}

// With jwks_url no metadata is needed, nor asked for.
func TestAJWKSURLIsAllThatIsAskedFor(t *testing.T) {
	issuer := outside.New(t, outside.Options{})
	for _, document := range []outside.Document{outside.OpenIDMetadata, outside.OAuthMetadata} {
		issuer.Answer(document, http.NotFound)
	}
	e := start(t, trusting(issuer, "jwks_url "+issuer.URL+"/keys"))
	e.knows(issuer)
	if issuer.Fetches(outside.OpenIDMetadata)+issuer.Fetches(outside.OAuthMetadata)+issuer.Fetches(outside.Nothing) > 0 {
		t.Error("the metadata was asked for")
	}
}

// Metadata of an issuer that says that it is another would lead to the other's keys.
func TestMetadataOfAnotherIssuerIsNotTaken(t *testing.T) {
	attacker := outside.New(t, outside.Options{})
	tests := map[string]func(issuer *outside.Issuer){
		"OpenID Connect Discovery §4.3: another issuer": func(i *outside.Issuer) { i.Metadata("issuer", attacker.URL) },
		"RFC 8414 §3.3: another issuer and its keys": func(i *outside.Issuer) {
			i.Metadata("issuer", attacker.URL)
			i.Metadata("jwks_uri", attacker.URL+"/keys")
		},
		"RFC 8414 §3.3: a slash more":                   func(i *outside.Issuer) { i.Metadata("issuer", i.URL+"/") },
		"RFC 8414 §3.3: a port that means the same":     func(i *outside.Issuer) { i.Metadata("issuer", strings.Replace(i.URL, "127.0.0.1", "127.0.0.1.", 1)) },
		"RFC 8414 §3.3: localhost in place of its name": func(i *outside.Issuer) { i.Metadata("issuer", strings.Replace(i.URL, "127.0.0.1", "localhost", 1)) },
		"RFC 8414 §3.3: another case":                   func(i *outside.Issuer) { i.Metadata("issuer", strings.Replace(i.URL, "http", "HTTP", 1)) },
		"RFC 8414 §2: no issuer":                        func(i *outside.Issuer) { i.Metadata("issuer", nil) },
		"RFC 8414 §2: an issuer that is a list":         func(i *outside.Issuer) { i.Metadata("issuer", []string{i.URL}) },
		"Entra ID's template":                           func(i *outside.Issuer) { i.Metadata("issuer", "https://login.example.com/{tenantid}/v2.0") },
		"RFC 8414 §2: no jwks_uri":                      func(i *outside.Issuer) { i.Metadata("jwks_uri", nil) },
		"RFC 8414 §2: a jwks_uri that is plain HTTP":    func(i *outside.Issuer) { i.Metadata("jwks_uri", "http://keys.example.com/keys") },
		"a jwks_uri that is a file":                     func(i *outside.Issuer) { i.Metadata("jwks_uri", "file:///etc/passwd") },
		"a jwks_uri without a host":                     func(i *outside.Issuer) { i.Metadata("jwks_uri", "/keys") },
		"OpenID Connect Discovery §4.3, with RFC 8414's beside it": func(i *outside.Issuer) {
			i.Metadata("issuer", attacker.URL)
			i.Answer(outside.OAuthMetadata, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				_, _ = w.Write([]byte(`{"issuer":"` + attacker.URL + `","jwks_uri":"` + attacker.URL + `/keys"}`))
			})
		},
	}
	issuers, blocks := make(map[string]*outside.Issuer), []string(nil)
	for name, change := range tests {
		issuers[name] = outside.New(t, outside.Options{})
		change(issuers[name])
		blocks = append(blocks, trusting(issuers[name]))
	}
	e := start(t, blocks...)
	for name, issuer := range issuers {
		t.Run(name, func(t *testing.T) {
			harness.Eventually(t, "the log tells it", func() bool { return len(e.failuresOf(issuer)) > 0 })
			e.want(t, issuer.Token(), 503)
			e.want(t, issuer.Token(outside.By(attacker.Key())), 503)
			if issuer.Fetches(outside.OpenIDMetadata) == 0 {
				t.Error("the metadata was not asked for")
			}
		})
	}
	if attacker.Fetches(outside.KeySet) > 0 {
		t.Error("the other issuer's keys were asked for")
	}
}

// failuresOf are the lines of the log that say that an issuer's keys did not come.
func (e edge) failuresOf(issuer *outside.Issuer) []map[string]any {
	e.T.Helper()
	return e.Logged(func(line map[string]any) bool {
		return line["issuer"] == issuer.URL && (line["level"] == "warn" || line["level"] == "error") && line["msg"] != "request refused"
	})
}

// A private authority is named in the issuer's block, as for reverse_proxy.
func TestAnIssuerOfAPrivateAuthority(t *testing.T) {
	issuer := outside.New(t, outside.Options{TLS: true})
	e := start(t, trusting(issuer))
	harness.Eventually(t, "the log tells it", func() bool { return len(e.failuresOf(issuer)) > 0 })
	if advice, _ := e.failuresOf(issuer)[0]["advice"].(string); !strings.Contains(advice, "tls_trust_pool") {
		t.Errorf("the line has the advice %q", advice)
	}
	e.want(t, issuer.Token(), 503)
	if issuer.Fetches(outside.OpenIDMetadata) > 0 {
		t.Error("an unknown authority was trusted")
	}
	e.serve(bearer("", trusting(issuer, "tls_trust_pool file "+issuer.CAFile)))
	e.eventually(issuer.Token(), 200)
	other := outside.New(t, outside.Options{TLS: true})
	e.serve(bearer("", trusting(other, "tls_trust_pool file "+issuer.CAFile)))
	harness.Eventually(t, "the log tells it", func() bool { return len(e.failuresOf(other)) > 0 })
	e.want(t, other.Token(), 503)
}
