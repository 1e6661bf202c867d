package browser

import (
	"net/http"
	"strings"
	"testing"
)

func TestDomainsOfAConfig(t *testing.T) {
	long := strings.Repeat(strings.Repeat("a", 49)+".", 5)
	for domain, want := range map[string]string{
		"example.com":           "",
		"Example.COM":           "",
		"apps.example.com":      "",
		"a.b.c.example.co.uk":   "",
		"example.co.uk":         "",
		"me.github.io":          "",
		"www.ck":                "", // an exception to *.ck
		"home.internal":         "", // not in the list
		"nas.home.arpa":         "",
		"xn--bcher-kva.example": "",
		"1and1.com":             "",
		"4.example.com":         "",
		"a--b.example.com":      "",

		"":                               "it is empty",
		".example.com":                   "dot at the beginning",
		"example.com.":                   "dot at the end",
		"example..com":                   "two dots",
		".":                              "dot at the beginning",
		"https://example.com":            "leave out the scheme",
		"example.com:443":                "leave out the port",
		"example.com/":                   "'/' is not allowed",
		"*.example.com":                  "'*' is not allowed",
		"my_app.example.com":             "'_' is not allowed",
		"my app.example.com":             "' ' is not allowed",
		"example.com;":                   "';' is not allowed",
		"example.com\n":                  `'\n' is not allowed`,
		"-a.example.com":                 "hyphen",
		"a-.example.com":                 "hyphen",
		"bücher.example":                 "xn--bcher-kva",
		long + "com":                     "",
		long + "example.com":             "the maximum is 253",
		strings.Repeat("a", 64) + ".com": "the maximum is 63",

		"localhost":        "of localhost",
		"LOCALHOST":        "of localhost",
		"nas":              "single label",
		"com":              "single label",
		"co.uk":            "public suffix",
		"CO.UK":            "public suffix",
		"github.io":        "public suffix", // of the private section
		"s3.amazonaws.com": "public suffix",
		"foo.ck":           "public suffix", // by *.ck
		"home.arpa":        "public suffix",
		"xn--55qx5d.cn":    "public suffix",

		"127.0.0.1":    "an address",
		"127.0.0.1:80": "an address",
		"127.1":        "an address",
		"1.2.3.4.5":    "an address",
		"0x7f.0.0.0x1": "an address",
		"example.0x":   "an address",
		"2130706433":   "an address",
		"::1":          "an address",
		"[::1]":        "an address",
		"[::1]:443":    "an address",
		"fe80::1%eth0": "an address",
	} {
		err := ValidateDomain(domain)
		if (err != nil) != (want != "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", domain, err, want)
		}
		// What net/http does not take for a domain it leaves out without a word.
		if err == nil && (&http.Cookie{Name: "s", Domain: domain}).Valid() != nil {
			t.Errorf("%q is accepted, but net/http leaves it out", domain)
		}
	}
}

func TestADomainCoversItsSubdomains(t *testing.T) {
	for _, tt := range []struct {
		domain, host string
		want         bool
	}{
		{"example.com", "example.com", true},
		{"example.com", "app.example.com", true},
		{"example.com", "a.b.example.com", true},
		{"example.com", "app.example.com:8443", true},
		{"example.com", "APP.Example.Com", true},
		{"Example.Com", "app.example.com", true},
		{"app.example.com", "example.com", false},
		{"example.com", "notexample.com", false},
		{"example.com", "example.com.evil.example", false},
		{"example.com", "example.com.", false}, // browsers keep this host apart
		{"example.com", ".example.com", false},
		{"example.com", "com", false},
		{"example.com", "localhost:8080", false},
		{"example.com", "127.0.0.1:8080", false},
		{"example.com", "[::1]:8080", false},
		{"example.com", "", false},
		{"", "example.com", false},
		{"", "", false},
	} {
		if got := DomainCovers(tt.domain, tt.host); got != tt.want {
			t.Errorf("%q covers %q: %v", tt.domain, tt.host, got)
		}
	}
}
