package command

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
	"github.com/caddygrant/caddy-grant/integration/internal/outside"
	"github.com/caddygrant/caddy-grant/internal/apikey"
)

// compactOf has parts as they are, with a signature that no key made.
func compactOf(header, payload string) string {
	encode := base64.RawURLEncoding.EncodeToString
	return encode([]byte(header)) + "." + encode([]byte(payload)) + "." + encode([]byte("a signature of nobody"))
}

// A config that takes outside issuers only has none that judges such a token.
func TestExplainATokenThatNoIssuerOfTheConfigJudges(t *testing.T) {
	issuer := outside.New(t, outside.Options{})
	s := harness.Apart(t, outsideSite(issuer))
	const header = `{"alg":"ES256","kid":"k"}`
	key := apikey.Make()
	for _, by := range [][]string{
		{"--address", s.Admin()},
		{"--offline", "--config", s.Write("Caddyfile", s.Expand(outsideSite(issuer))), "--adapter", "caddyfile"},
	} {
		for _, test := range []struct {
			name, token, check string
			says               []string
			shows              string // of what the token says of itself
		}{
			{"one / more", issuer.Token(outside.Claim("iss", issuer.URL+"/")), "issuer",
				[]string{`iss is "` + issuer.URL + `/"; the config takes: "` + issuer.URL + `"`, "byte for byte", "a / at the end"}, issuer.URL + "/"},
			{"another issuer", issuer.Token(outside.Claim("iss", "https://other.example")), "issuer",
				[]string{`iss is "https://other.example"; the config takes: "` + issuer.URL + `"`, "add this one to a bearer_auth"}, "https://other.example"},
			{"without iss", issuer.Token(outside.Without("iss")), "issuer", []string{"it has no iss", issuer.URL}, "alice"},
			{"opaque", "2YotnFZFEjr1zCsicMWpAA", "format", []string{"it is not a signed token", "An opaque token cannot be verified"}, ""},
			{"encrypted", strings.Join([]string{base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"RSA-OAEP","enc":"A256GCM"}`)), "a2V5", "aXY", "dGV4dA", "dGFnYm9keQ"}, "."), "format",
				[]string{"it is an encrypted token (JWE)", "not encrypt"}, "A256GCM"},
			{"a duplicate claim", compactOf(header, `{"iss":"`+issuer.URL+`","sub":"alice","sub":"bob"}`), "claims", []string{"a claim appears twice"}, "bob"},
			{"not UTF-8", compactOf(header, `{"iss":"`+issuer.URL+`","sub":"al`+"\xff"+`ce"}`), "claims", []string{"not UTF-8"}, "al\ufffdce"},
			{"too long", issuer.Token(outside.Claim("groups", strings.Repeat("g", 16<<10))), "format", []string{"the maximum is 16384", "shorter"}, "alice"},
			{"not a JSON object", compactOf(header, `[]`), "claims", []string{"not a JSON object"}, "ES256"},
			{"damaged", strings.Replace(compactOf(header, `{"iss":"`+issuer.URL+`"}`), ".", ".!", 1), "format", []string{"damaged or cut"}, "ES256"},
			{"unsigned", strings.TrimRight(compactOf(`{"alg":"none"}`, `{"iss":"x"}`), "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"), "format", []string{"alg is none"}, "none"},
			{"an API key", key, "format", []string{"it is an API key", "no token_endpoint"}, ""},
		} {
			t.Run(test.name, func(t *testing.T) {
				status, x := explainedBy(t, s, test.token, by...)
				wantFailing(t, x, test.check, test.says...)
				if status != 1 || x.Claims != nil {
					t.Errorf("status %d, %+v", status, x)
				}
				_, printed, _ := grant(t, s.Dir, test.token, append([]string{"explain", "--json"}, by...)...)
				var said struct{ Unverified json.RawMessage }
				if err := json.Unmarshal([]byte(printed), &said); err != nil || !strings.Contains(string(said.Unverified), test.shows) || (test.shows == "") != (said.Unverified == nil) {
					t.Errorf("it shows %s (%v)", said.Unverified, err)
				}
			})
		}
	}
	_, printed, _ := grant(t, s.Dir, issuer.Token(outside.Claim("iss", issuer.URL+"/")), "explain", "--address", s.Admin())
	if !strings.HasPrefix(printed, "Token, refused according to the running config.") || !strings.Contains(printed, "What it says of itself") {
		t.Errorf("it prints %s", printed)
	}
}

// With a token_endpoint, the remedy names the issuers that the config takes beside it.
func TestExplainNamesTheIssuersThatAConfigTakesBesideItsServer(t *testing.T) {
	issuer := outside.New(t, outside.Options{})
	site := strings.Replace(outsideSite(issuer), "{\n\tbearer_auth", "{\n\ttoken_endpoint {\n\t\tsigning_key HS256 "+harness.SharedSecret+"\n\t\tuser alice "+harness.HashArgon2id+"\n\t\tclient web {\n\t\t\tpublic\n\t\t}\n\t}\n\tbearer_auth", 1)
	s := harness.Apart(t, site)
	for _, by := range [][]string{
		{"--address", s.Admin()},
		{"--offline", "--config", s.Write("Caddyfile", s.Expand(site)), "--adapter", "caddyfile"},
	} {
		_, x := explainedBy(t, s, issuer.Token(outside.Claim("iss", issuer.URL+"/")), by...)
		wantFailing(t, x, "key", `it names the issuer "`+issuer.URL+`/"; the config takes those of this server, and "`+issuer.URL+`": write the issuer in the config byte for byte as iss has it`)
		_, x = explainedBy(t, s, issuer.Token(outside.Claim("iss", "https://other.example")), by...)
		wantFailing(t, x, "key", "the config takes those of this server, and", "get a token from an issuer that the config takes")
		_, x = explainedBy(t, s, compactOf(`{"alg":"ES256"}`, `{"iss":"`+issuer.URL+`","sub":"a","sub":"b"}`), by...)
		wantFailing(t, x, "claims", "a claim appears twice")
		_, x = explainedBy(t, s, "2YotnFZFEjr1zCsicMWpAA", by...)
		wantFailing(t, x, "format", "as the token endpoint gave it")
	}
}
