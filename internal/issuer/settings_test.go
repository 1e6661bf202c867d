package issuer

import (
	"slices"
	"strings"
	"testing"
	"time"
)

func TestSettingsHaveDefaults(t *testing.T) {
	s := Settings{URL: staff, Audience: []string{"a"}}
	if err := s.Validate(); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(s.Algorithms, []string{"ES256", "RS256", "PS256", "EdDSA"}) || s.UsernameClaim != "sub" ||
		s.AudienceClaim != "aud" || s.ScopeClaim != "" || s.MaxLifetime != 24*time.Hour || s.Leeway != 30*time.Second || s.UsernamePrefix != "" {
		t.Errorf("%+v", s)
	}
	if got := DefaultPrefix(staff); got != staff+"#" {
		t.Error(got)
	}
}

func TestSettingsThatAreNotSafeAreRefused(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*Settings)
		want   string // part of the error
	}{
		{"no audience", func(s *Settings) { s.Audience = nil }, "audience: it is required"},
		{"an empty audience", func(s *Settings) { s.Audience = []string{""} }, "audience"},
		{"a duplicate audience", func(s *Settings) { s.Audience = []string{"a", "a"} }, "duplicate"},
		{"too many audiences", func(s *Settings) { s.Audience = strings.Split(strings.Repeat("a,", 101), ",") }, "maximum"},
		{"a shared secret", func(s *Settings) { s.Algorithms = []string{"HS256"} }, "no shared secret"},
		{"no signature", func(s *Settings) { s.Algorithms = []string{"none"} }, "unsigned"},
		{"no signature, in another case", func(s *Settings) { s.Algorithms = []string{"NoNe"} }, "unsigned"},
		{"an algorithm in another case", func(s *Settings) { s.Algorithms = []string{"es256"} }, "written ES256"},
		{"Ed25519 in another case", func(s *Settings) { s.Algorithms = []string{"ED25519"} }, "written Ed25519"},
		{"an unknown algorithm", func(s *Settings) { s.Algorithms = []string{"hunter2"} }, "unrecognized"},
		{"a duplicate algorithm", func(s *Settings) { s.Algorithms = []string{"ES256", "ES256"} }, "duplicate"},
		{"plain http", func(s *Settings) { s.URL = "http://id.example.com" }, "must be https"},
		{"an issuer with a query", func(s *Settings) { s.URL += "?a=b" }, "query"},
		{"an issuer with an empty query", func(s *Settings) { s.URL += "?" }, "query"},
		{"where the metadata is", func(s *Settings) { s.URL += "/.well-known/openid-configuration" }, "that is in there"},
		{"an issuer with a fragment", func(s *Settings) { s.URL += "#" }, "fragment"},
		{"an issuer with a password", func(s *Settings) { s.URL = "https://a:hunter2@id.example.com" }, "user or a password"},
		{"an issuer without a host", func(s *Settings) { s.URL = "https:///staff" }, "absolute"},
		{"an issuer without a scheme", func(s *Settings) { s.URL = "id.example.com" }, "absolute"},
		{"an issuer with a space", func(s *Settings) { s.URL += " " }, "space"},
		{"another scheme", func(s *Settings) { s.URL = "ftp://id.example.com" }, "must be https"},
		{"a prefix with a line break", func(s *Settings) { s.UsernamePrefix = "a\n" }, "username_prefix"},
		{"a prefix with a space", func(s *Settings) { s.UsernamePrefix = "a b" }, "username_prefix"},
		{"a prefix that is not ASCII", func(s *Settings) { s.UsernamePrefix = "ü:" }, `username_prefix: "ü:" can only have letters`},
		{"a claim with a control character", func(s *Settings) { s.UsernameClaim = "a\x00" }, "claims: username"},
		{"a lifetime that is too short", func(s *Settings) { s.MaxLifetime = time.Second }, "max_lifetime"},
		{"a negative lifetime", func(s *Settings) { s.MaxLifetime = -time.Hour }, "max_lifetime"},
		{"a lifetime without a bound", func(s *Settings) { s.MaxLifetime = 1 << 62 }, "max_lifetime"},
		{"a negative leeway", func(s *Settings) { s.Leeway = -1 }, "leeway"},
		{"a leeway of an hour", func(s *Settings) { s.Leeway = time.Hour }, "leeway"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := Settings{URL: staff, Audience: []string{"a"}}
			test.change(&s)
			err := s.Validate()
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v, want one with %q", err, test.want)
			}
			if err != nil && strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the error has what may be a secret: %v", err)
			}
		})
	}
}

func TestOnlyThisMachineMayBeWithoutTLS(t *testing.T) {
	for url, ok := range map[string]bool{
		"https://id.example.com": true, "https://id.example.com:8443/a/": true, "HTTPS://id.example.com": true,
		"http://localhost": true, "http://LOCALHOST:8080": true, "http://127.0.0.1:1": true, "http://127.9.9.9": true,
		"http://[::1]:8080": true, "http://[::ffff:127.0.0.1]": true,
		"http://localhost.example.com": false, "http://127.0.0.1.example.com": false, "http://10.0.0.1": false,
		"http://0.0.0.0": false, "http://[::]": false, "http://2130706433": false, "http://id.example.com": false,
		"http:localhost": false, "file:///etc/passwd": false, "javascript:alert(1)": false, "": false, "//localhost": false,
	} {
		if err := ValidateURL(url); (err == nil) != ok {
			t.Errorf("%s: %v", url, err)
		}
		if err := ValidateJWKSURL(url); (err == nil) != ok {
			t.Errorf("jwks_url %s: %v", url, err)
		}
	}
	if err := ValidateJWKSURL("https://id.example.com/keys?appid=1"); err != nil {
		t.Errorf("with a query: %v", err)
	}
}

// OpenID Connect Discovery 1.0 §4.1, RFC 8414 §3.1.
func TestMetadataIsWhereTheSpecificationsSay(t *testing.T) {
	for issuer, want := range map[string][2]string{
		"https://a.example":         {"https://a.example/.well-known/openid-configuration", "https://a.example/.well-known/oauth-authorization-server"},
		"https://a.example/":        {"https://a.example/.well-known/openid-configuration", "https://a.example/.well-known/oauth-authorization-server"},
		"https://a.example:8/r/x":   {"https://a.example:8/r/x/.well-known/openid-configuration", "https://a.example:8/.well-known/oauth-authorization-server/r/x"},
		"https://a.example/r/":      {"https://a.example/r/.well-known/openid-configuration", "https://a.example/.well-known/oauth-authorization-server/r"},
		"https://a.example/a%2Fb":   {"https://a.example/a%2Fb/.well-known/openid-configuration", "https://a.example/.well-known/oauth-authorization-server/a%2Fb"},
		"http://[::1]:8080/realm/b": {"http://[::1]:8080/realm/b/.well-known/openid-configuration", "http://[::1]:8080/.well-known/oauth-authorization-server/realm/b"},
	} {
		urls := metadataURLs(must(parseURL(issuer)))
		if urls[0].String() != want[0] || urls[1].String() != want[1] {
			t.Errorf("%s: %v", issuer, urls)
		}
	}
}
