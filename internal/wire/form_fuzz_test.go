package wire

import (
	"encoding/base64"
	"errors"
	"maps"
	"net/url"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/caddygrant/caddy-grant/internal/oauth"
)

// What the form parser accepts is text, once per name, and has one meaning: encoded
// again it parses to the same.
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
		strings.Repeat("&", maxParameters),
		"resource=https%3A%2F%2Fa&resource=&resource=b",
		"resource=a&resource=%ff",
	} {
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body string) {
		params, err := ParseForm(body)
		if err != nil {
			if params != nil {
				t.Fatalf("refused, and yet parsed to %q", params)
			}
			refusal, ok := errors.AsType[*oauth.Error](err)
			if !ok || refusal.Status != 400 || refusal.Code != oauth.CodeInvalidRequest {
				t.Fatalf("refused with %v", err)
			}
			return
		}
		for name, list := range params {
			if !isText(name) || len(list) != 1 && name != "resource" || len(list) == 0 {
				t.Fatalf("accepted %q=%q", name, list)
			}
			for _, value := range list {
				if !isText(value) || value == "" {
					t.Fatalf("accepted %q=%q", name, list)
				}
			}
		}
		// no repeated parameter, empty or not, has been accepted
		raw, err := url.ParseQuery(body)
		if err != nil {
			t.Fatalf("accepted what is not a form: %v", err)
		}
		for name, list := range raw {
			if len(list) != 1 && name != "resource" {
				t.Fatalf("accepted %q %d times", name, len(list))
			}
		}
		if pieces := strings.Split(body, "&"); len(pieces) > 100 {
			t.Fatalf("accepted %d parameters", len(pieces))
		}
		again, err := ParseForm(params.Encode())
		if err != nil || !maps.EqualFunc(params, again, slices.Equal) {
			t.Fatalf("%q parses to %q, encoded anew to %q, %v", body, params, again, err)
		}
	})
}

// A real client's header gives back its id and secret, whatever is in them (RFC 6749
// §2.3.1) and whether or not it encodes them, and any other header is refused or gives
// text.
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
		presented, ok := parseBasic(header)
		if ok != (presented.n > 0) {
			t.Fatalf("%q: %v with %d readings", header, ok, presented.n)
		}
		for _, reading := range presented.All() {
			if !isText(reading.ID) || !isText(reading.Secret) {
				t.Fatalf("%q gives %q", header, reading)
			}
			if scheme, _, _ := strings.Cut(header, " "); !strings.EqualFold(scheme, "basic") {
				t.Fatalf("%q is not Basic", header)
			}
		}
		if presented.n == 2 {
			first, second := presented.Readings[0], presented.Readings[1]
			if first == second || (first.ID == "") != (second.ID == "") || (first.Secret == "") != (second.Secret == "") || !presented.Escaped {
				t.Fatalf("%q gives %q", header, presented.Readings)
			}
		}

		// a client that encodes has the first reading, and one that does not has one of
		// the two
		encoded := base64.StdEncoding.EncodeToString([]byte(url.QueryEscape(id) + ":" + url.QueryEscape(secret)))
		presented, ok = parseBasic("Basic " + encoded)
		if isText(id) && isText(secret) && len(encoded) <= maxBasicLength {
			if !ok || presented.Readings[0] != (ClientCredentials{id, secret}) {
				t.Fatalf("id %q and secret %q become %q, %v", id, secret, presented.Readings, ok)
			}
		} else if slices.Contains(presented.All(), ClientCredentials{id, secret}) {
			t.Fatalf("id %q and secret %q are accepted", id, secret)
		}
		raw := base64.StdEncoding.EncodeToString([]byte(id + ":" + secret))
		presented, ok = parseBasic("Basic " + raw)
		if !strings.Contains(id, ":") && isText(id) && isText(secret) && len(raw) <= maxBasicLength {
			if !ok || !slices.Contains(presented.All(), ClientCredentials{id, secret}) {
				t.Fatalf("id %q and secret %q, not encoded, become %q, %v", id, secret, presented.All(), ok)
			}
		}
	})
}

// isText is written apart from the product's own check, so that both have to agree.
func isText(s string) bool { return utf8.ValidString(s) && !strings.Contains(s, "\x00") }
