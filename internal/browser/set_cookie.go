package browser

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"golang.org/x/net/http/httpguts"
)

// SetCookie is a cookie that a browser is given. Without a Domain it is for the host
// alone, as one with the prefix __Host- always is; without a MaxAge it ends with the
// browser.
type SetCookie struct {
	Name, Value string
	Domain      string
	Secure      bool
	MaxAge      time.Duration
}

// AddTo sets the cookie in an answer.
func (c SetCookie) AddTo(h http.Header) {
	maxAge := 0
	if c.MaxAge > 0 {
		maxAge = max(1, int(c.MaxAge/time.Second)) // 0 would leave it out
	}
	c.add(h, c.domain(), c.Value, maxAge)
}

// ClearFrom clears the cookie in an answer, for the host and for the domain if there is
// one: a browser keeps these as two cookies.
func (c SetCookie) ClearFrom(h http.Header) {
	c.add(h, "", "", -1)
	if domain := c.domain(); domain != "" {
		c.add(h, domain, "", -1)
	}
}

func (c SetCookie) domain() string {
	if strings.HasPrefix(c.Name, "__Host-") {
		return ""
	}
	return c.Domain
}

func (c SetCookie) add(h http.Header, domain, value string, maxAge int) {
	cookie := http.Cookie{
		Name: c.Name, Value: value, Path: "/", Domain: domain, MaxAge: maxAge,
		HttpOnly: true, Secure: c.Secure, SameSite: http.SameSiteLaxMode,
	}
	if line := cookie.String(); line != "" {
		h.Add("Set-Cookie", line)
	}
}

const maxCookieName = 128

// ValidateCookieName checks a name of a config. Its prefix goes by the scheme.
func ValidateCookieName(name string) error {
	switch {
	case name == "":
		return errors.New("the cookie name is empty")
	case len(name) > maxCookieName:
		return fmt.Errorf("the cookie name has %d characters; the maximum is %d", len(name), maxCookieName)
	case !httpguts.ValidHeaderFieldName(name) || name[0] == '$':
		return fmt.Errorf("%q is not a valid cookie name: use letters, digits, - and _", name)
	case strings.HasPrefix(name, "__"):
		return fmt.Errorf("cookie name %q: leave out the prefix; __Host- or __Secure- is added where the cookie may have it", name)
	}
	return nil
}
