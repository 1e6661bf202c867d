package caddygrant

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddygrant/caddy-grant/directory"
	"github.com/caddygrant/caddy-grant/internal/token"
)

// A cookie lasts for days, and a copy of it may be sealed anew by a node that has not
// heard of the logout yet. So a revocation is kept as long as its session could last: on
// the node that revoked it, on a node that polls, and on one that starts days later.
func TestACookieOfARevokedSessionIsRefusedUntilTheSessionWouldHaveEnded(t *testing.T) {
	for name, form := range map[string]url.Values{
		"kept alive": {}, "remembered": {"remember": {"on"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				form.Set("username", "alice")
				form.Set("password", modelPassword(0))
				nodes, disk := newCookieNodes(t, strings.ReplaceAll(t.Name(), "/", " "))
				revoked, live := nodes[0].logIn(t, form), nodes[1].logIn(t, form)
				for _, n := range nodes {
					n.want(t, revoked, http.StatusOK, "")
				}
				if status, _ := nodes[0].send(http.MethodPost, "/token/login/logout", revoked, nil); status != http.StatusOK {
					t.Fatal("the logout failed", status)
				}
				nodes[0].want(t, revoked, http.StatusUnauthorized, "its session was revoked")
				nodes[1].want(t, revoked, http.StatusOK, "") // until it polls
				nodes[1].poll(t)
				claims := nodes[0].open(t, revoked)
				for time.Now().Before(time.Unix(claims.Ends, 0)) {
					started := &cookieNode{&modelNode{number: 1, copy: nodes[1].copy}, nodes[1].disk}
					for _, n := range append(nodes, started) {
						if n == started { // nodes[1] ends
							nodes[1].stop()
							disk.processes[1] = new(modelProcess)
							if err := started.load(started.disk, false); err != nil {
								t.Fatal(err)
							}
							nodes[1] = started
						}
						for _, polled := range []bool{false, true} {
							if polled {
								n.poll(t)
							}
							n.want(t, n.seal(t, revoked), http.StatusUnauthorized, "its session was revoked")
							n.want(t, n.seal(t, live), http.StatusOK, "")
							if claims.Remembered {
								n.want(t, revoked, http.StatusUnauthorized, "its session was revoked")
								n.want(t, live, http.StatusOK, "")
							}
						}
						if _, err := n.sessions().Sweep(t.Context()); err != nil {
							t.Fatal(err)
						}
					}
					time.Sleep(7 * time.Hour)
				}
				for _, n := range nodes {
					n.want(t, n.seal(t, revoked), http.StatusUnauthorized, "expired")
					n.want(t, n.seal(t, live), http.StatusUnauthorized, "expired")
				}
			})
		})
	}
}

// cookieNode is one of two nodes with a login page on one storage.
type cookieNode struct {
	*modelNode
	disk string
}

func newCookieNodes(t *testing.T, name string) ([]*cookieNode, *modelDisk) {
	disk := newModelDisk(true)
	modelDisks.Store(name, disk)
	users, err := modelUserSet([]modelUser{{name: "alice"}})
	if err != nil {
		t.Fatal(err)
	}
	held := new(atomic.Pointer[directory.UserSet])
	held.Store(users)
	modelCopies.Store(name, held)
	var nodes []*cookieNode
	for i := range 2 {
		n := &cookieNode{&modelNode{number: i, copy: name}, name}
		if err := n.load(name, false); err != nil {
			t.Fatal(err)
		}
		nodes = append(nodes, n)
	}
	t.Cleanup(func() {
		for _, n := range nodes {
			n.stop()
		}
		modelDisks.Delete(name)
		modelCopies.Delete(name)
	})
	for _, n := range nodes {
		n.poll(t)
	}
	return nodes, disk
}

func (n *cookieNode) poll(t *testing.T) {
	t.Helper()
	if err := n.sessions().Poll(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func (n *cookieNode) send(method, path, cookie string, form url.Values) (status int, set []*http.Cookie) {
	rec := httptest.NewRecorder()
	r := httptest.NewRequest(method, path, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Cookie", modelCookieName+"="+cookie)
	err := n.bearers[0].ServeHTTP(rec, modelRequest(r, rec), caddyhttp.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) error {
		w.WriteHeader(http.StatusOK)
		return nil
	}))
	if refusal, ok := errors.AsType[caddyhttp.HandlerError](err); ok {
		return refusal.StatusCode, nil
	}
	return rec.Code, rec.Result().Cookies()
}

func (n *cookieNode) logIn(t *testing.T, form url.Values) string {
	t.Helper()
	status, set := n.send(http.MethodPost, "/token/login", "", form)
	if status != http.StatusSeeOther || len(set) != 1 {
		t.Fatal("the login failed", status, set)
	}
	return set[0].Value
}

// want sends a request with the cookie to the app.
func (n *cookieNode) want(t *testing.T, cookie string, status int, reason string) {
	t.Helper()
	if got, _ := n.send(http.MethodGet, "/", cookie, nil); got != status {
		t.Fatalf("%s at %s: the answer is %d, want %d", time.Now(), n.letter(), got, status)
	}
	_, err := n.handler.server.tokens.CheckCookie(t.Context(), cookie, cookiePlace)
	if reason == "" && err != nil || reason != "" && (err == nil || err.Error() != reason) {
		t.Fatalf("%s at %s: the reason is %v, want %q", time.Now(), n.letter(), err, reason)
	}
}

func (n *cookieNode) open(t *testing.T, cookie string) *token.SessionCookie {
	t.Helper()
	opened, err := n.handler.server.keys.active.Load().OpenCookie(cookie, cookiePlace)
	if err != nil {
		t.Fatal(err)
	}
	return opened
}

// seal seals a cookie anew, as a node would for a session that it takes for live.
func (n *cookieNode) seal(t *testing.T, cookie string) string {
	t.Helper()
	sealed, err := n.handler.server.keys.active.Load().Seal(n.open(t, cookie), cookiePlace, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return sealed
}

var cookiePlace = token.CookiePlace{Name: modelCookieName, Host: "example.com"}
