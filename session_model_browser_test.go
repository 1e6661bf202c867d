package caddygrant

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"pgregory.net/rapid"

	"github.com/caddygrant/caddy-grant/internal/session"
	"github.com/caddygrant/caddy-grant/internal/token"
)

// These are the steps of TestModelOfSessions that browsers take, and thieves of cookies.

// modelCookie is a session cookie that a browser was given once.
type modelCookie struct {
	value      string
	session    *modelSession
	begins     int64
	sealed     int64
	remembered bool
}

func (c *modelCookie) String() string {
	return fmt.Sprintf("a cookie of session %d, sealed %s after it began", c.session.number, time.Duration(c.sealed-c.begins)*time.Second)
}

// expires is when it is no longer good, unix seconds.
func (c *modelCookie) expires() int64 {
	if c.remembered {
		return c.session.ends
	}
	return min(c.session.ends, c.sealed+int64(modelIdleTTL.Seconds()))
}

// isDue tells whether it is to be sealed anew by that time.
func (c *modelCookie) isDue(at time.Time) bool {
	return !c.remembered && at.Unix() >= c.sealed+int64(modelIdleTTL.Seconds())/10
}

// modelTried is a cookie that a node may have tried to renew.
type modelTried struct {
	node  int
	value string
}

// someCookie draws a cookie: that of the browser, which may have none, or any.
func (m *modelRun) someCookie(t *rapid.T) *modelCookie {
	if len(m.cookies) == 0 || rapid.IntRange(0, 2).Draw(t, "the browser's own") > 0 {
		return m.jar
	}
	return m.cookies[len(m.cookies)-1-rapid.IntRange(0, len(m.cookies)-1).Draw(t, "cookie, from the latest")]
}

// visit sends a form to the login page, as a browser does.
func (m *modelRun) visit(n *modelNode, path string, cookie *modelCookie, form url.Values) modelReply {
	return m.browse(n, 0, cookie, func(ctx context.Context) *http.Request {
		r := httptest.NewRequestWithContext(ctx, http.MethodPost, path, strings.NewReader(form.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Origin", "http://example.com")
		return r
	}, nil)
}

// fetch asks an edge of the node for something, which the app answers after meanwhile.
func (m *modelRun) fetch(n *modelNode, edge int, cookie *modelCookie, meanwhile func()) modelReply {
	return m.browse(n, edge, cookie, func(ctx context.Context) *http.Request {
		return httptest.NewRequestWithContext(ctx, http.MethodGet, "/", nil)
	}, meanwhile)
}

func (m *modelRun) browse(n *modelNode, edge int, cookie *modelCookie, request func(context.Context) *http.Request, meanwhile func()) modelReply {
	rec := httptest.NewRecorder()
	var err error
	reply := m.watch(n, func(ctx context.Context) {
		r := request(ctx)
		if cookie != nil {
			r.Header.Set("Cookie", "theme=dark; "+modelCookieName+"="+cookie.value)
		}
		err = n.bearers[edge].ServeHTTP(rec, modelRequest(r, rec), caddyhttp.HandlerFunc(func(w http.ResponseWriter, r *http.Request) error {
			if cookie != nil && r.Header.Get("Cookie") != "theme=dark" {
				return errors.New("the app sees the cookie")
			}
			if meanwhile != nil {
				meanwhile()
				m.clock.Store(int64(n.offset))
			}
			w.WriteHeader(http.StatusOK)
			return nil
		}))
	})
	reply.status, reply.header = rec.Code, rec.Header()
	if refusal, ok := errors.AsType[caddyhttp.HandlerError](err); ok {
		reply.status = refusal.StatusCode
	} else if err != nil {
		reply.status = 0
	}
	return reply
}

// given is the session cookie that an answer sets, nil if none, and whether it is
// cleared.
func (m *modelRun) given(t *rapid.T, n *modelNode, r modelReply, s *modelSession) (cookie *modelCookie, cleared bool) {
	for _, set := range (&http.Response{Header: r.header}).Cookies() {
		switch {
		case set.Name != modelCookieName:
			t.Fatalf("%s is set", set.Name)
		case set.MaxAge < 0:
			cleared = true
			continue
		case cookie != nil:
			t.Fatal("two cookies are set")
		}
		sealed, err := n.handler.server.keys.active.Load().OpenCookie(set.Value, token.CookiePlace{Name: modelCookieName, Host: "example.com"})
		if err != nil {
			t.Fatal(err)
		}
		if s.sid == "" {
			s.sid, s.day, s.ends, s.version = sealed.SessionID, sealed.SessionID[:8], sealed.Ends, sealed.SessionVersion
		}
		if sealed.SessionID != s.sid || sealed.SessionVersion != s.version || sealed.Ends != s.ends || sealed.Remembered != (set.MaxAge > 0) {
			t.Fatalf("%+v is set for session %d, max-age %d", sealed, s.number, set.MaxAge)
		}
		cookie = &modelCookie{value: set.Value, session: s, begins: sealed.Begins, sealed: sealed.Sealed, remembered: sealed.Remembered}
		m.cookies = append(m.cookies, cookie)
	}
	return cookie, cleared
}

// logInByPage logs in with a browser, which may have a session already: that one ends.
func (m *modelRun) logInByPage(t *rapid.T) {
	m.logInOver(t, m.node(t), m.jar)
}

func (m *modelRun) logInOver(t *rapid.T, n *modelNode, former *modelCookie) {
	number := rapid.IntRange(0, len(m.users)-1).Draw(t, "user")
	user, form := m.copies[n.number][number], url.Values{}
	password := user.password
	if former == nil && rapid.IntRange(0, 5).Draw(t, "wrong password") == 5 {
		password++
	}
	form.Set("username", user.name)
	form.Set("password", modelPassword(password))
	remember := rapid.IntRange(0, 3).Draw(t, "remember") == 3
	if remember {
		form.Set("remember", "on")
	}
	left, some := user.narrowed(modelScopes)
	want := http.StatusSeeOther
	switch {
	case user.gone || user.disabled || user.password != password:
		want = http.StatusUnauthorized
	case !some:
		want = http.StatusForbidden
	}
	what := "login on the page of " + user.name + " at " + n.letter()
	good, asks := false, false
	if former != nil {
		what += " over " + former.String()
		good, asks = m.isGood(n, former), m.asks(n, former.session)
		m.maybe[modelAsked{n.number, former.session.number}] = time.Now()
	}
	had, heard := n.hasNotices(), m.heardOf(n)
	r := m.visit(n, "/token/login", former, form)
	if m.unanswered(t, n, had && !asks, r) { // or the browser left while storage was asked for the former session
		return
	}
	if r.status != want {
		t.Fatalf("%d: %s: the answer is %d, want %d", m.op, what, r.status, want)
	}
	s := &modelSession{number: len(m.sessions), user: number, password: password, client: modelPage, scopes: left}
	cookie, _ := m.given(t, n, r, s)
	if (want == http.StatusSeeOther) != (cookie != nil) || cookie != nil && cookie.remembered != remember {
		t.Fatalf("%d: %s: the cookie is %v", m.op, what, cookie)
	}
	switch {
	case former == nil || want != http.StatusSeeOther:
		if !asks && (r.took > 0 || r.writes > 0) {
			t.Fatalf("%s takes %s and %d writes", what, r.took, r.writes)
		}
		t.Logf("%d: %s: %d", m.op, what, r.status)
		m.restartTheDead(t)
	default:
		m.judge(t, n, what, former.session, r, modelAnswer{status: r.status}, func(w modelWorld, at modelMoment) (right []modelOutcome, slips []modelWorld) {
			done := modelAnswer{status: http.StatusSeeOther}
			if !good || w.knows[at.node] || w.ended || w.over || asks { // nor is it good where the day is known to be swept
				right = append(right, modelOutcome{done, w})
			}
			if !good || w.knows[at.node] {
				return right, nil
			}
			right = append(right, modelOutcome{done, w.end(at)})
			if m.shaky(r) { // the login goes on
				for _, slip := range w.ends(at) {
					right = append(right, modelOutcome{done, slip})
				}
			}
			return right, w.ends(at)
		})
	}
	if cookie == nil {
		return
	}
	m.jar = cookie
	m.begin(s)
	m.beginAfter(t, heard, s)
}

// asks tells whether a node has to ask storage about a session.
func (m *modelRun) asks(n *modelNode, s *modelSession) bool {
	id, _ := session.ParseID(s.sid)
	revoked, known := n.sessions().memory.InView(id)
	return !revoked && !known || !n.hasNotices()
}

// isGood tells whether a cookie is good at a node, apart from its session.
func (m *modelRun) isGood(n *modelNode, c *modelCookie) bool {
	return m.userIsSame(n, c.session) && m.at(n).wall.Unix() < c.expires()
}

// use sends a request with a cookie.
func (m *modelRun) use(t *rapid.T) {
	if cookie := m.someCookie(t); cookie != nil {
		m.show(t, m.node(t), rapid.IntRange(0, len(modelDemands)-1).Draw(t, "edge"), cookie)
		return
	}
	m.logInByPage(t)
}

// show sends a request with a cookie to an edge, as present does with a token. A cookie that is due is
// sealed anew, unless storage has the revocation: the node need not know of it yet.
func (m *modelRun) show(t *rapid.T, n *modelNode, edge int, cookie *modelCookie) {
	s := cookie.session
	what := "request at " + n.letter() + " with " + cookie.String()
	asks, good, at := m.asks(n, s), m.isGood(n, cookie), m.at(n).wall
	tried := modelTried{n.number, cookie.value}
	lately := at.Sub(m.tried[tried]).Abs() <= modelRenewalPause
	r := m.fetch(n, edge, cookie, nil)
	renewed, cleared := m.given(t, n, r, s)
	if cleared {
		t.Fatalf("%d: %s: the cookie is cleared", m.op, what)
	}
	left, _ := m.copies[n.number][s.user].narrowed(s.scopes)
	pass, refused := modelAnswer{status: http.StatusOK}, modelAnswer{status: http.StatusUnauthorized}
	if !modelWithin(modelDemands[edge], left) {
		pass.status = http.StatusForbidden
	}
	due := cookie.isDue(at) && pass.status == http.StatusOK
	got := modelAnswer{status: r.status, active: renewed != nil}
	if due {
		m.tried[tried] = m.at(n).wall
	}
	if !good {
		if got != refused || r.took > 0 {
			t.Fatalf("%d: %s: the answer is %s, want %s", m.op, what, got, refused)
		}
		return
	}
	if !asks && !due && (r.faults > 0 || r.took > 0) {
		t.Fatalf("%s asks storage", what)
	}
	passed := modelAsked{n.number, s.number}
	poll := time.Duration(n.sessions().poll)
	known, maybe := time.Since(m.asked[passed]) < poll, time.Since(m.maybe[passed]) < 2*poll
	m.judge(t, n, what, s, r, got, func(w modelWorld, at modelMoment) ([]modelOutcome, []modelWorld) {
		var right []modelOutcome
		if w.revoked || w.over || w.ended {
			right = append(right, modelOutcome{refused, w})
		}
		if !w.knows[at.node] && !w.knowsEnd[at.node] && (!asks || !w.revoked && !w.over || known || maybe) {
			if !due || lately || w.revoked || w.over || w.ended || m.shaky(r) {
				right = append(right, modelOutcome{pass, w})
			}
			if due && !w.revoked && !w.over && !w.ended {
				right = append(right, modelOutcome{modelAnswer{status: pass.status, active: true}, w})
			}
		}
		if asks && m.shaky(r) {
			right = append(right, modelOutcome{modelAnswer{status: http.StatusServiceUnavailable}, w})
		}
		return right, nil
	})
	switch {
	case asks && got.status == pass.status && !known:
		m.asked[passed] = r.began
	case asks && r.status == http.StatusServiceUnavailable: // of which a client that hung up knows nothing
		m.maybe[passed] = time.Now()
	}
	if renewed != nil && m.jar == cookie {
		m.jar = renewed
	}
}

// logOut logs out with a cookie, which need not be good any longer.
func (m *modelRun) logOut(t *rapid.T) {
	if cookie := m.someCookie(t); cookie != nil {
		m.logOutWith(t, m.node(t), cookie)
		return
	}
	m.logInByPage(t)
}

func (m *modelRun) logOutWith(t *rapid.T, n *modelNode, cookie *modelCookie) {
	what := "logout at " + n.letter() + " with " + cookie.String()
	m.maybe[modelAsked{n.number, cookie.session.number}] = time.Now()
	r := m.visit(n, "/token/login/logout", cookie, nil)
	if set, cleared := m.given(t, n, r, cookie.session); set != nil || !cleared {
		t.Fatalf("%d: %s: the answer sets %v, and clears it %t", m.op, what, set, cleared)
	}
	got := modelAnswer{status: r.status}
	if r.status == http.StatusServiceUnavailable {
		got = modelUnavailable
	}
	m.judge(t, n, what, cookie.session, r, got, func(w modelWorld, at modelMoment) ([]modelOutcome, []modelWorld) {
		return []modelOutcome{{modelOK, w.end(at)}}, w.ends(at)
	})
	if m.jar == cookie {
		m.jar = nil
	}
}

// answerLate has an app answer a request after the browser has logged out, or in anew,
// at any node. The cookie of the session that ended must not come back.
func (m *modelRun) answerLate(t *rapid.T) {
	if len(m.later) > 0 || m.disk.stuckCalls() > 0 || time.Now().Before(m.locks) {
		return // what fails is looked at elsewhere
	}
	m.disk.arm(modelFault{})
	if m.jar == nil || !m.isGood(m.nodes[0], m.jar) {
		m.logInByPage(t)
	}
	cookie, n, other := m.jar, m.node(t), m.node(t)
	if cookie == nil {
		return
	}
	if wait := time.Unix(cookie.sealed, 0).Add(modelIdleTTL / 10).Sub(m.at(n).wall); wait > 0 && wait < modelIdleTTL {
		time.Sleep(wait) // until it is due
	}
	m.maybe[modelAsked{n.number, cookie.session.number}] = time.Now()
	ended := false
	r := m.fetch(n, 0, cookie, func() {
		ended = true
		if rapid.Bool().Draw(t, "log in anew") {
			m.logInOver(t, other, cookie)
		} else {
			m.logOutWith(t, other, cookie)
		}
	})
	m.tried[modelTried{n.number, cookie.value}] = m.at(n).wall
	t.Logf("%d: late answer at %s to %s: %d", m.op, n.letter(), cookie, r.status)
	renewed, cleared := m.given(t, n, r, cookie.session)
	if cleared {
		t.Fatal("a late answer takes the cookie away")
	}
	if renewed != nil && m.jar == cookie {
		m.jar = renewed
	}
	for w := range cookie.session.worlds {
		if ended && (w.revoked || w.ended) && renewed != nil {
			t.Fatalf("%d: a late answer at %s gives back the cookie of a session that ended at %s", m.op, n.letter(), other.letter())
		}
	}
}

// begin records a session that has just begun.
func (m *modelRun) begin(s *modelSession) {
	s.worlds = map[modelWorld]bool{{}: true}
	if over, may := m.swept[s.day]; may {
		s.worlds = map[modelWorld]bool{{}: !over, modelWorld{}.remove(): true}
		if over {
			delete(s.worlds, modelWorld{})
		}
	}
	m.sessions = append(m.sessions, s)
}

// modelLoginPage is the login page of the nodes.
func modelLoginPage() *LoginPage {
	return &LoginPage{
		SessionTTL: caddy.Duration(modelSessionTTL), IdleTTL: caddy.Duration(modelIdleTTL), Remember: caddy.Duration(modelRememberTTL),
	}
}

// modelPage is the client that the sessions of the login page belong to.
var modelPage = modelClient{id: token.LoginPage, scopes: modelScopes}

const (
	modelCookieName   = "grant-default"
	modelIdleTTL      = 20 * time.Hour
	modelRememberTTL  = 10 * 24 * time.Hour
	modelRenewalPause = 10 * time.Second
)
