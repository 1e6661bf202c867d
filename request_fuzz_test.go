package caddygrant

import (
	"encoding/base64"
	"errors"
	"maps"
	"net/url"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// What the form parser accepts is text, once per name, and has one meaning: encoded anew
// it parses to the same.
func FuzzParseForm(f *testing.F) {
	for _, body := range []string{
		"",
		"grant_type=password&username=alice&password=correct+horse",
		"grant_type=password&username=na%C3%AFve&password=%F0%9F%90%8E%20a%2Bb",
		"scope=&state=x&state=y",
		"a=1&a=",
		"a%00=1",
		"a=%ff",
		"a=\xff",
		"a=1;b=2",
		"a=%zz&b=%",
		"=value&&&name",
		"a=b=c&%61=2",
		"password=%E2%80",
		strings.Repeat("a&", 20),
	} {
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body string) {
		params, err := parseForm(body)
		if err != nil {
			if params != nil {
				t.Fatalf("refused, and yet parsed to %q", params)
			}
			refusal, ok := errors.AsType[*oauthError](err)
			if !ok || refusal.status != 400 || refusal.code != codeInvalidRequest {
				t.Fatalf("refused with %v", err)
			}
			return
		}
		for name, list := range params {
			if !isText(name) || len(list) != 1 || !isText(list[0]) || list[0] == "" {
				t.Fatalf("accepted %q=%q", name, list)
			}
		}
		// nothing that was there twice, empty or not, has been accepted
		raw, err := url.ParseQuery(body)
		if err != nil {
			t.Fatalf("accepted what is no form: %v", err)
		}
		for name, list := range raw {
			if len(list) != 1 {
				t.Fatalf("accepted %q %d times", name, len(list))
			}
		}
		again, err := parseForm(params.Encode())
		if err != nil || !maps.EqualFunc(params, again, slices.Equal) {
			t.Fatalf("%q parses to %q, encoded anew to %q, %v", body, params, again, err)
		}
	})
}

// A real client's header gives back its id and secret, whatever is in them (RFC 6749
// §2.3.1), and any other header is refused or gives text.
func FuzzParseBasic(f *testing.F) {
	for _, seed := range [][3]string{
		{"web", "web-secret", "Basic d2ViOndlYi1zZWNyZXQ="},
		{"a:b", "c:d", "basic YTpiOmM6ZA=="},
		{"50%+1", " +%25&=", "Basic"},
		{"", "", "Basic Og=="},
		{"naïve", "🐎", "BASIC w69hOg=="},
		{"\x1f", "\n\r\t", "Basic d2Vi\nOnM="},
		{"web", "", "Basic d2ViOndlYi1zZWNyZXQ"},
		{"web", "s", "Basic  d2Viw7NzOg=="},
		{"%", "%zz", "Basic JXp6OiV6eg=="},
		{"web", "\u0000", "Basic d2ViOgA="},
		{"web", "s", "Bearer d2ViOndlYi1zZWNyZXQ="},
	} {
		f.Add(seed[0], seed[1], seed[2])
	}
	f.Fuzz(func(t *testing.T, id, secret, header string) {
		if gotID, gotSecret, ok := parseBasic(header); ok {
			if !isText(gotID) || !isText(gotSecret) {
				t.Fatalf("%q gives %q and %q", header, gotID, gotSecret)
			}
			if scheme, _, _ := strings.Cut(header, " "); !strings.EqualFold(scheme, "basic") {
				t.Fatalf("%q is not Basic", header)
			}
		} else if gotID != "" || gotSecret != "" {
			t.Fatalf("%q is refused and gives %q and %q", header, gotID, gotSecret)
		}

		encoded := base64.StdEncoding.EncodeToString([]byte(url.QueryEscape(id) + ":" + url.QueryEscape(secret)))
		gotID, gotSecret, ok := parseBasic("Basic " + encoded)
		if !isText(id) || !isText(secret) || len(encoded) > maxBasicLength {
			if ok {
				t.Fatalf("id %q and secret %q are accepted", id, secret)
			}
			return
		}
		if !ok || gotID != id || gotSecret != secret {
			t.Fatalf("id %q and secret %q become %q, %q, %v", id, secret, gotID, gotSecret, ok)
		}
	})
}

// An accepted scope is a set with one spelling: joined and parsed again it is the same,
// and every name keeps to the characters of RFC 6749 §3.3.
func FuzzParseScope(f *testing.F) {
	for _, scope := range []string{
		"", " ", "read", "read write", "read  write", " read", "read ", "read read write read",
		"READ read", "a\tb", "a\"b", `a\b`, "naïve", "read\x00", "read\nwrite", "!#[]^~",
		strings.Repeat("x", maxScopeLength), strings.Repeat("x", maxScopeLength+1),
		strings.Repeat("x ", maxScopes) + "y",
	} {
		f.Add(scope)
	}
	f.Fuzz(func(t *testing.T, value string) {
		scopes, ok := parseScope(value)
		if !ok {
			return
		}
		if len(scopes) == 0 || len(scopes) > maxScopes {
			t.Fatalf("%q gives %d scopes", value, len(scopes))
		}
		for i, scope := range scopes {
			if scope == "" || len(scope) > maxScopeLength || slices.Contains(scopes[:i], scope) {
				t.Fatalf("%q gives %q", value, scopes)
			}
			if strings.ContainsFunc(scope, func(r rune) bool { return r <= 0x20 || r >= 0x7f || r == '"' || r == '\\' }) {
				t.Fatalf("%q gives the scope %q", value, scope)
			}
		}
		// nothing asked for is lost, and nothing comes from nowhere
		for _, word := range strings.Split(value, " ") {
			if !slices.Contains(scopes, word) {
				t.Fatalf("%q lost %q: %q", value, word, scopes)
			}
		}
		normal := strings.Join(scopes, " ")
		again, ok := parseScope(normal)
		if !ok || !slices.Equal(scopes, again) || len(normal) > len(value) {
			t.Fatalf("%q gives %q, which gives %q, %v", value, scopes, again, ok)
		}
	})
}

// isText is written apart from the product's own check, so that both have to agree.
func isText(s string) bool { return utf8.ValidString(s) && !strings.Contains(s, "\x00") }
