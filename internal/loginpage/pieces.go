package loginpage

import (
	"bytes"
	"crypto/rand"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// pieces are a page without its nonce, which belongs between them.
type pieces [][]byte

// setHeaders sets the header of an answer with the page.
func (p pieces) setHeaders(header http.Header, language, nonce string) {
	length := max(0, len(p)-1) * len(nonce)
	for _, piece := range p {
		length += len(piece)
	}
	values := [...]struct{ name, value string }{
		{"Content-Type", "text/html; charset=utf-8"},
		{"Content-Length", strconv.Itoa(length)},
		{"Content-Language", language},
		{"Cache-Control", "no-store"},
		{"Content-Security-Policy", "default-src 'none'; style-src 'nonce-" + nonce + "'; img-src 'self' data:; font-src 'self'; " +
			"form-action 'self'; frame-ancestors 'none'; base-uri 'none'"},
		{"Referrer-Policy", "same-origin"}, // no-referrer makes the form's own Origin null
		{"X-Content-Type-Options", "nosniff"},
		{"X-Frame-Options", "DENY"},
	}
	lists := make([]string, len(values)) // one allocation for all
	for i, v := range values {
		lists[i] = v.value
		header[v.name] = lists[i : i+1 : i+1]
	}
}

// write writes the page. A browser that is gone misses nothing.
func (p pieces) write(w http.ResponseWriter, nonce string) {
	for i, piece := range p {
		if i > 0 {
			_, _ = w.Write([]byte(nonce))
		}
		_, _ = w.Write(piece)
	}
}

// forms are empty forms as the built-in template has written them, for a browser that
// has neither a session nor tried to log in. They differ in the language and the title
// alone, and a template takes longer than all else of such an answer.
type forms struct {
	mu     sync.Mutex
	recent *simplelru.LRU[formKey, pieces]
}

type formKey struct {
	language *locale
	title    string // may be the host of a request, so anything
}

func newForms() *forms {
	recent, _ := simplelru.NewLRU[formKey, pieces](mostForms, nil) // an error only for a size that is not positive
	return &forms{recent: recent}
}

// isEmptyForm tells whether a view is one that all browsers get.
func isEmptyForm(v *View) bool {
	return v.Kind == Form && v.Problem == NoProblem && v.Username == "" && !v.Remember
}

// get returns a form, which render writes with a placeholder for the nonce.
func (f *forms) get(key formKey, render func(placeholder string) ([]byte, error)) (pieces, error) {
	f.mu.Lock()
	form, known := f.recent.Get(key)
	f.mu.Unlock()
	if known {
		return form, nil
	}
	placeholder := rand.Text() // which no title has
	page, err := render(placeholder)
	if err != nil {
		return nil, err
	}
	form = bytes.Split(page, []byte(placeholder))
	f.mu.Lock()
	defer f.mu.Unlock()
	key.title = strings.Clone(key.title) // a part of something longer
	f.recent.Add(key, form)
	return form, nil
}

const (
	// mostForms take less than 2 MB.
	mostForms    = 200
	longestTitle = 255
)
