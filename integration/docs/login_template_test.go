package docs

import (
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/repo"
	"github.com/caddygrant/caddy-grant/internal/loginpage"
)

func recipeLoginTemplate(t *testing.T, blocks map[string]block) {
	r := newRecipe(t)
	r.Write("etc/login.html", blocks["login-template"].text)
	r.serve(blocks["login-own-page"].text)
	r.wantBackend("/logo.svg")
	b := r.browser()
	form := string(b.wantOpen("/token/login", 200, "").Body)
	for _, want := range []string{`<img src="/logo.svg" alt="">`, "<h1>127.0.0.1</h1>", `name="remember"`, "Log in to continue"} {
		if !strings.Contains(form, want) {
			t.Errorf("the form has no %s: %s", want, form)
		}
	}
	if wrong := b.submit("/token/login", "username=alice&password=wrong"); wrong.Status != 401 || !strings.Contains(string(wrong.Body), "<strong>Wrong username or password.</strong> Check both") {
		t.Errorf("a wrong password: %d %s", wrong.Status, wrong.Body)
	}
	b.logIn("/page")
	if shown := string(b.wantOpen("/token/login", 200, "").Body); !strings.Contains(shown, "Logged in as alice") || !strings.Contains(shown, `<form method="post" action="/token/login/logout">`) {
		t.Errorf("the page of a session: %s", shown)
	}
	if out := b.submit("/token/login/logout", ""); out.Status != 200 || !strings.Contains(string(out.Body), `<a href="/token/login">Log in again</a>`) {
		t.Errorf("the logout: %d %s", out.Status, out.Body)
	}
	if a := b.send("DELETE", "/token/login", ""); a.Status != 405 || !strings.Contains(string(a.Body), "<strong>This page cannot be opened in this way.</strong>") {
		t.Errorf("a refusal: %d %s", a.Status, a.Body)
	}
}

// The table of the page has all that a template can use, and nothing else.
func TestDocsTemplateData(t *testing.T) {
	have := make(map[string]bool)
	data := reflect.TypeFor[loginpage.Data]()
	for _, field := range reflect.VisibleFields(data) {
		if !field.Anonymous {
			have[field.Name] = true
		}
	}
	for i := range data.NumMethod() {
		have[data.Method(i).Name] = true
	}
	text := section(t, "## A page of your own")
	listed := make(map[string]bool)
	for _, match := range regexp.MustCompile("`\\.([A-Z]\\w*)(?:\\.(\\w+))?[^`]*`").FindAllStringSubmatch(prose(text), -1) {
		listed[match[1]] = true
		if word := match[2]; word != "" {
			if _, has := reflect.TypeFor[loginpage.Words]().FieldByName(word); !has {
				t.Errorf("there is no .Words.%s", word)
			}
		}
	}
	if got, want := slices.Sorted(maps.Keys(listed)), slices.Sorted(maps.Keys(have)); !slices.Equal(got, want) {
		t.Errorf("the docs have the data %v, a template gets %v", got, want)
	}
	view := repo.Read(t, "internal/loginpage/view.go")
	values := regexp.MustCompile(`(?m)^\t\w+ +(?:Kind|Problem|Action) += "(\w+)"`).FindAllStringSubmatch(view+repo.Read(t, "internal/loginpage/data.go"), -1)
	for _, value := range values {
		if !strings.Contains(text, "`"+value[1]+"`") {
			t.Errorf("the docs do not say what %s is", value[1])
		}
	}
	if len(values) < 20 {
		t.Errorf("only %d values were found in the code", len(values))
	}
}
