package wire

import (
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/caddygrant/caddy-grant/internal/oauth"
)

// Whatever the body is, it is read as net/url reads it, and refused for the reasons that
// the RFC and our limits give.
func FuzzParseForm(f *testing.F) {
	for _, body := range []string{
		"",
		"grant_type=password&username=alice&password=correct+horse",
		"grant_type=password&username=na%C3%AFve&password=%F0%9F%90%8E%20a%2Bb",
		"scope=&state=x&state=y",
		"a=1&a=",
		"a=1&%61=2",
		"a%00=1",
		"a=%00&a=",
		"a=%ff",
		"a=\xff",
		"%c3=%a9", // UTF-8 only if name and value are read as one
		"a=%c3&%a9=b",
		"a=1;b=2",
		"a=%3B",
		"a=%zz&b=%",
		"a=%4",
		"a=%4g",
		"a=%+4",
		"%zz=1&a=1&a=2",
		"=value&&&name",
		"=&=",
		"a=b=c&%61=2",
		"password=%E2%80",
		strings.Repeat("a&", 20),
		strings.Repeat("&", maxParameters),
		strings.Repeat("&", maxParameters-1),
		"resource=https%3A%2F%2Fa&resource=&resource=b",
		"resource=a&resource=%ff",
		numbered(fewParameters) + "&n3=x",
		numbered(fewParameters-1) + "&n3=x",
		numbered(maxParameters),
		numbered(maxParameters + 1),
		numbered(20) + "&resource=a&resource=b",
	} {
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body string) {
		params, err := ParseForm([]byte(body))
		want, reasons := byNetURL(body)
		if err != nil {
			if params != nil {
				t.Fatalf("refused, and yet parsed to %q", params)
			}
			refusal, ok := errors.AsType[*oauth.Error](err)
			if !ok || refusal.Status != 400 || refusal.Code != oauth.CodeInvalidRequest || !slices.Contains(reasons, refusal.Reason) {
				t.Fatalf("refused with %v, want one of %q", err, reasons)
			}
			return
		}
		if len(reasons) > 0 {
			t.Fatalf("accepted as %q, want one of %q", params, reasons)
		}
		got := make(url.Values)
		for _, p := range params {
			if !isText(p.name) || !isText(p.value) || p.value == "" {
				t.Fatalf("accepted %q=%q", p.name, p.value)
			}
			got.Add(p.name, p.value)
		}
		if !maps.EqualFunc(got, want, slices.Equal) {
			t.Fatalf("%q parses to %q, want %q", body, got, want)
		}
		for name, list := range want {
			if params.Get(name) != list[0] {
				t.Fatalf("%q has %q=%q, want %q", body, name, params.Get(name), list[0])
			}
		}
		again, err := ParseForm([]byte(want.Encode()))
		if err != nil || len(again) != len(params) {
			t.Fatalf("%q parses to %q, encoded anew to %q, %v", body, params, again, err)
		}
	})
}

// byNetURL reads a form by the standard library. The reasons are those for which the
// form may be refused; it is accepted if there are none.
func byNetURL(body string) (params url.Values, reasons []string) {
	if len(strings.Split(body, "&")) > 100 {
		return nil, []string{"too_many_parameters"}
	}
	params, err := url.ParseQuery(body)
	if err != nil {
		return nil, []string{"form_malformed"}
	}
	for name, list := range params {
		if len(list) > 1 && name != "resource" {
			reasons = append(reasons, "parameter_repeated")
		} else if !isText(name) || slices.ContainsFunc(list, func(value string) bool { return !isText(value) }) {
			reasons = append(reasons, "form_malformed")
		}
		if list = slices.DeleteFunc(list, func(value string) bool { return value == "" }); len(list) > 0 {
			params[name] = list
		} else {
			delete(params, name)
		}
	}
	return params, reasons
}

// numbered is a form with n parameters of different names.
func numbered(n int) string {
	var pairs []string
	for i := range n {
		pairs = append(pairs, fmt.Sprintf("n%d=%%%02x", i, 'a'+i%26))
	}
	return strings.Join(pairs, "&")
}

// One string and one list, however many parameters there are and whether or not they are
// encoded.
func TestAFormTakesTwoAllocations(t *testing.T) {
	for _, form := range []string{
		"grant_type=password&client_id=web&client_secret=s3cret&username=alice&password=alice",
		"grant_type=password&client_id=web&username=na%C3%AFve&password=a+b%26c%3D&scope=read+write&state=",
	} {
		body := make([]byte, len(form))
		if n := testing.AllocsPerRun(100, func() {
			copy(body, form)
			if _, err := ParseForm(body); err != nil {
				t.Fatal(err)
			}
		}); n != 2 {
			t.Errorf("%v allocations for %s", n, form)
		}
	}
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
