package session

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
)

// Sections A and E of the conformance list at the endpoints of sessions: revocation,
// introspection, and the token endpoint as far as a refresh is concerned.

// sessionRequest is a request that succeeds at one of them.
type sessionRequest struct {
	name, path, form, secret string // secret is the name of its parameter with a token
}

func sessionRequests(s *harness.Site, session harness.TokenPair) []sessionRequest {
	web := s.Web()
	return []sessionRequest{
		{"revoke", "/token/revoke", web.Form("token", session.Refresh), "token"},
		{"introspect", "/token/introspect", web.Form("token", session.Refresh), "token"},
		{"refresh", "/token", web.RefreshForm(session.Refresh), "refresh_token"},
	}
}

func TestRevokeAndIntrospectMethods(t *testing.T) {
	s := harness.StartSessions(t, "")
	web := s.Web()
	session := web.Login(t, "alice")
	for _, r := range sessionRequests(s, session) {
		for _, method := range []string{"GET", "HEAD", "PUT", "DELETE", "PATCH", "post"} {
			t.Run("A1, J1, K2: "+method+" at "+r.name+" is answered 405 and names POST", func(t *testing.T) {
				a := s.Do(s.Request(method, r.path, r.form))
				if a.Status != http.StatusMethodNotAllowed || a.Header.Get("Allow") != "POST" {
					t.Fatalf("got %d, Allow %q", a.Status, a.Header.Get("Allow"))
				}
				if method != "HEAD" {
					a.Want(t, 405, "invalid_request")
					harness.WellFormedError(t, a)
				}
			})
		}
		t.Run("E6: OPTIONS at "+r.name+" goes to the next handler, over plain HTTP too", func(t *testing.T) {
			for _, headers := range [][]string{{"Origin: https://app.example.com", "Access-Control-Request-Method: POST"}, {"X-Forwarded-Proto: http"}} {
				if a := s.Do(s.Request("OPTIONS", r.path, "", headers...)); a.Status != 200 || string(a.Body) != "the app" {
					t.Errorf("got %d %s", a.Status, a.Body)
				}
			}
		})
	}
	t.Run("paths are matched as Caddy matches them", func(t *testing.T) {
		for _, path := range []string{"/TOKEN/Introspect", "//token//introspect", "/token/introspect?x=1", "/token/%69ntrospect", "/token/introspect/", "/token/introspect//"} {
			if a := s.Post(path, web.Form("token", session.Access)); a.JSON["active"] != true {
				t.Errorf("%s: got %d %s", path, a.Status, a.Body)
			}
		}
	})
	t.Run("what is below or beside them is no endpoint, and not the app's", func(t *testing.T) {
		for _, path := range []string{"/token/revoke/x", "/token/revoke/x/", "/token/introspect/revoke", "/token/revok", "/token/introspection", "/token/refresh"} {
			a := s.Post(path, web.Form("token", session.Refresh))
			a.Want(t, 404, "invalid_request")
			harness.WellFormedError(t, a)
		}
	})
	web.WantGoing(t, session)
}

// Every one of these is refused before anything is done.
func TestRevokeAndIntrospectRequestsThatAreRefused(t *testing.T) {
	s := harness.StartSessions(t, "")
	web := s.Web()
	session := web.Login(t, "alice")
	const marker = `"><script>\näïve`
	for _, r := range sessionRequests(s, session) {
		twice := func(name, value string) string { return r.form + "&" + url.Values{name: {value}}.Encode() }
		for _, test := range []struct {
			name, query, body string
			headers           []string
			status            int
			code              string
		}{
			{"A3: JSON", "", `{"token":"` + session.Refresh + `"}`, []string{"Content-Type: application/json"}, 400, "invalid_request"},
			{"A3: a form that is called text", "", r.form, []string{"Content-Type: text/plain"}, 400, "invalid_request"},
			{"A3: multipart", "", r.form, []string{"Content-Type: multipart/form-data; boundary=b"}, 400, "invalid_request"},
			{"A3: no Content-Type", "", r.form, []string{"Content-Type: "}, 400, "invalid_request"},
			{"A4, G1, J9, K2: the token is empty", "", strings.Replace(r.form, session.Refresh, "", 1), nil, 400, "invalid_request"},
			{"A6: the token twice, equal", "", twice(r.secret, session.Refresh), nil, 400, "invalid_request"},
			{"A6: the token twice, once empty", "", twice(r.secret, ""), nil, 400, "invalid_request"},
			{"A6: client_id twice", "", twice("client_id", "web"), nil, 400, "invalid_request"},
			{"A6: client_secret twice", "", twice("client_secret", "web-secret"), nil, 400, "invalid_request"},
			{"A6: token_type_hint twice", "", r.form + "&token_type_hint=a&token_type_hint=b", nil, 400, "invalid_request"},
			{"A6: scope twice", "", r.form + "&scope=read&scope=read", nil, 400, "invalid_request"},
			{"A6: an unknown parameter twice", "", r.form + `&"<b>=1&"<b>=2`, nil, 400, "invalid_request"},
			{"A7: the client in the query", "?client_id=web&client_secret=web-secret", "token=x&refresh_token=x&grant_type=refresh_token", nil, 400, "invalid_request"},
			{"A8: token in the query", "?token=" + session.Refresh, r.form, nil, 400, "invalid_request"},
			{"A8: refresh_token in the query", "?refresh_token=" + session.Refresh, r.form, nil, 400, "invalid_request"},
			{"A8: access_token in the query", "?access_token=" + session.Access, r.form, nil, 400, "invalid_request"},
			{"A8: a token in the query, spelled otherwise", "?x=%zz;%74oken", r.form, nil, 400, "invalid_request"},
			{"A8: refresh_token in the query and nowhere else", "?refresh_token=" + session.Refresh, web.Form("grant_type", "refresh_token"), nil, 400, "invalid_request"},
			{"A11: a malformed escape", "", r.form + "&x=%zz", nil, 400, "invalid_request"},
			{"A11: invalid UTF-8", "", r.form + "&x=%ff", nil, 400, "invalid_request"},
			{"NUL in the token", "", r.form + "&x=a%00b", nil, 400, "invalid_request"},
			{"A12: 65 KiB", "", r.form + "&x=" + strings.Repeat("x", 65<<10), nil, 413, "invalid_request"},
			{"A13: not secure", "", r.form, []string{"X-Forwarded-Proto: http"}, 400, "invalid_request"},
			{"A13: not secure, and nothing forged changes that", "", r.form, []string{"X-Forwarded-Proto: http", "X-Forwarded-For: 127.0.0.1", "X-Forwarded-Host: localhost"}, 400, "invalid_request"},
			{"no body", "", "", nil, 400, "invalid_request"},
			{"E2: a client that is an attack", "", strings.Replace(r.form, "client_id=web", "client_id="+url.QueryEscape(marker), 1), nil, 400, "invalid_client"},
			{"E2: a secret that is an attack", "", strings.Replace(r.form, "web-secret", url.QueryEscape(marker), 1), nil, 400, "invalid_client"},
		} {
			t.Run(test.name+", at "+r.name, func(t *testing.T) {
				a := s.Post(r.path+test.query, test.body, test.headers...)
				a.Want(t, test.status, test.code)
				harness.WellFormedError(t, a)
				for _, echo := range []string{"<", "näïve", session.Refresh[:20], session.Access[:20], "web", "alice", s.Dir} {
					if strings.Contains(string(a.Body), echo) {
						t.Errorf("E2: %q is in the answer: %s", echo, a.Body)
					}
				}
			})
		}
	}
	t.Run("and nothing was done", func(t *testing.T) { session = web.WantGoing(t, session) })
	t.Run("A2, A4, A5: what is odd and allowed", func(t *testing.T) {
		for _, more := range []string{"&x=1", "&token_type_hint=", "&scope=", "&=1", "&%74oken_type_hint=access%5Ftoken"} {
			if a := s.Post("/token/introspect", web.Form("token", session.Access)+more); a.JSON["active"] != true {
				t.Errorf("%s: got %d %s", more, a.Status, a.Body)
			}
		}
		session = harness.TokensOf(t, s.Post("/token", web.RefreshForm(session.Refresh)+"&device=phone&username=x&password=y"))
		s.Post("/token/revoke", web.Form("token", session.Refresh)+"&scope=", "Content-Type: application/x-www-form-urlencoded; charset=UTF-8").Want(t, 200, "")
		web.WantOver(t, session)
	})
}

// A refusal at an endpoint is the module's answer, never a page of the site's.
func TestRevokeAndIntrospectErrorsAreNeverPages(t *testing.T) {
	s := harness.StartCheap(t, strings.NewReplacer("%SETTINGS%", "", "\tbearer_auth", "\thandle_errors {\n\t\trespond \"<html>a page</html>\" 500\n\t}\n\theader X-Site yes\n\tbearer_auth").Replace(harness.SessionSite))
	for _, a := range []harness.Answer{s.Web().Revoke(""), s.Web().Introspect(""), s.Web().Refresh("x"), s.Public("web").Revoke("x")} {
		harness.WellFormedError(t, a)
		if a.Header.Get("X-Site") != "yes" {
			t.Errorf("E6: the site's headers are not on %s", a.Body)
		}
	}
}

// The same endpoint at another path has its own paths below it.
func TestRevokeAndIntrospectOfAnEndpointElsewhere(t *testing.T) {
	s := harness.StartCheap(t, strings.NewReplacer("%SETTINGS%", "", "token_endpoint {", "token_endpoint /auth/v1 {").Replace(harness.SessionSite))
	web := s.Web().At("/auth/v1")
	session := web.Login(t, "alice")
	session = web.Refreshed(t, session.Refresh)
	if a := web.Introspect(session.Refresh); a.JSON["active"] != true {
		t.Errorf("got %s", a.Body)
	}
	web.Revoke(session.Access).Want(t, 200, "")
	web.WantOver(t, session)
	if a := s.Post("/token/revoke", web.Form("token", session.Access)); string(a.Body) != "the app" {
		t.Errorf("/token/revoke is not the app's: %s", a.Body)
	}
}
