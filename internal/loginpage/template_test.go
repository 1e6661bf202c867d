package loginpage

import (
	"net/http"
	"strings"
	"testing"
)

func TestABrokenTemplateIsAnErrorThatNamesWhatIsWrong(t *testing.T) {
	for _, test := range []struct{ template, want string }{
		{`{{.Nope}}`, "can't evaluate field Nope"},
		{`{{.Words.Nope}}`, "can't evaluate field Nope"},
		{"<p>\n{{if .Title}}", "unexpected EOF"},
		{`{{nope}}`, `function "nope" not defined`},
		{`<a href="{{if .Title}}">`, "unexpected EOF"},
		{`<a href={{if .Title}}"{{end}}x>`, "end in different contexts"},
		{`{{template "nope"}}`, `"nope"`},
		{`{{if eq .Kind "logged_out"}}{{.Nope}}{{end}}`, `the page "logged_out" in language en`},
		{`{{if eq .Problem "throttled"}}{{index .Scopes 7}}{{end}}`, `the page "form" with problem "throttled" in language en`},
		{`{{if eq .Lang "zh-Hans"}}{{index .Scopes 7}}{{end}}`, "in language zh-Hans"},
		{`{{index .Scopes 0}}`, "index out of range"}, // only one page has scopes
	} {
		_, err := New(Options{Template: test.template})
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", test.template, err, test.want)
		}
	}
}

func TestATemplateHasTheFactsAndTheWords(t *testing.T) {
	p := newPage(t, Options{Title: "Wiki", Remember: true, Template: `{{.Lang}}|{{.Title}}|{{.Kind}}|{{.Problem}}|{{.Username}}|{{.Message}} {{.Advice}}|` +
		`{{.Words.LogIn}}|{{.Focus}}|{{.CanRemember}}|{{.Invalid "password"}}|{{with .Words.Problems}}{{(index . $.Problem).Message}}{{end}}|<style nonce="{{.Nonce}}"></style>`})
	answer := write(t, p, http.MethodGet, "de", View{Kind: Form, Problem: WrongPassword, Username: "al<ice"})
	const want = `de|Wiki|form|wrong_password|al&lt;ice|Benutzername oder Passwort ist falsch. Prüfen Sie beides und versuchen Sie es erneut.|` +
		`Anmelden|password|true|true|Benutzername oder Passwort ist falsch.|<style nonce="`
	got := answer.Body.String()
	if !strings.HasPrefix(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	nonce, _, _ := strings.Cut(strings.TrimPrefix(got, want), `"`)
	if policy := answer.Result().Header.Get("Content-Security-Policy"); !strings.Contains(policy, "'nonce-"+nonce+"'") {
		t.Errorf("nonce %q in %q", nonce, policy)
	}
}
