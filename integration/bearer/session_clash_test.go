package bearer

import (
	"net/http"
	"strings"
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
)

// An attacker sent two cookies of their own to an app that visitors may see without a
// login. A cache kept the answer, with the Set-Cookie that clears both, and logged out
// everyone who got it.
func TestAnAnswerThatClearsCookiesIsNotKeptByCaches(t *testing.T) {
	s := harness.NewSite(t)
	users := s.Write("users.htpasswd", "alice:"+harness.HashCheap+"\n")
	s.Reload("", `http://127.0.0.1:%PORT% {
	token_endpoint {
		users htpasswd `+users+`
		login_page
	}
	bearer_auth {
		optional
	}
	route {
		header Cache-Control "public, max-age=60"
		respond "for all"
	}
}
`)
	s.Client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	logIn := func() string {
		a := s.Do(s.Request("POST", "/token/login", "username=alice&password=correct+horse"))
		a.Want(t, 303, "")
		cookie, _, _ := strings.Cut(a.Header.Get("Set-Cookie"), ";")
		return cookie
	}
	a := s.Do(s.Request("GET", "/", "", "Cookie: "+logIn()+"; "+logIn()))
	if a.Want(t, 200, ""); !strings.Contains(a.Header.Get("Set-Cookie"), "Max-Age=0") {
		t.Errorf("two sessions: the cookies are not cleared: %v", a.Header)
	}
	if got := a.Header.Get("Cache-Control"); got != "private, max-age=60" {
		t.Errorf("two sessions: Cache-Control is %q", got)
	}
	a = s.Do(s.Request("GET", "/", ""))
	if got := a.Header.Get("Cache-Control"); got != "public, max-age=60" {
		t.Errorf("no session: Cache-Control is %q", got)
	}
}
