package loginpage

import (
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
)

var nonceOf = regexp.MustCompile(`style-src 'nonce-([A-Z2-7]{26})'`)

// answerOf is the body of an answer, and its nonce.
func answerOf(t *testing.T, p *Page, language string, v View) (body, nonce string) {
	t.Helper()
	w := httptest.NewRecorder()
	r := httptest.NewRequest(http.MethodGet, "/token/login", nil)
	r.Header.Set("Accept-Language", language)
	if err := p.Write(w, r, http.StatusOK, v); err != nil {
		t.Fatal(err)
	}
	match := nonceOf.FindStringSubmatch(w.Header().Get("Content-Security-Policy"))
	if match == nil || w.Header().Get("Content-Length") != strconv.Itoa(w.Body.Len()) {
		t.Fatal(w.Header(), w.Body.Len())
	}
	return w.Body.String(), match[1]
}

func TestAFormThatWasWrittenBeforeIsWhatTheTemplateWrites(t *testing.T) {
	for _, remember := range []bool{false, true} {
		p, err := New(Options{Remember: remember})
		if err != nil {
			t.Fatal(err)
		}
		nonces := make(map[string]bool)
		for range 2 {
			for i := range languages {
				l := &languages[i]
				for _, host := range []string{
					"app.example.com", "other.example.com", `"><script>alert(1)</script>`, "</title><b>'&+\x00", "", "{{.Nonce}}", "[::1]",
					strings.Repeat("h", longestTitle), strings.Repeat("h", longestTitle+1),
				} {
					v := View{Kind: Form, Host: host, Login: "/token/login", Logout: "/token/login/logout", Return: "/<a>"}
					if host == "" {
						host = "example.com" // of the request
					}
					got, nonce := answerOf(t, p, l.name, v)
					want, err := p.render(newData(v, *l, host, nonce, remember))
					if err != nil {
						t.Fatal(err)
					}
					if got != string(want) {
						t.Fatalf("%s for %q, remember %t: the form is\n%s\nwant\n%s", l.name, host, remember, got, want)
					}
					if nonces[nonce] || strings.Count(got, nonce) != 1 {
						t.Fatalf("the nonce %s is not new, or not in the page once", nonce)
					}
					nonces[nonce] = true
				}
			}
		}
		if n := p.forms.recent.Len(); n != len(languages)*8 { // "" is example.com, and one is too long
			t.Errorf("%d forms are remembered", n)
		}
	}
}

func TestNothingOfOneVisitorIsInTheFormOfAnother(t *testing.T) {
	p, err := New(Options{Title: "Files", Remember: true})
	if err != nil {
		t.Fatal(err)
	}
	empty, nonce := answerOf(t, p, "en", View{Kind: Form})
	empty = strings.ReplaceAll(empty, nonce, "")
	for _, v := range samples() {
		body, nonce := answerOf(t, p, "en", v)
		if same := strings.ReplaceAll(body, nonce, "") == empty; same != (v.Kind == Form && v.Problem == NoProblem && v.Username == "") {
			t.Errorf("%+v: that it is the empty form is %t", v, same)
		}
		if again, nonce := answerOf(t, p, "en", View{Kind: Form}); strings.ReplaceAll(again, nonce, "") != empty {
			t.Fatalf("after %+v the empty form is %s", v, again)
		}
	}
	if n := p.forms.recent.Len(); n != 1 {
		t.Errorf("%d forms are remembered", n)
	}
}

// A template of the config may show what a View has.
func TestAFormOfTheConfigIsWrittenForEachVisitor(t *testing.T) {
	p, err := New(Options{Template: `{{.Return}} <style nonce="{{.Nonce}}"></style><form method="post"></form>`})
	if err != nil {
		t.Fatal(err)
	}
	for _, place := range []string{"/one", "/two"} {
		if body, _ := answerOf(t, p, "en", View{Kind: Form, Return: place}); !strings.HasPrefix(body, place+" ") {
			t.Errorf("for %s: %s", place, body)
		}
	}
}

func TestTheBuiltInTemplateWritesEveryPage(t *testing.T) {
	p, err := New(Options{Remember: true})
	if err == nil {
		err = p.tryAll()
	}
	if err != nil {
		t.Error(err)
	}
}

// Hosts and languages are what clients say.
func TestWhatIsRememberedOfFormsAndLanguagesIsBounded(t *testing.T) {
	p, err := New(Options{})
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for i := range 4 {
		all.Go(func() {
			for j := range 500 {
				name := strconv.Itoa(i*500 + j)
				answerOf(t, p, "de;q=0."+name[:1]+", x-"+name, View{Kind: Form, Host: "h" + name})
			}
		})
	}
	all.Wait()
	if n := p.forms.recent.Len(); n != mostForms {
		t.Errorf("%d forms are remembered", n)
	}
	if n := chosen.recent.Len(); n > mostRemembered {
		t.Errorf("%d languages are remembered", n)
	}
}

// Handlers before this one may change what it sets, in place.
func TestAnswersDoNotShareTheirHeaders(t *testing.T) {
	p, err := New(Options{})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		w := httptest.NewRecorder()
		if err := p.Write(w, httptest.NewRequest(http.MethodGet, "/", nil), http.StatusOK, View{Kind: Form}); err != nil {
			t.Fatal(err)
		}
		for name, values := range w.Header() {
			if len(values) != 1 || cap(values) != 1 || values[0] == "changed" {
				t.Errorf("%s: %q with room for %d", name, values, cap(values))
			}
			values[0] = "changed"
		}
	}
}
