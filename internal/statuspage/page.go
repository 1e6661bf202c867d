// Package statuspage shows the view of nodes as a page for the one browser that was
// given its link: read-only, without scripts, and only on this machine.
package statuspage

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"html/template"
	"net/http"
	"strconv"
	"time"

	"github.com/caddygrant/caddy-grant/internal/statusview"
)

var (
	//go:embed page.css
	style string
	//go:embed page.gohtml
	pageText string
	//go:embed said.gohtml
	saidText string

	pageTemplate = template.Must(template.New("page").Parse(pageText))
	saidTemplate = template.Must(template.New("said").Parse(saidText))

	policy = func() string {
		sum := sha256.Sum256([]byte(style))
		return "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) +
			"'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
	}()
)

// renewal is how often the browser asks again. It is told by a header: a page that
// renews itself has to be pausable, and the paused page has none.
const renewal = 5 * time.Second

// writePage writes the status.
func writePage(w http.ResponseWriter, view statusview.View, paused bool) {
	if !paused {
		w.Header().Set("Refresh", strconv.Itoa(int(renewal.Seconds())))
	}
	write(w, http.StatusOK, pageTemplate, struct {
		Style   template.CSS
		View    statusview.View
		Paused  bool
		Home    string
		Seconds int
	}{template.CSS(style), view, paused, home, int(renewal.Seconds())}) //nolint:gosec // it is ours
}

// said is a page with one sentence.
type said struct {
	Status      int
	Title, Text string
	Home        string // a link to the status page, if there is to be one
}

func (s said) write(w http.ResponseWriter) {
	write(w, s.Status, saidTemplate, struct {
		said
		Style template.CSS
	}{s, template.CSS(style)}) //nolint:gosec // it is ours
}

func write(w http.ResponseWriter, status int, page *template.Template, data any) {
	var body bytes.Buffer
	if err := page.Execute(&body, data); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(body.Bytes()) // a browser that is gone needs no page
}
