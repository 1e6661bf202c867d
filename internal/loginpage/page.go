// Package loginpage renders the pages on which people log in and out with a browser. It
// knows what a page says and how, and nothing of users, sessions or servers.
package loginpage

import (
	"bytes"
	"crypto/rand"
	_ "embed"
	"fmt"
	"html/template"
	"net"
	"net/http"
	"strings"
	"time"
)

// Options is what a config says about the pages.
type Options struct {
	Title    string // the heading; empty: the host of the request
	Template string // an html/template that gets Data; empty: the built-in one
	Remember bool   // whether the form has the checkbox
}

// Page renders all pages of one login page. It is safe for concurrent use.
type Page struct {
	title    string
	remember bool
	template *template.Template
	forms    *forms // nil for a template of the config, which may show anything
}

//go:embed page.gohtml
var builtIn string

// builtInTemplate is parsed once, and its escaping found out once.
var builtInTemplate = template.Must(template.New("login_page").Parse(builtIn))

// New parses the template, if there is one, and executes it for every page in every
// language: what is wrong with it is known before anyone needs the page.
func New(options Options) (*Page, error) {
	p := &Page{title: options.Title, remember: options.Remember, template: builtInTemplate, forms: newForms()}
	if options.Template == "" {
		return p, nil
	}
	var err error
	if p.template, err = template.New("login_page").Parse(options.Template); err != nil {
		return nil, err
	}
	p.forms = nil
	if err := p.tryAll(); err != nil {
		return nil, err
	}
	return p, nil
}

func (p *Page) tryAll() error {
	for _, l := range languages {
		for _, v := range samples() {
			if err := p.try(v, l); err != nil {
				return fmt.Errorf("the page %q%s in language %s: %w", v.Kind, because(v.Problem), l.tag, err)
			}
		}
	}
	return nil
}

func because(p Problem) string {
	if p == NoProblem {
		return ""
	}
	return fmt.Sprintf(" with problem %q", p)
}

// try renders a page for nobody.
func (p *Page) try(v View, l locale) error {
	_, err := p.render(newData(v, l, "app.example.com", rand.Text(), p.remember))
	return err
}

// samples are the views that a template has to render: each kind alone, and each
// problem on the pages that can have one.
func samples() (views []View) {
	for _, kind := range kinds {
		for _, problem := range problems {
			if problem == NoProblem && kind == Refusal || problem != NoProblem && kind != Refusal && kind != Form {
				continue
			}
			views = append(views, View{
				Kind: kind, Problem: problem, Username: "alice", Remember: true,
				Wait: 30 * time.Second, Scopes: []string{"read", "write"}, Domain: "example.com",
				Host: "app.example.com", Login: "/token/login", Logout: "/token/login/logout", Return: "/",
			}, View{Kind: kind, Problem: problem})
		}
	}
	return views
}

func (p *Page) render(d Data) ([]byte, error) {
	var page bytes.Buffer
	page.Grow(len(builtIn) + 1<<10)
	if err := p.template.Execute(&page, d); err != nil {
		return nil, err
	}
	return page.Bytes(), nil
}

// Write answers a request with a page. An error says that the template failed, and that
// nothing was written yet.
func (p *Page) Write(w http.ResponseWriter, r *http.Request, status int, v View) error {
	if v.Host == "" {
		v.Host = hostOf(r)
	}
	title := p.title
	if title == "" {
		title = v.Host
	}
	l := choose(r.Header["Accept-Language"])
	page, nonce, err := p.page(v, l, title)
	if err != nil {
		return fmt.Errorf("login page: %w", err)
	}
	page.setHeaders(w.Header(), l.name, nonce)
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		page.write(w, nonce)
	}
	return nil
}

// page is what to answer, and the nonce that belongs between its pieces.
func (p *Page) page(v View, l *locale, title string) (pieces, string, error) {
	nonce := rand.Text()
	if p.forms != nil && isEmptyForm(&v) && len(title) <= longestTitle {
		page, err := p.forms.get(formKey{l, title}, func(placeholder string) ([]byte, error) {
			return p.render(newData(v, *l, title, placeholder, p.remember))
		})
		return page, nonce, err
	}
	page, err := p.render(newData(v, *l, title, nonce, p.remember))
	return pieces{page}, nonce, err
}

func hostOf(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.Host)
	if err != nil {
		host = r.Host
	}
	return strings.Trim(host, "[]")
}
