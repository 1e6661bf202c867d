package adminapi

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"go.uber.org/zap/zapcore"
)

func TestRequestsThatAreGranted(t *testing.T) {
	for _, test := range []struct{ method, path, body, asked, answer string }{
		{"GET", "/grant/servers", "", "status <nil>", `[{"name":"default",`},
		{"GET", "/grant/servers/", "", "status <nil>", `[{"name":"default",`},
		{"GET", "/grant/servers/default", "", "status <nil>", `{"name":"default","issuer":"https://a.example/?a&b"`},
		{"HEAD", "/grant/servers/default", "", "status <nil>", ""},
		{"GET", "/grant/servers/default/sessions?user=alice", "", "sessions {User:alice Subject:}", `{"subject":"u-1"`},
		{"GET", "/grant/servers/default/sessions?subject=u%261", "", "sessions {User: Subject:u&1}", `{"subject":"u-1"`},
		{"POST", "/grant/servers/default/revoke", `{"user":"alice"}`, "revoke {Session: User:alice Subject: Client: All:false}", `"within_seconds":2`},
		{"POST", "/grant/servers/default/revoke", ` {"all" : true} `, "revoke {Session: User: Subject: Client: All:true}", `"scope":"user"`},
		{"POST", "/grant/servers/default/unlock", `{"user":"alice","address":"192.0.2.1"}`, "unlock {User:alice Client: Address:192.0.2.1}", `{"user":"alice","address":"192.0.2.1","within_seconds":2}`},
		{"POST", "/grant/servers/default/unlock", `{"address":"2001:db8::1"}`, "unlock {User: Client: Address:2001:db8::1}", `"within_seconds":2`},
		{"POST", "/grant/servers/default/rotate-key", "{}", "rotate-key <nil>", `[{"kid":"new",`},
		{"POST", "/grant/servers/default/rotate-key", "", "rotate-key <nil>", `[{"kid":"new",`},
		{"POST", "/grant/servers/default/reload", "", "reload <nil>", `[{"path":"/a",`},
		{"POST", "/grant/servers/default/explain", `{"token":"a.b.c"}`, "explain {Token:a.b.c Audience:[] Scopes:[]}", `{"active":true,`},
	} {
		e := newEndpoint(t)
		w := e.send(test.method, test.path, test.body)
		if w.Code != 200 || !slices.Equal(e.fake.asked, []string{test.asked}) || !strings.Contains(w.Body.String(), test.answer) {
			t.Errorf("%s %s %s: %d %s, asked %q", test.method, test.path, test.body, w.Code, w.Body, e.fake.asked)
		}
		if w.Header().Get("Content-Type") != "application/json" || w.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("%s %s: headers %v", test.method, test.path, w.Header())
		}
	}
}

// A field that is misspelled, or empty since a variable of a script has no value, must
// not revoke other sessions than meant.
func TestRequestsThatAreRefused(t *testing.T) {
	jwt := "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhbGljZSJ9.c2lnbmF0dXJl"
	for _, test := range []struct {
		name, method, path, body string
		status                   int
		says                     string
	}{
		{"a server that is not there", "GET", "/grant/servers/defualt", "", 404, "did you mean default?"},
		{"a server of quite another name", "GET", "/grant/servers/zzzzzzzz", "", 404, "no server of that name; the servers are: default, internal"},
		{"an action that is not there", "POST", "/grant/servers/default/revok", "{}", 404, "did you mean revoke?"},
		{"an action of another name", "POST", "/grant/servers/default/delete", "{}", 404, "/grant/servers/{name}"},
		{"a path below an action", "POST", "/grant/servers/default/revoke/all", "{}", 404, "/grant/servers/{name}"},
		{"a slash after an action", "POST", "/grant/servers/default/revoke/", "{}", 404, "did you mean revoke?"},
		{"a slash after a server", "GET", "/grant/servers/default/", "", 404, "/grant/servers/{name}"},
		{"the root", "GET", "/grant/", "", 404, "/grant/servers"},
		{"a name that begins alike", "GET", "/grant/serversdefault", "", 404, "/grant/servers"},
		{"an action for all servers", "POST", "/grant/servers/revoke", "{}", 405, "must be GET or HEAD"},
		{"GET of a change", "GET", "/grant/servers/default/revoke", "", 405, "must be POST"},
		{"DELETE of a change", "DELETE", "/grant/servers/default/revoke", "", 405, "must be POST"},
		{"OPTIONS of a change", "OPTIONS", "/grant/servers/default/revoke", "", 405, "must be POST"},
		{"a method in small letters", "post", "/grant/servers/default/revoke", `{"all":true}`, 405, "must be POST"},
		{"GET of an explanation", "GET", "/grant/servers/default/explain", "", 405, "must be POST"},
		{"POST of a status", "POST", "/grant/servers/default", "{}", 405, "must be GET or HEAD"},
		{"POST of sessions", "POST", "/grant/servers/default/sessions?user=a", "{}", 405, "must be GET or HEAD"},
		{"POST of the list", "POST", "/grant/servers", "{}", 405, "must be GET or HEAD"},
		{"sessions of no one", "GET", "/grant/servers/default/sessions", "", 400, "one of user and subject"},
		{"sessions of an empty name", "GET", "/grant/servers/default/sessions?user=", "", 400, "one of user and subject"},
		{"sessions of two", "GET", "/grant/servers/default/sessions?user=a&subject=b", "", 400, "one of user and subject"},
		{"sessions of two users", "GET", "/grant/servers/default/sessions?user=a&user=b", "", 400, "one of user and subject"},
		{"an unknown parameter", "GET", "/grant/servers/default/sessions?user=a&limit=1", "", 400, "one of user and subject"},
		{"a broken query", "GET", "/grant/servers/default/sessions?user=%zz", "", 400, "malformed"},
		{"a semicolon in a query", "GET", "/grant/servers/default/sessions?user=a;b", "", 400, "malformed"},
		{"a query of a status", "GET", "/grant/servers/default?user=a", "", 400, "takes no query"},
		{"a query of a change", "POST", "/grant/servers/default/revoke?all=true", "", 400, "takes no query"},
		{"nothing to revoke", "POST", "/grant/servers/default/revoke", "{}", 400, "set one of"},
		{"an empty body", "POST", "/grant/servers/default/revoke", "", 400, "set one of"},
		{"two things to revoke", "POST", "/grant/servers/default/revoke", `{"user":"alice","all":true}`, 400, "set one of"},
		{"an empty user", "POST", "/grant/servers/default/revoke", `{"user":""}`, 400, "user is empty"},
		{"an empty user and all", "POST", "/grant/servers/default/revoke", `{"user":"","all":true}`, 400, "user is empty"},
		{"null and all", "POST", "/grant/servers/default/revoke", `{"user":null,"all":true}`, 400, "user is empty"},
		{"all is false", "POST", "/grant/servers/default/revoke", `{"all":false}`, 400, "all is empty"},
		{"all is a text", "POST", "/grant/servers/default/revoke", `{"all":"false"}`, 400, "all must be true"},
		{"all is a number", "POST", "/grant/servers/default/revoke", `{"all":1}`, 400, "all must be true"},
		{"a user is a number", "POST", "/grant/servers/default/revoke", `{"user":7}`, 400, "user must be a string"},
		{"a user is a list", "POST", "/grant/servers/default/revoke", `{"user":["alice"]}`, 400, "user must be a string"},
		{"a user is an object", "POST", "/grant/servers/default/revoke", `{"user":{"all":true}}`, 400, "user must be a string"},
		{"a field in capitals", "POST", "/grant/servers/default/revoke", `{"ALL":true}`, 400, "the field is written all"},
		{"a field with a typo", "POST", "/grant/servers/default/revoke", `{"sesion":"1"}`, 400, "did you mean session?"},
		{"another field", "POST", "/grant/servers/default/revoke", `{"username":"alice"}`, 400, "with session or user or subject"},
		{"a field of another change", "POST", "/grant/servers/default/revoke", `{"address":"192.0.2.1"}`, 400, "unknown field"},
		{"a field where there is none", "POST", "/grant/servers/default/rotate-key", `{"force":true}`, 400, "without fields"},
		{"a duplicate field", "POST", "/grant/servers/default/revoke", `{"user":"alice","user":"bob"}`, 400, "duplicate field user"},
		{"a duplicate field with an escape", "POST", "/grant/servers/default/revoke", `{"user":"alice","us\u0065r":"bob"}`, 400, "duplicate field user"},
		{"something after the object", "POST", "/grant/servers/default/revoke", `{"user":"alice"}{"all":true}`, 400, "something after"},
		{"no end", "POST", "/grant/servers/default/revoke", `{"user":"alice"`, 400, "not valid JSON"},
		{"no quotes", "POST", "/grant/servers/default/revoke", `{user:"alice"}`, 400, "not valid JSON"},
		{"a list", "POST", "/grant/servers/default/revoke", `[{"user":"alice"}]`, 400, "must be a JSON object with"},
		{"a form", "POST", "/grant/servers/default/revoke", "user=alice", 400, "must be a JSON object"},
		{"null", "POST", "/grant/servers/default/revoke", "null", 400, "must be a JSON object"},
		{"bytes that are not UTF-8", "POST", "/grant/servers/default/revoke", "{\"user\":\"\xff\"}", 400, "not UTF-8"},
		{"a byte order mark", "POST", "/grant/servers/default/revoke", "\ufeff{\"user\":\"a\"}", 400, "must be a JSON object"},
		{"a token as a session", "POST", "/grant/servers/default/revoke", `{"session":"` + jwt + `"}`, 400, "not a token"},
		{"a secret in lower case as a session", "POST", "/grant/servers/default/revoke", `{"session":"correct-horse-battery-staple"}`, 400, "not a token"},
		{"a path as a session", "POST", "/grant/servers/default/revoke", `{"session":"../../x"}`, 400, "must be the id of a session"},
		{"a body without an end", "POST", "/grant/servers/default/revoke", `{"user":"` + strings.Repeat("a", maxBody), 413, "longer than 65536 bytes"},
		{"no one to unlock", "POST", "/grant/servers/default/unlock", "{}", 400, "set user, client or address"},
		{"a user and a client to unlock", "POST", "/grant/servers/default/unlock", `{"user":"a","client":"b"}`, 400, "one of user and client"},
		{"a name as an address", "POST", "/grant/servers/default/unlock", `{"address":"example.com"}`, 400, "must be an IP address"},
		{"a network as an address", "POST", "/grant/servers/default/unlock", `{"address":"192.0.2.0/24"}`, 400, "must be an IP address"},
		{"an address with a zone", "POST", "/grant/servers/default/unlock", `{"address":"fe80::1%eth0"}`, 400, "must be an IP address"},
		{"no token to explain", "POST", "/grant/servers/default/explain", "{}", 400, "token is missing"},
	} {
		t.Run(test.name, func(t *testing.T) {
			e := newEndpoint(t, "internal")
			w := e.send(test.method, test.path, test.body)
			var answer struct{ Error string }
			if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
				t.Fatal(err)
			}
			if w.Code != test.status || !strings.Contains(answer.Error, test.says) {
				t.Errorf("%d %s", w.Code, answer.Error)
			}
			if len(e.fake.asked) > 0 {
				t.Errorf("the server was asked: %q", e.fake.asked)
			}
			if strings.Contains(answer.Error, "eyJ") {
				t.Errorf("the answer has the token: %s", answer.Error)
			}
			if allow := w.Header().Get("Allow"); (allow == "") == (test.status == 405) {
				t.Errorf("Allow: %q", allow)
			}
			if got := w.Header().Get("Cache-Control"); got != "no-store" {
				t.Errorf("Cache-Control: %q", got)
			}
		})
	}
}

// Browsers send these types without a preflight, from any page.
func TestAChangeMustBeOfTheTypeOfJSON(t *testing.T) {
	for _, contentType := range []string{"", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=a", "application/jsonp", "text/json", "application/json, text/plain"} {
		for _, path := range []string{"revoke", "unlock", "rotate-key", "reload", "explain"} {
			e := newEndpoint(t)
			w := e.send("POST", "/grant/servers/default/"+path, `{"all":true}`, "Content-Type: "+contentType)
			if w.Code != http.StatusUnsupportedMediaType || len(e.fake.asked) > 0 {
				t.Errorf("%s of type %q: %d, asked %q", path, contentType, w.Code, e.fake.asked)
			}
		}
	}
	for _, contentType := range []string{"application/json; charset=utf-8", "Application/JSON"} {
		if w := newEndpoint(t).send("POST", "/grant/servers/default/reload", "", "Content-Type: "+contentType); w.Code != 200 {
			t.Errorf("type %q: %d", contentType, w.Code)
		}
	}
}

func TestErrorsOfAServerHaveTheirStatus(t *testing.T) {
	for _, test := range []struct {
		err    error
		status int
		level  zapcore.Level
	}{
		{&Error{Status: 404, Message: "there is no user of that name"}, 404, zapcore.InfoLevel},
		{fmt.Errorf("server: %w", &Error{Status: 409, Message: "the key is configured"}), 409, zapcore.InfoLevel},
		{ErrUnavailable, 503, zapcore.ErrorLevel},
		{fmt.Errorf("writing the mark: %w", ErrUnavailable), 503, zapcore.ErrorLevel},
		{errors.New("the disk is full"), 500, zapcore.ErrorLevel},
	} {
		e := newEndpoint(t)
		e.fake.err = test.err
		w := e.send("POST", "/grant/servers/default/revoke", `{"user":"alice"}`)
		if w.Code != test.status || !strings.Contains(w.Body.String(), test.err.Error()) {
			t.Errorf("%v: %d %s", test.err, w.Code, w.Body)
		}
		if got := w.Header().Get("Retry-After"); (got == "") == (test.status == 503) {
			t.Errorf("%v: Retry-After %q", test.err, got)
		}
		message, level, fields := e.line()
		if want := map[bool]string{true: "change failed", false: "change refused"}[test.status >= 500]; message != want || level != test.level || fields["error"] != test.err.Error() {
			t.Errorf("%v: line %q at %v with %v", test.err, message, level, fields)
		}
		for _, path := range []string{"/grant/servers", "/grant/servers/default", "/grant/servers/default/sessions?user=alice"} {
			if w := e.send("GET", path, ""); w.Code != test.status {
				t.Errorf("%v: %s is %d", test.err, path, w.Code)
			}
		}
		if lines := e.logged.TakeAll(); len(lines) > 0 {
			t.Errorf("looking is logged: %v", lines)
		}
	}
}

func TestAConfigWithoutServersHasAnEmptyList(t *testing.T) {
	value, err := Handler{}.statuses(t.Context())
	if encoded, _ := json.Marshal(value); err != nil || string(encoded) != "[]" {
		t.Errorf("%s, %v", encoded, err)
	}
	if _, err := (Handler{}).server("default"); err == nil || !strings.Contains(err.Error(), "no token_endpoint") {
		t.Error(err)
	}
}
