package loginpage

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"
)

func TestEveryPageInEveryLanguageIsSelfContained(t *testing.T) {
	p := newPage(t, Options{Remember: true})
	nonces := make(map[string]bool)
	for _, l := range languages {
		for _, v := range samples() {
			name := fmt.Sprintf("%s %s%s %q", l.tag, v.Kind, because(v.Problem), v.Username)
			answer := write(t, p, http.MethodGet, l.tag.String(), v)
			header, body := answer.Result().Header, answer.Body.String()
			if got := header.Get("Content-Language"); got != l.tag.String() {
				t.Errorf("%s: Content-Language %q", name, got)
			}
			policy := regexp.MustCompile(`^default-src 'none'; style-src 'nonce-([A-Z2-7]{26,})'; img-src 'self' data:; font-src 'self'; ` +
				`form-action 'self'; frame-ancestors 'none'; base-uri 'none'$`).FindStringSubmatch(header.Get("Content-Security-Policy"))
			if policy == nil || nonces[policy[1]] {
				t.Fatalf("%s: Content-Security-Policy %q, or its nonce is not new", name, header.Get("Content-Security-Policy"))
			}
			nonces[policy[1]] = true
			page := parse(t, body)
			for node := range page.Descendants() {
				checkNode(t, name, node, policy[1])
			}
			if lang := attribute(find(page, "html", "", ""), "lang"); lang != l.tag.String() {
				t.Errorf("%s: lang %q", name, lang)
			}
			title := find(page, "title", "", "").FirstChild.Data
			if strings.HasPrefix(title, l.words.Error) != (v.Problem != NoProblem) {
				t.Errorf("%s: title %q", name, title)
			}
			if strings.ContainsAny(body[strings.Index(body, "<body>"):], "{}") {
				t.Errorf("%s: something was not replaced in %s", name, body)
			}
			text := l.words.Problems[v.Problem]
			if alert := find(page, "div", "role", "alert"); (alert != nil) != (v.Problem != NoProblem) {
				t.Errorf("%s: alert %v", name, alert)
			} else if alert != nil && !strings.Contains(textOf(alert), text.Message) {
				t.Errorf("%s: the alert says %q", name, textOf(alert))
			}
		}
	}
}

// checkNode reports what needs a script, a style of its own or another host, and
// references to nothing.
func checkNode(t *testing.T, name string, node *html.Node, nonce string) {
	t.Helper()
	if node.Type != html.ElementNode {
		return
	}
	switch node.Data {
	case "script", "iframe", "object", "embed", "base", "img":
		t.Errorf("%s: a %s", name, node.Data)
	case "style":
		if attribute(node, "nonce") != nonce {
			t.Errorf("%s: a style with nonce %q, want %q", name, attribute(node, "nonce"), nonce)
		}
	case "label":
		if of := attribute(node, "for"); of != "" && find(root(node), "input", "id", of) == nil {
			t.Errorf("%s: a label for %q", name, of)
		}
	}
	for _, a := range node.Attr {
		switch {
		case a.Key == "style" || strings.HasPrefix(a.Key, "on"):
			t.Errorf("%s: %s has the attribute %s", name, node.Data, a.Key)
		case a.Key == "aria-describedby" && find(root(node), "", "id", a.Val) == nil:
			t.Errorf("%s: described by %q", name, a.Val)
		case strings.Contains(a.Val, "//"):
			t.Errorf("%s: %s=%q points to another host", name, a.Key, a.Val)
		}
	}
}

func TestTheHeadersKeepThePageOutOfCachesAndFrames(t *testing.T) {
	p := newPage(t, Options{})
	get := write(t, p, http.MethodGet, "en", View{Kind: Form})
	for name, want := range map[string]string{
		"Content-Type":           "text/html; charset=utf-8",
		"Content-Length":         strconv.Itoa(get.Body.Len()),
		"Content-Language":       "en",
		"Cache-Control":          "no-store",
		"Referrer-Policy":        "same-origin",
		"X-Content-Type-Options": "nosniff",
		"X-Frame-Options":        "DENY",
	} {
		if got := get.Result().Header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if get.Code != http.StatusTeapot {
		t.Errorf("status %d", get.Code)
	}
	head := write(t, p, http.MethodHead, "en", View{Kind: Form})
	if head.Body.Len() != 0 || head.Result().Header.Get("Content-Length") != strconv.Itoa(get.Body.Len()) {
		t.Errorf("HEAD: %d bytes, Content-Length %q, want none and %d",
			head.Body.Len(), head.Result().Header.Get("Content-Length"), get.Body.Len())
	}
}

func TestTheFormSuitsPasswordManagersAndScreenReaders(t *testing.T) {
	for _, test := range []struct {
		view                     View
		focus, name              string
		usernameWrong, passWrong bool
		remember, ticked         bool
	}{
		{view: View{}, focus: "username"},
		{view: View{Remember: true}, focus: "username", remember: true, ticked: true},
		{view: View{Problem: WrongPassword, Username: "alice"}, focus: "password", name: "alice", usernameWrong: true, passWrong: true, remember: true},
		{view: View{Problem: MissingUsername}, focus: "username", usernameWrong: true},
		{view: View{Problem: MissingPassword, Username: "alice"}, focus: "password", name: "alice", passWrong: true},
		{view: View{Problem: Throttled, Username: "alice", Wait: time.Minute}, focus: "password", name: "alice"},
	} {
		test.view.Kind = Form
		page := parse(t, write(t, newPage(t, Options{Remember: test.remember}), http.MethodGet, "", test.view).Body.String())
		form := find(page, "form", "method", "post")
		if form == nil || has(form, "action") || find(form, "button", "type", "submit") == nil {
			t.Fatalf("%+v: no form without an action and with a button", test.view)
		}
		for field, autocomplete := range map[string]string{"username": "username", "password": "current-password"} {
			input := find(form, "input", "name", field)
			for key, want := range map[string]string{
				"id": field, "autocomplete": autocomplete, "autocapitalize": "none", "autocorrect": "off", "spellcheck": "false",
			} {
				if got := attribute(input, key); got != want {
					t.Errorf("%+v: %s: %s=%q, want %q", test.view, field, key, got, want)
				}
			}
			if find(form, "label", "for", field) == nil {
				t.Errorf("%+v: %s has no label", test.view, field)
			}
			if has(input, "autofocus") != (test.focus == field) {
				t.Errorf("%+v: the form starts at %s: %v", test.view, field, has(input, "autofocus"))
			}
			wrong := field == "username" && test.usernameWrong || field == "password" && test.passWrong
			if (attribute(input, "aria-invalid") == "true") != wrong {
				t.Errorf("%+v: %s is marked as wrong: %v", test.view, field, !wrong)
			}
			if (attribute(input, "aria-describedby") == "problem") != (test.view.Problem != NoProblem) {
				t.Errorf("%+v: %s is described by %q", test.view, field, attribute(input, "aria-describedby"))
			}
		}
		if got := attribute(find(form, "input", "name", "username"), "value"); got != test.name {
			t.Errorf("%+v: the name is %q, want %q", test.view, got, test.name)
		}
		if has(find(form, "input", "name", "password"), "value") {
			t.Errorf("%+v: the password is in the page", test.view)
		}
		box := find(form, "input", "name", "remember")
		if (box != nil) != test.remember || box != nil && (has(box, "checked") != test.ticked || attribute(box, "value") != "on") {
			t.Errorf("%+v: the checkbox is %v", test.view, box)
		}
	}
}

func TestWhatAPageOffersFitsWhatItSays(t *testing.T) {
	p := newPage(t, Options{})
	for _, test := range []struct {
		kind    Kind
		problem Problem
		links   string // where they go
		logout  bool
	}{
		{kind: Session, links: "/return", logout: true},
		{kind: Logout, links: "/return", logout: true},
		{kind: LoggedOut, links: "/login"},
		{kind: Refusal, problem: Unavailable, links: "/return"},
		{kind: Refusal, problem: LoggedOutHere, links: "/login"},
		{kind: Refusal, problem: CrossOrigin, links: "/login"},
		{kind: Refusal, problem: BadRequest, links: "/login"},
		{kind: Refusal, problem: ScopeMissing, logout: true},
		{kind: Refusal, problem: AudienceMissing, logout: true},
		{kind: Refusal, problem: NotSecure},
		{kind: Refusal, problem: WrongHost},
	} {
		page := parse(t, write(t, p, http.MethodGet, "", View{
			Kind: test.kind, Problem: test.problem, Username: "alice", Scopes: []string{"orders:write"}, Domain: "example.com",
			Login: "/login", Logout: "/logout", Return: "/return",
		}).Body.String())
		var links []string
		for node := range page.Descendants() {
			if node.Data == "a" {
				links = append(links, attribute(node, "href"))
			}
		}
		if got := strings.Join(links, " "); got != test.links {
			t.Errorf("%s %s: links %q, want %q", test.kind, test.problem, got, test.links)
		}
		if got := find(page, "form", "action", "/logout") != nil; got != test.logout {
			t.Errorf("%s %s: a button to log out: %v", test.kind, test.problem, got)
		}
		if test.problem == ScopeMissing && !strings.Contains(textOf(page), "orders:write") ||
			test.problem == WrongHost && !strings.Contains(textOf(page), "under example.com") {
			t.Errorf("%s: %q", test.problem, textOf(page))
		}
	}
}

func TestNothingThatAnyoneSendsBecomesMarkup(t *testing.T) {
	for _, hostile := range []string{
		`<script>alert(1)</script>`, `"><img src=x onerror=alert(1)>`, `' autofocus onfocus=alert(1) x='`,
		`</title><script>alert(1)</script>`, `</style><script>alert(1)</script>`, `{{.Nonce}}`, `javascript:alert(1)`,
		`<!--`, `]]>`, `&lt;script&gt;`, "\x00<b>", "\u202e<i>evil</i>", `<form action=https://evil.example>`, "{wait}{domain}",
	} {
		p := newPage(t, Options{Title: hostile})
		for _, v := range samples() {
			v.Username, v.Domain, v.Scopes = hostile, hostile, []string{hostile}
			v.Login, v.Logout, v.Return = hostile, hostile, hostile
			answer := write(t, p, http.MethodGet, "", v)
			policy := answer.Result().Header.Get("Content-Security-Policy")
			_, nonce, _ := strings.Cut(policy, "'nonce-")
			nonce, _, _ = strings.Cut(nonce, "'")
			page := parse(t, answer.Body.String())
			forms := 0
			for node := range page.Descendants() {
				if node.Type != html.ElementNode {
					continue
				}
				switch node.Data {
				case "script", "img", "i", "b":
					t.Errorf("%q: a %s in %s %s", hostile, node.Data, v.Kind, v.Problem)
				case "form":
					forms++
				case "style":
					if attribute(node, "nonce") != nonce {
						t.Errorf("%q: a style without the nonce", hostile)
					}
				}
				for _, a := range node.Attr {
					if strings.HasPrefix(a.Key, "on") || (a.Key == "href" || a.Key == "action") && strings.HasPrefix(a.Val, "javascript:") {
						t.Errorf("%q: %s=%q in %s %s", hostile, a.Key, a.Val, v.Kind, v.Problem)
					}
				}
			}
			if forms > 1 {
				t.Errorf("%q: %d forms in %s %s", hostile, forms, v.Kind, v.Problem)
			}
			if input := find(page, "input", "name", "username"); input != nil && !strings.Contains(hostile, "\x00") && attribute(input, "value") != hostile {
				t.Errorf("%q: the form has %q", hostile, attribute(input, "value"))
			}
		}
	}
}

func TestTheHeadingIsTheTitleOrTheHost(t *testing.T) {
	for _, test := range []struct{ title, viewHost, host, want string }{
		{"", "", "app.example.com", "app.example.com"},
		{"", "", "app.example.com:8443", "app.example.com"},
		{"", "", "[::1]:8080", "::1"},
		{"", "", "[::1]", "::1"},
		{"", "edge.example.com", "10.0.0.1:80", "edge.example.com"},
		{"Our wiki", "edge.example.com", "10.0.0.1:80", "Our wiki"},
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Host = test.host
		w := httptest.NewRecorder()
		if err := newPage(t, Options{Title: test.title}).Write(w, r, http.StatusOK, View{Kind: Form, Host: test.viewHost}); err != nil {
			t.Fatal(err)
		}
		page := parse(t, w.Body.String())
		if got := textOf(find(page, "h1", "", "")); got != test.want {
			t.Errorf("%+v: heading %q", test, got)
		}
		if got, want := textOf(find(page, "title", "", "")), "Log in – "+test.want; got != want {
			t.Errorf("%+v: title %q, want %q", test, got, want)
		}
	}
}

func newPage(t *testing.T, options Options) *Page {
	t.Helper()
	p, err := New(options)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func write(t *testing.T, p *Page, method, language string, v View) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest(method, "/token/login", nil)
	r.Header.Set("Accept-Language", language)
	w := httptest.NewRecorder()
	if err := p.Write(w, r, http.StatusTeapot, v); err != nil {
		t.Fatal(err)
	}
	return w
}
