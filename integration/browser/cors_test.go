package browser

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/repo"
)

// startCORS serves examples/cors to a page of another origin, which is empty.
func startCORS(t *testing.T) (*example, *page) {
	t.Helper()
	needBrowser(t)
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = w.Write([]byte(`<!doctype html><link rel="icon" href="data:,"><title>a page</title>`))
	}))
	t.Cleanup(site.Close)
	origin := strings.Replace(site.URL, "127.0.0.1", "localhost", 1)
	e := copyExample(t, "cors", "http://localhost:3000", origin)
	e.start()
	p := newPage(t)
	p.open(origin)
	return e, p
}

func TestScriptInTheCommentOfTheCORSExampleLogsInAndCallsTheAPI(t *testing.T) {
	e, p := startCORS(t)
	_, comment, _ := strings.Cut(repo.Read(t, "examples/cors/Caddyfile"), "# In the page:\n")
	comment, _, found := strings.Cut(comment, "\n# Before")
	if !found {
		t.Fatal("this test must learn where the script is now")
	}
	var script strings.Builder
	for line := range strings.Lines(comment) {
		script.WriteString(strings.TrimPrefix(strings.TrimPrefix(line, "#"), "     "))
	}
	text := strings.NewReplacer("8080", e.ports["8080"], "\nawait fetch(", "\nreturn await fetch(").Replace(script.String())
	if got := eval[string](p, "(async () => {"+text+"})()"); got != "hello alice" {
		t.Errorf("the script ends with %q", got)
	}
}

// Libraries such as Swagger UI's, jQuery and old axios add X-Requested-With.
func TestPageOfAnotherOriginReadsWhyAndForHowLongALoginIsRefused(t *testing.T) {
	e, p := startCORS(t)
	failures := p.failUntilThrottled(e.url("8080", "/token"), "page")
	p.wantErrors(failures, "the server responded with a status of 4")
}

// failUntilThrottled sends wrong passwords from the page until that is answered 429, and
// checks what the page can read. It returns the number of requests.
func (p *page) failUntilThrottled(tokens, client string) int {
	p.t.Helper()
	type read struct {
		Status     int
		RetryAfter string
		Error      string
	}
	for i := range 20 {
		script := fmt.Sprintf(`fetch(%q, {
			method: 'POST',
			headers: { 'X-Requested-With': 'XMLHttpRequest' },
			body: new URLSearchParams({ grant_type: 'password', client_id: %q, username: 'alice', password: 'wrong-%d' }),
		}).then(async r => ({ Status: r.status, RetryAfter: r.headers.get('Retry-After'), Error: (await r.json()).error }))`, tokens, client, i)
		switch got := eval[read](p, script); {
		case got == read{Status: 400, Error: "invalid_grant"}:
		case got.Status == 429 && got.Error == "temporarily_unavailable":
			if seconds, err := strconv.Atoi(got.RetryAfter); err != nil || seconds < 1 {
				p.t.Errorf("the page reads Retry-After %q", got.RetryAfter)
			}
			return i + 1
		default:
			p.t.Fatalf("the page reads %+v", got)
		}
	}
	p.t.Fatal("20 wrong passwords are answered 400")
	return 0
}
