package browser

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestCookiesAreSetAsBrowsersTakeThem(t *testing.T) {
	for _, tt := range []struct {
		name    string
		cookie  SetCookie
		set     string
		cleared []string
	}{
		{
			"for a host over TLS", SetCookie{Name: "__Host-s", Value: "v", Secure: true},
			"__Host-s=v; Path=/; HttpOnly; Secure; SameSite=Lax",
			[]string{"__Host-s=; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=Lax"},
		}, {
			"for a host over HTTP", SetCookie{Name: "s", Value: "v"},
			"s=v; Path=/; HttpOnly; SameSite=Lax",
			[]string{"s=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax"},
		}, {
			"for a domain", SetCookie{Name: "__Secure-s", Value: "v", Domain: "example.com", Secure: true},
			"__Secure-s=v; Path=/; Domain=example.com; HttpOnly; Secure; SameSite=Lax",
			[]string{
				"__Secure-s=; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=Lax",
				"__Secure-s=; Path=/; Domain=example.com; Max-Age=0; HttpOnly; Secure; SameSite=Lax",
			},
		}, {
			"for some days", SetCookie{Name: "s", Value: "v", MaxAge: 48 * time.Hour},
			"s=v; Path=/; Max-Age=172800; HttpOnly; SameSite=Lax",
			[]string{"s=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax"},
		}, {
			"for less than a second, and not until the browser ends", SetCookie{Name: "s", Value: "v", MaxAge: time.Millisecond},
			"s=v; Path=/; Max-Age=1; HttpOnly; SameSite=Lax",
			[]string{"s=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax"},
		}, {
			"a __Host- cookie is never of a domain", SetCookie{Name: "__Host-s", Value: "v", Domain: "example.com", Secure: true},
			"__Host-s=v; Path=/; HttpOnly; Secure; SameSite=Lax",
			[]string{"__Host-s=; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=Lax"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			set, cleared := http.Header{"Set-Cookie": {"app=1"}}, http.Header{"Set-Cookie": {"app=1"}}
			tt.cookie.AddTo(set)
			tt.cookie.ClearFrom(cleared)
			if got := set["Set-Cookie"]; !slices.Equal(got, []string{"app=1", tt.set}) {
				t.Errorf("set is\n%q, want\n%q", got, tt.set)
			}
			if got := cleared["Set-Cookie"]; !slices.Equal(got, append([]string{"app=1"}, tt.cleared...)) {
				t.Errorf("cleared is\n%q, want\n%q", got, tt.cleared)
			}
		})
	}
}

func TestCookieNamesOfAConfig(t *testing.T) {
	for name, want := range map[string]string{
		"session": "", "caddy-grant_2.x": "", "a": "", "_": "", "_s": "", strings.Repeat("a", 128): "",
		"":                       "empty",
		strings.Repeat("a", 129): "the maximum is 128",
		"a b":                    "not a valid cookie name",
		"a=b":                    "not a valid cookie name",
		"a;b":                    "not a valid cookie name",
		"a,b":                    "not a valid cookie name",
		`"a"`:                    "not a valid cookie name",
		"a\tb":                   "not a valid cookie name",
		"a\n":                    "not a valid cookie name",
		"é":                      "not a valid cookie name",
		"$Version":               "not a valid cookie name",
		"__Host-a":               "leave out the prefix",
		"__host-a":               "leave out the prefix",
		"__Secure-a":             "leave out the prefix",
		"__Http-a":               "leave out the prefix",
	} {
		if err := ValidateCookieName(name); (err != nil) != (want != "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", name, err, want)
		}
	}
}
