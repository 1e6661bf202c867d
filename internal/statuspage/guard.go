package statuspage

import (
	"crypto/rand"
	"crypto/subtle"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/caddygrant/caddy-grant/internal/statusview"
)

// Handler shows the page to the browser that opened the link first, and to no other.
type Handler struct {
	view   func() statusview.View
	hosts  []string // what the Host header may say
	token  string   // of the link
	cookie string   // its name: cookies of one host are the same for all ports
	key    string   // its value

	mu   sync.Mutex
	used bool // the link
	seen time.Time
}

// The paths.
const (
	home     = "/"
	linkPath = "/open/"
)

// New is for a listener on loopback.
func New(at net.Addr, view func() statusview.View) *Handler {
	host, port, _ := net.SplitHostPort(at.String())
	return &Handler{
		view: view, hosts: []string{net.JoinHostPort(host, port), net.JoinHostPort("localhost", port)},
		cookie: "caddy_grant_status_" + port, token: rand.Text(), key: rand.Text(), seen: time.Now(),
	}
}

// Link opens the page, once.
func (h *Handler) Link() string {
	return (&url.URL{Scheme: "http", Host: h.hosts[0], Path: linkPath + h.token}).String()
}

// Seen is when the browser asked last.
func (h *Handler) Seen() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.seen
}

func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	for name, value := range map[string]string{
		"Cache-Control":                "no-store",
		"Content-Security-Policy":      policy,
		"Cross-Origin-Opener-Policy":   "same-origin",
		"Cross-Origin-Resource-Policy": "same-origin",
		"Referrer-Policy":              "no-referrer", // the link has the token
		"X-Content-Type-Options":       "nosniff",
		"X-Frame-Options":              "DENY",
	} {
		w.Header().Set(name, value)
	}
	token, isLink := strings.CutPrefix(r.URL.Path, linkPath)
	switch {
	case !slices.Contains(h.hosts, strings.ToLower(r.Host)): // a name that was pointed here (DNS rebinding)
		said{Status: http.StatusForbidden, Title: "Another host", Text: "This page is only at the address of its link."}.write(w)
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		w.Header().Set("Allow", "GET, HEAD")
		said{Status: http.StatusMethodNotAllowed, Title: "Read-only", Text: "This page can only be read."}.write(w)
	case isLink:
		h.open(w, r, token)
	case !h.knows(r):
		forbidden.write(w)
	case r.URL.Path != home:
		said{Status: http.StatusNotFound, Title: "Not found", Text: "There is only one page.", Home: home}.write(w)
	default:
		writePage(w, h.view(), r.URL.Query().Has("paused"))
	}
}

var forbidden = said{
	Status: http.StatusForbidden, Title: "Not this browser",
	Text: "This page is for the browser in which the link was opened first. Start caddy grant status --web again for another link.",
}

// open answers the link. The page that it leads to is asked for by a page of this site,
// not by a redirect: a link that another site or a file has is from elsewhere, and so is
// what it redirects to, which does not get the cookie.
func (h *Handler) open(w http.ResponseWriter, r *http.Request, token string) {
	is := isSame(token, h.token)
	// what only looks ahead does not use up the link
	ahead := r.Method == http.MethodHead || strings.Contains(r.Header.Get("Sec-Purpose")+r.Header.Get("Purpose"), "prefetch")
	h.mu.Lock()
	first, again := is && !h.used, is && h.used
	if first && !ahead {
		h.used, h.seen = true, time.Now()
	}
	h.mu.Unlock()
	switch {
	case first && ahead:
		said{Status: http.StatusForbidden, Title: "Not yet", Text: "Open the link to see the status."}.write(w)
		return
	case first:
		http.SetCookie(w, &http.Cookie{
			Name: h.cookie, Value: h.key, Path: home, HttpOnly: true, SameSite: http.SameSiteStrictMode,
		})
	case again && h.knows(r):
	case again:
		said{
			Status: http.StatusForbidden, Title: "This link was used already",
			Text: "It can be opened once. If you did not do so, someone else on this machine did: they can read the status until caddy grant status --web ends. Start it again for another link.",
		}.write(w)
		return
	default:
		forbidden.write(w)
		return
	}
	w.Header().Set("Refresh", "0; url="+home)
	said{Status: http.StatusOK, Title: "Status of caddy-grant", Text: "One moment.", Home: home}.write(w)
}

// knows tells whether the request is of the browser that opened the link.
func (h *Handler) knows(r *http.Request) bool {
	for _, cookie := range r.CookiesNamed(h.cookie) {
		if isSame(cookie.Value, h.key) {
			h.mu.Lock()
			h.seen = time.Now()
			h.mu.Unlock()
			return true
		}
	}
	return false
}

func isSame(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }
