package statuspage

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/caddygrant/caddy-grant/internal/statusview"
)

func newHandler() *Handler {
	return New(&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 4711}, func() statusview.View {
		return statusview.View{Nodes: []statusview.Node{{
			Address: "<node>", Asked: true, Warning: "no counters",
			Servers: []statusview.Server{{
				Name: "<b>default</b>", Issuer: "javascript:alert(1)",
				Done:    []statusview.Count{{Label: "Logins", Total: 12345}},
				Refused: []statusview.Count{{Label: "password: <i>", Known: true, PerSecond: 0.5}},
				Facts:   []statusview.Fact{{Label: "File", Text: "</style><script>", Level: statusview.Bad}},
			}},
		}}}
	})
}

// browser sends requests as a browser does that keeps cookies.
type browser struct {
	h       *Handler
	cookies []*http.Cookie
}

func (b *browser) send(method, url string, change ...func(*http.Request)) *http.Response {
	r := httptest.NewRequest(method, url, nil)
	for _, cookie := range b.cookies {
		r.AddCookie(cookie)
	}
	for _, c := range change {
		c(r)
	}
	w := httptest.NewRecorder()
	b.h.ServeHTTP(w, r)
	b.cookies = append(b.cookies, w.Result().Cookies()...)
	return w.Result()
}

func (b *browser) get(url string, change ...func(*http.Request)) *http.Response {
	return b.send(http.MethodGet, url, change...)
}

const page = "http://127.0.0.1:4711/"

func want(t *testing.T, what string, r *http.Response, status int, text string) {
	t.Helper()
	var body strings.Builder
	_ = r.Write(&body)
	if r.StatusCode != status || !strings.Contains(body.String(), text) {
		t.Errorf("%s: %d, want %d with %q\n%s", what, r.StatusCode, status, text, body.String())
	}
	if !strings.HasPrefix(r.Header.Get("Content-Security-Policy"), "default-src 'none'; style-src 'sha256-") || r.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("%s: the headers are %v", what, r.Header)
	}
}

func TestLinkOpensThePageInOneBrowser(t *testing.T) {
	h := newHandler()
	owner, other := &browser{h: h}, &browser{h: h}
	want(t, "before the link", owner.get(page), 403, "Not this browser")
	want(t, "a guess", owner.get(page+"open/guess"), 403, "Not this browser")
	want(t, "an empty guess", owner.get(page+"open/"), 403, "Not this browser")

	first := owner.get(h.Link())
	want(t, "the link", first, 200, "One moment")
	if first.Header.Get("Refresh") != "0; url=/" || len(owner.cookies) != 1 {
		t.Fatalf("the link leads to %q, with the cookies %v", first.Header.Get("Refresh"), owner.cookies)
	}
	if c := owner.cookies[0]; !c.HttpOnly || c.SameSite != http.SameSiteStrictMode || c.Path != "/" || c.MaxAge != 0 || strings.Contains(h.Link(), c.Value) {
		t.Errorf("the cookie is %v", c)
	}
	want(t, "the page", owner.get(page), 200, "Server &lt;b&gt;default&lt;/b&gt;")

	want(t, "the link in another browser", other.get(h.Link()), 403, "This link was used already")
	want(t, "the page in another browser", other.get(page), 403, "Not this browser")
	want(t, "a guess after the link was used", other.get(page+"open/"), 403, "Not this browser")
	want(t, "a made-up cookie", (&browser{h, []*http.Cookie{{Name: owner.cookies[0].Name, Value: "x"}}}).get(page), 403, "Not this browser")
	if len(other.cookies) != 0 {
		t.Errorf("another browser got the cookies %v", other.cookies)
	}
	want(t, "the link again", owner.get(h.Link()), 200, "One moment")
	want(t, "another path", owner.get(page+"favicon.ico"), 404, "only one page")
}

func TestWhatLooksAheadDoesNotUseUpTheLink(t *testing.T) {
	h := newHandler()
	b := &browser{h: h}
	if got := b.send(http.MethodHead, h.Link()); got.StatusCode != 403 {
		t.Errorf("HEAD is answered %d", got.StatusCode)
	}
	for _, header := range []string{"Sec-Purpose", "Purpose"} {
		want(t, header, b.get(h.Link(), func(r *http.Request) { r.Header.Set(header, "prefetch;prerender") }), 403, "Not yet")
	}
	want(t, "the link", b.get(h.Link()), 200, "One moment")
}

func TestPageIsOnlyAtItsOwnHost(t *testing.T) {
	h := newHandler()
	b := &browser{h: h}
	for _, host := range []string{"evil.example:4711", "127.0.0.1", "127.0.0.1:4712", "localhost", "evil.example", ""} {
		want(t, host, b.get(h.Link(), func(r *http.Request) { r.Host = host }), 403, "Another host")
	}
	want(t, "the link", b.get(h.Link()), 200, "One moment")
	want(t, "localhost", b.get(page, func(r *http.Request) { r.Host = "LOCALHOST:4711" }), 200, "Server ")
	want(t, "another host with the cookie", b.get(page, func(r *http.Request) { r.Host = "evil.example:4711" }), 403, "Another host")
}

func TestPageCanOnlyBeRead(t *testing.T) {
	h := newHandler()
	b := &browser{h: h}
	for _, method := range []string{"POST", "PUT", "DELETE", "OPTIONS"} {
		want(t, method, b.send(method, h.Link()), 405, "can only be read")
	}
	want(t, "the link", b.get(h.Link()), 200, "One moment")
}

func TestPageEscapesWhatItShows(t *testing.T) {
	h := newHandler()
	b := &browser{h: h}
	b.get(h.Link())
	var body strings.Builder
	_ = b.get(page).Write(&body)
	for _, text := range []string{"<script", "<i>", "<b>", "<node>", "</style><", "href=\"javascript"} {
		if strings.Contains(body.String(), text) {
			t.Errorf("the page has %s", text)
		}
	}
	for _, text := range []string{"12,345", ">0.50<", ">-<", `class="bad"`, "1 problem – caddy-grant status"} {
		if !strings.Contains(body.String(), text) {
			t.Errorf("the page lacks %s:\n%s", text, body.String())
		}
	}
}

func TestPausedPageStandsStill(t *testing.T) {
	h := newHandler()
	b := &browser{h: h}
	b.get(h.Link())
	for url, want := range map[string]string{page: "5", page + "?paused": ""} {
		if got := b.get(url).Header.Get("Refresh"); got != want {
			t.Errorf("%s is asked for again after %q, want %q", url, got, want)
		}
	}
}

func TestOnlyTheBrowserOfTheLinkKeepsThePageUp(t *testing.T) {
	h := newHandler()
	b := &browser{h: h}
	began := h.Seen()
	(&browser{h: h}).get(page)
	(&browser{h: h}).get(page + "open/guess")
	if !h.Seen().Equal(began) {
		t.Error("a stranger keeps the page up")
	}
	b.get(h.Link())
	opened := h.Seen()
	b.get(page)
	if !opened.After(began) || !h.Seen().After(opened) {
		t.Error("its own browser does not")
	}

	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := newHandler().Serve(t.Context(), listener, time.Millisecond); !errors.Is(err, ErrIdle) {
		t.Errorf("without a browser it ends with %v", err)
	}
	if listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := newHandler().Serve(ctx, listener, time.Hour); err != nil {
		t.Errorf("told to end, it ends with %v", err)
	}
}
