// Package browser drives a real Chromium at sites of a real Caddy: pages that log in at
// the token endpoint, and call apps behind the edge. It is a module of its own, so that
// what drives a browser is nothing that caddy-grant needs.
package browser

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/fetch"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// patience is how long a page may take for anything.
const patience = 3 * time.Minute

// needBrowser skips what a checkout does not need, so the variable says that everything
// is there; then it must be.
func needBrowser(t *testing.T) {
	t.Helper()
	if os.Getenv("CADDY_GRANT_BROWSER") == "" {
		t.Skip("set CADDY_GRANT_BROWSER where chromium, python3-fastapi, uvicorn and npm are installed")
	}
}

// chromium is one process for all tests. stopChromium ends it.
var (
	chromium = sync.OnceValues(startChromium)

	stopChromium = func() {}
)

func startChromium() (context.Context, error) {
	path, err := exec.LookPath("chromium")
	if err != nil {
		return nil, errors.New("chromium is needed for this test: apt-get install chromium")
	}
	profile, err := os.MkdirTemp("", "caddy-grant-chromium-")
	if err != nil {
		return nil, err
	}
	allocator, stop := chromedp.NewExecAllocator(context.Background(), append(
		chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path),
		chromedp.UserDataDir(profile),
		chromedp.NoSandbox, // the tests may be root's
		chromedp.DisableGPU,
		chromedp.WindowSize(1280, 1600), // or dialogs scroll as they are clicked
		chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-component-update", true),
		chromedp.Flag("lang", "en"),
		// no page gets to the network, whatever it asks for
		chromedp.Flag("host-resolver-rules", "MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1"),
	)...)
	browser, _ := chromedp.NewContext(allocator)
	stopChromium = func() {
		_ = chromedp.Cancel(browser)
		stop()
		_ = os.RemoveAll(profile)
	}
	if err := chromedp.Do(browser); err != nil {
		return nil, fmt.Errorf("starting chromium: %w", err)
	}
	return browser, nil
}

func TestMain(m *testing.M) {
	code := m.Run()
	stopChromium()
	removePackages()
	os.Exit(code)
}

// page is one tab with cookies and storage of its own, and what happened in it so far.
type page struct {
	t   *testing.T
	ctx context.Context

	mu       sync.Mutex
	errors   []string
	requests []request
	remote   func(url string) []byte // see answerRemote

	tolerated []string // see tolerate
}

// request is one that the page sent, with the headers that were sent in truth.
type request struct {
	id     network.RequestID
	Method string
	URL    string
	Header map[string]string
	Status int64 // 0 until there is an answer, and where the page may not read it
}

// newPage closes when the test ends. A test that expects errors in the console takes
// them with takeErrors; any others fail it.
func newPage(t *testing.T) *page {
	t.Helper()
	browser, err := chromium()
	if err != nil {
		t.Fatal(err)
	}
	return openPage(t, browser, chromedp.WithNewBrowserContext())
}

// newTab is another tab of the same browser: it has the same cookies.
func (p *page) newTab() *page {
	p.t.Helper()
	tab := openPage(p.t, p.ctx)
	tab.tolerate(p.tolerated...)
	return tab
}

func openPage(t *testing.T, parent context.Context, options ...chromedp.ContextOption) *page {
	t.Helper()
	ctx, closeTab := chromedp.NewContext(parent, options...)
	p := &page{t: t, ctx: ctx}
	t.Cleanup(func() {
		closeTab()
		for _, text := range p.takeErrors() {
			if !slices.ContainsFunc(p.tolerated, func(part string) bool { return strings.Contains(text, part) }) {
				t.Errorf("in the console: %s", text)
			}
		}
	})
	if err := chromedp.Listen(ctx, p.listen); err != nil {
		t.Fatalf("opening a page: %v", err)
	}
	p.do("listening", func(ctx context.Context, target *chromedp.Target) (chromedp.Void, error) {
		_, network := cdp.Call(ctx, target, network.Enable, network.EnableParams{})
		_, log := cdp.Call(ctx, target, log.Enable, cdp.Empty{})
		return chromedp.Void{}, errors.Join(network, log)
	})
	return p
}

func (p *page) listen(event any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch event := event.(type) {
	case *log.EventEntryAdded:
		if event.Entry.Level == log.EntryLevelError {
			p.errors = append(p.errors, event.Entry.Text+" "+event.Entry.URL)
		}
	case *runtime.EventConsoleAPICalled:
		if event.Type == runtime.ConsoleAPICalledTypeError {
			text := ""
			for _, arg := range event.Args {
				text += string(arg.Value) + arg.Description + " "
			}
			p.errors = append(p.errors, text)
		}
	case *runtime.EventExceptionThrown:
		p.errors = append(p.errors, fmt.Sprintf("%s %+v", event.ExceptionDetails.Text, event.ExceptionDetails.Exception))
	case *network.EventRequestWillBeSent:
		p.requests = append(p.requests, request{id: event.RequestID, Method: event.Request.Method, URL: event.Request.URL, Header: texts(event.Request.Headers)})
	case *network.EventResponseReceived:
		for i := range p.requests {
			if p.requests[i].id == event.RequestID {
				p.requests[i].Status = event.Response.Status
			}
		}
	case *fetch.EventRequestPaused:
		go p.answer(event) // this goroutine must not wait for the browser
	}
}

func texts(headers network.Headers) map[string]string {
	found := make(map[string]string)
	for name, value := range headers {
		found[name] = fmt.Sprint(value)
	}
	return found
}

// run fails the test if the page does not get that far.
func run[T any](p *page, what string, action chromedp.Action[T]) T {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	result, err := chromedp.Run(ctx, action)
	if err != nil {
		p.t.Fatalf("%s: %v\nerrors in the console: %q\nthe page says: %s", what, err, p.takeErrors(), p.everything())
	}
	return result
}

func (p *page) do(what string, action chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	run(p, what, action)
}

// everything is the text of the page, for a message.
func (p *page) everything() string {
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	text, _ := chromedp.Run(ctx, chromedp.Evaluate[string](`document.body.innerText`))
	return text
}

// Elements are named by CSS selectors. Each of these waits until there is one that can
// be seen.

func (p *page) open(url string) {
	p.t.Helper()
	p.do("opening "+url, chromedp.Navigate(url))
}

func (p *page) click(selector string) {
	p.t.Helper()
	p.do("clicking "+selector, chromedp.Click(chromedp.CSS(selector), chromedp.NodeVisible))
}

// fill types a text in place of what is in a field.
func (p *page) fill(selector, text string) {
	p.t.Helper()
	p.do("filling "+selector, chromedp.Steps(
		chromedp.Focus(chromedp.CSS(selector), chromedp.NodeVisible),
		chromedp.Evaluate[chromedp.Void](fmt.Sprintf(`document.querySelector(%q).select()`, selector)),
		chromedp.KeyEvent("\b"+text),
	))
}

// choose selects an option by its value.
func (p *page) choose(selector, value string) {
	p.t.Helper()
	// a list of options is not in the page, so no click gets there: keys do
	p.do("choosing "+value, chromedp.Steps(
		chromedp.Focus(chromedp.CSS(selector), chromedp.NodeVisible),
		chromedp.KeyEvent(kb.Home),
	))
	for options := eval[int](p, fmt.Sprintf(`document.querySelector(%q).length`, selector)); options > 0; options-- {
		if eval[string](p, fmt.Sprintf(`document.querySelector(%q).value`, selector)) == value {
			return
		}
		p.do("choosing "+value, chromedp.KeyEvent(kb.ArrowDown))
	}
	p.t.Fatalf("%s has no option %s", selector, value)
}

func (p *page) text(selector string) string {
	p.t.Helper()
	return run(p, "reading "+selector, chromedp.Text(chromedp.CSS(selector), chromedp.NodeVisible))
}

// eval runs a script, and waits for the promise if that is what it returns.
func eval[T any](p *page, script string) T {
	p.t.Helper()
	return run(p, "running "+script, chromedp.Evaluate[T](script, chromedp.EvalAwaitPromise))
}

// until waits until a script yields true, also across navigations.
func (p *page) until(what, script string) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	for {
		yes, err := chromedp.Run(ctx, chromedp.Evaluate[bool](script, chromedp.EvalAwaitPromise))
		if err == nil && yes {
			return
		}
		if ctx.Err() != nil {
			p.t.Fatalf("not %s: %v\nat %s\nthe page says: %s", what, err, p.location(), p.everything())
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// location is the address of the page, for a message too.
func (p *page) location() string {
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	url, _ := chromedp.Run(ctx, chromedp.Evaluate[string](`location.href`))
	return url
}

// answerRemote answers requests over HTTPS, which nothing on this machine does, in
// place of the network. What it has nil for fails.
func (p *page) answerRemote(answer func(url string) []byte) {
	p.t.Helper()
	p.mu.Lock()
	p.remote = answer
	p.mu.Unlock()
	p.do("answering for the network", func(ctx context.Context, target *chromedp.Target) (chromedp.Void, error) {
		_, err := cdp.Call(ctx, target, fetch.Enable, fetch.EnableParams{Patterns: []*fetch.RequestPattern{{URLPattern: "https://*"}}})
		return chromedp.Void{}, err
	})
}

func (p *page) answer(event *fetch.EventRequestPaused) {
	p.mu.Lock()
	remote := p.remote
	p.mu.Unlock()
	var err error
	if body := remote(event.Request.URL); body != nil {
		_, err = chromedp.Call(p.ctx, fetch.FulfillRequest, fetch.FulfillRequestParams{RequestID: event.RequestID, ResponseCode: 200, Body: body})
	} else {
		_, err = chromedp.Call(p.ctx, fetch.FailRequest, fetch.FailRequestParams{RequestID: event.RequestID, ErrorReason: network.ErrorReasonFailed})
	}
	if err != nil {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.errors = append(p.errors, fmt.Sprintf("answering %s: %v", event.Request.URL, err))
	}
}

// tolerate lets errors in the console pass that contain one of the texts, however many
// there are.
func (p *page) tolerate(texts ...string) { p.tolerated = append(p.tolerated, texts...) }

// takeErrors returns the errors in the console since the last call.
func (p *page) takeErrors() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	taken := p.errors
	p.errors = nil
	return taken
}

// wantErrors takes so many errors from the console, and waits for them if they are not
// there yet. Each has to contain one of the texts, and each text has to be in one.
func (p *page) wantErrors(count int, texts ...string) {
	p.t.Helper()
	var taken []string
	for deadline := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		taken = append(taken, p.takeErrors()...)
		if len(taken) >= count || time.Now().After(deadline) {
			break
		}
	}
	seen := make(map[string]bool)
	for _, text := range taken {
		i := slices.IndexFunc(texts, func(want string) bool { return strings.Contains(text, want) })
		if i < 0 {
			p.t.Errorf("in the console: %s", text)
			continue
		}
		seen[texts[i]] = true
	}
	if len(taken) != count || len(seen) != len(texts) {
		p.t.Errorf("the console has %q, want %d errors with %q", taken, count, texts)
	}
}

// last is the last request to a URL with that method.
func (p *page) last(method, url string) request {
	p.t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := len(p.requests) - 1; i >= 0; i-- {
		if r := p.requests[i]; r.Method == method && r.URL == url {
			return r
		}
	}
	p.t.Fatalf("the page sent no %s %s", method, url)
	return request{}
}

// sent is the number of requests with that method so far.
func (p *page) sent(method string) (n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, r := range p.requests {
		if r.Method == method {
			n++
		}
	}
	return n
}
