package oauthclient

import "testing"

func TestAPlaceHasOneSpelling(t *testing.T) {
	for text, want := range map[string]string{
		"HTTPS://App.Example.com:443/":  "https://app.example.com",
		"app.example.com/token//":       "https://app.example.com/token",
		"http://[::1]:80/":              "http://[::1]",
		"https://app.example.com:8443/": "https://app.example.com:8443",
		"https://app.example.com/a%2F/": "https://app.example.com/a%2F",
		"http://localhost:443/Token/":   "http://localhost:443/Token",
	} {
		if u, err := new(Client).Parse(text); err != nil || u.String() != want || !Same(u.String(), want) {
			t.Errorf("%s is read as %v (%v), want %s", text, u, err, want)
		}
	}
	if Same("https://app.example.com/token", "https://app.example.com/Token") || Same("https://a.example", "http://a.example") {
		t.Error("two places are taken for one")
	}
}
