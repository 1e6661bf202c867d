package token

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
)

// endingSite has clients whose password grant ends, or has ended, in all ways.
const endingSite = `http://127.0.0.1:%PORT% {
	header Link "<https://example.com/terms>; rel=\"terms-of-service\""
	token_endpoint {
		client web {
			secret web-secret
			deprecation 2026-01-01
			deprecation_link https://example.com/no-more-passwords
			sunset 2027-01-31T18:00:00+01:00
		}
		client over {
			public
			sunset 2026-01-01
		}
		client later {
			public
			deprecation 2999-01-01
		}
		client gone {
			public
			grants refresh_token
			deprecation 2026-01-01
		}
		client other {
			public
		}
		clients json %DIR%/clients.json
		user alice ` + harness.HashBcrypt + `
		login_page
	}
	respond "the app"
}
`

// announcements are the headers of an answer that announce an end.
func announcements(a harness.Answer) (found []string) {
	for _, name := range []string{"Deprecation", "Sunset", "Link"} {
		for _, value := range a.Header.Values(name) {
			found = append(found, name+": "+value)
		}
	}
	return found
}

// RFC 9745 §2, RFC 8594 §3
func TestAClientIsToldThatItsPasswordGrantEnds(t *testing.T) {
	s := harness.NewSite(t)
	s.WriteOld("clients.json", `{"clients":[{"id":"file","public":true,"deprecation":"2026-06-01","sunset":"2026-06-01"}]}`)
	s.Reload("", harness.WithCheapHashes(t, endingSite))
	s.Client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

	const terms = `Link: <https://example.com/terms>; rel="terms-of-service"`
	web := []string{
		"Deprecation: @1767225600", "Sunset: Sun, 31 Jan 2027 17:00:00 GMT",
		terms, `Link: <https://example.com/no-more-passwords>; rel="deprecation"; type="text/html"`,
	}
	first := s.Login("alice", "correct horse")
	for name, test := range map[string]struct {
		answer harness.Answer
		status int
		code   string
		want   []string
	}{
		"a login":                      {first, 200, "", web},
		"a wrong password":             {s.Login("alice", "wrong"), 400, "invalid_grant", web},
		"a missing password":           {s.Login("alice", ""), 400, "invalid_request", web},
		"a scope that there is not":    {s.Login("alice", "correct horse", "scope", "x"), 400, "invalid_scope", web},
		"a wrong secret":               {s.Login("alice", "correct horse", "client_secret", "wrong"), 400, "invalid_client", []string{terms}},
		"a refresh":                    {s.Web().Refresh(first.Text(t, "refresh_token")), 200, "", []string{terms}},
		"a revocation":                 {s.Web().Revoke("x"), 200, "", []string{terms}},
		"the login page":               {s.Post("/token/login", "username=alice&password=correct+horse", "Origin: "+s.URL("")), 303, "", []string{terms}},
		"a sunset that has passed":     {s.Login("alice", "correct horse", "client_id", "over", "client_secret", ""), 200, "", []string{"Sunset: Thu, 01 Jan 2026 00:00:00 GMT", terms}},
		"a deprecation that will come": {s.Login("alice", "correct horse", "client_id", "later", "client_secret", ""), 200, "", []string{"Deprecation: @32472144000", terms}},
		"a client that may not":        {s.Login("alice", "correct horse", "client_id", "gone", "client_secret", ""), 400, "unauthorized_client", []string{"Deprecation: @1767225600", terms}},
		"a client of a file": {
			s.Login("alice", "correct horse", "client_id", "file", "client_secret", ""), 200, "",
			[]string{"Deprecation: @1780272000", "Sunset: Mon, 01 Jun 2026 00:00:00 GMT", terms},
		},
		"another client": {s.Login("alice", "correct horse", "client_id", "other", "client_secret", ""), 200, "", []string{terms}},
	} {
		test.answer.Want(t, test.status, test.code)
		if got := announcements(test.answer); !slices.Equal(got, test.want) {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}

func TestASunsetInAFileFollowsIt(t *testing.T) {
	s := harness.NewSite(t)
	write := func(more string) {
		s.Write("clients.json", `{"clients":[{"id":"web","public":true`+more+`}]}`)
	}
	write("")
	s.Reload("", strings.Replace(harness.WithCheapHashes(t, harness.WebSite("clients json %DIR%/clients.json\n\t\tuser alice "+harness.HashBcrypt)), "client web {\n\t\t\tsecret web-secret\n\t\t\tscopes read write\n\t\t}", "", 1))
	login := func() []string { return announcements(s.Login("alice", "correct horse", "client_secret", "")) }
	if got := login(); len(got) > 0 {
		t.Errorf("nothing is deprecated, but it says %q", got)
	}
	write(`,"deprecation":"2026-01-01"`)
	harness.Eventually(t, "it is announced", func() bool { return slices.Equal(login(), []string{"Deprecation: @1767225600"}) })
	write(`,"deprecation":"2026-01-02","sunset":"2026-01-01"`) // which is an error
	harness.Eventually(t, "the file is refused", func() bool {
		return len(s.Logged(func(line map[string]any) bool {
			return line["level"] == "error" && strings.Contains(fmt.Sprint(line["error"]), "before the deprecation")
		})) == 1
	})
	if got := login(); !slices.Equal(got, []string{"Deprecation: @1767225600"}) {
		t.Errorf("it says %q", got)
	}
}

// What a client may not do, or no longer does, is not worth a warning.
func TestASunsetThatHasPassedIsWarnedOf(t *testing.T) {
	s := harness.NewSite(t)
	tomorrow := time.Now().AddDate(0, 0, 1).UTC().Format(time.DateOnly)
	s.WriteOld("clients.json", `{"clients":[
		{"id":"a","public":true,"sunset":"2026-01-01"},
		{"id":"b","public":true,"sunset":"2026-01-02"},
		{"id":"c","public":true,"sunset":"2026-01-01","grants":["refresh_token"]},
		{"id":"d","public":true,"sunset":"`+tomorrow+`"}]}`)
	warnings := func() (found []string) {
		for _, line := range s.Logged(func(line map[string]any) bool {
			return line["level"] == "warn" && line["msg"] == "clients may use the password grant after its sunset"
		}) {
			found = append(found, fmt.Sprint(line["client_id"], " of ", line["count"], " in ", line["source"], " until ", line["sunset"]))
		}
		return found
	}
	s.Reload("", harness.WithCheapHashes(t, endingSite))
	want := []string{
		"over of 1 in clients in the config until 2026-01-01",
		"a of 2 in clients file " + s.Path("clients.json") + " until 2026-01-01",
	}
	if got := warnings(); !slices.Equal(got, want) {
		t.Errorf("warned of %q, want %q", got, want)
	}
	s.Reload("", harness.WithCheapHashes(t, strings.Replace(endingSite, "\t\tlogin_page\n", "\t\tlogin_page\n\t\tgrants refresh_token\n", 1)))
	if got := warnings(); len(got) != 2 {
		t.Errorf("without the grant it warns of %q", got[2:])
	}
}
