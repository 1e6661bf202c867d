package caddygrant

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"pgregory.net/rapid"

	"github.com/caddygrant/caddy-grant/internal/oauth"
	"github.com/caddygrant/caddy-grant/internal/session"
)

// These are the steps of TestModelOfSessions that clients take.

// someModelScope draws the scope that a client requests. No scope requests the default.
func someModelScope(t *rapid.T) string {
	return rapid.SampledFrom([]string{"", "", "", "", "", "", "", "", "", "a", "b", "a b", "c", "a b c", "x"}).Draw(t, "scope")
}

func someModelClient(t *rapid.T) modelClient {
	return rapid.SampledFrom(modelClients).Draw(t, "client")
}

// modelClientFor draws the client that a token belongs to, or any.
func modelClientFor(t *rapid.T, token *modelToken) modelClient {
	if rapid.IntRange(0, 7).Draw(t, "wrong client") < 7 {
		return token.session.client
	}
	return someModelClient(t)
}

func anyModelToken(*modelToken) bool        { return true }
func isModelRefresh(token *modelToken) bool { return token.refresh }

func modelWithin(scopes, all []string) bool {
	return !slices.ContainsFunc(scopes, func(s string) bool { return !slices.Contains(all, s) })
}

func modelRefusal(code string) modelAnswer {
	return modelAnswer{status: http.StatusBadRequest, code: code}
}

func (m *modelRun) logIn(t *rapid.T) {
	n, client := m.node(t), someModelClient(t)
	number := rapid.IntRange(0, len(m.users)-1).Draw(t, "user")
	user, scope, password := m.copies[n.number][number], someModelScope(t), 0
	if password = user.password; rapid.IntRange(0, 5).Draw(t, "wrong password") == 5 {
		password++
	}
	had, heard := n.hasNotices(), m.heardOf(n)
	r := m.post(t, n, "/token", client, url.Values{
		"grant_type": {"password"}, "username": {user.name}, "password": {modelPassword(password)}, "scope": {scope},
	})
	scopes := strings.Fields(scope)
	if scope == "" {
		scopes = client.scopes
	}
	left, some := user.narrowed(scopes)
	want := modelAnswer{status: http.StatusOK, scope: strings.Join(left, " ")}
	switch {
	case !modelWithin(scopes, client.scopes):
		want = modelRefusal(oauth.CodeInvalidScope)
	case user.gone || user.disabled || user.password != password:
		want = modelInvalidGrant
	case !some:
		want = modelRefusal(oauth.CodeInvalidScope)
	}
	if m.unanswered(t, n, had, r) {
		return
	}
	m.wantExactly(t, "login of "+user.name+" at "+n.letter(), r, want)
	if want.status != http.StatusOK {
		return
	}
	s := &modelSession{number: len(m.sessions), user: number, password: password, client: client, scopes: left}
	if scope != "" {
		s.refused = slices.DeleteFunc(slices.Clone(scopes), func(s string) bool { return slices.Contains(left, s) })
	}
	m.issue(t, n, r, s)
	m.begin(s)
	m.beginAfter(t, heard, s)
}

func (m *modelRun) refresh(t *rapid.T) {
	fits := isModelRefresh
	if rapid.IntRange(0, 19).Draw(t, "any token") == 19 {
		fits = anyModelToken
	}
	if token := m.token(t, fits); token != nil {
		m.exchange(t, m.node(t), modelClientFor(t, token), token, someModelScope(t))
		return
	}
	m.logIn(t)
}

func (m *modelRun) exchange(t *rapid.T, n *modelNode, client modelClient, token *modelToken, scope string) {
	m.op++ // names the exchange
	what := "refresh at " + n.letter() + " with " + token.String()
	s := token.session
	r := m.post(t, n, "/token", client, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token.raw}, "scope": {scope}})
	scopes := strings.Fields(scope)
	switch {
	case !client.refreshes:
		m.wantExactly(t, what, r, modelRefusal(oauth.CodeUnauthorizedClient))
		return
	case !modelWithin(scopes, client.scopes):
		m.wantExactly(t, what, r, modelRefusal(oauth.CodeInvalidScope))
		return
	case !token.refresh || client.id != s.client.id || m.expired(n, r, token) || !m.userIsSame(n, s):
		m.wantExactly(t, what, r, modelInvalidGrant)
		return
	}
	beyond := !modelWithin(scopes, slices.Concat(s.scopes, s.refused))
	if scope == "" {
		scopes = s.scopes
	}
	scopes = slices.DeleteFunc(slices.Clone(scopes), func(asked string) bool { return slices.Contains(s.refused, asked) })
	left, some := m.copies[n.number][s.user].narrowed(scopes)
	q := modelRefresh{
		generation: token.generation,
		grace:      m.grace,
		scope:      strings.Join(left, " "),
		refused:    beyond || !some || len(scopes) == 0,
		torn:       r.torn > 0,
	}
	m.judge(t, n, what, s, r, r.answer(), q.outcomes)
	if r.status == http.StatusOK {
		m.issue(t, n, r, s)
	}
}

// expired is whether a refresh token was when a request began, by the node's clock.
func (m *modelRun) expired(n *modelNode, r modelReply, token *modelToken) bool {
	return r.began.Add(n.offset).Unix() >= min(token.expires, token.session.ends)
}

// userIsSame tells whether the node knows the session's user as the login did.
func (m *modelRun) userIsSame(n *modelNode, s *modelSession) bool {
	user := m.copies[n.number][s.user]
	return !user.gone && !user.disabled && user.password == s.password
}

// accepts tells whether an access token was valid at the node when a request began, apart
// from its session.
func (m *modelRun) accepts(n *modelNode, r modelReply, token *modelToken) bool {
	at := r.began.Add(n.offset)
	return !token.refresh && m.userIsSame(n, token.session) &&
		at.Add(-modelLeeway).Before(time.Unix(token.expires, 0)) && !at.Add(modelLeeway).Before(time.Unix(token.issued, 0))
}

func (m *modelRun) revoke(t *rapid.T) {
	token := m.token(t, anyModelToken)
	if token == nil {
		m.logIn(t)
		return
	}
	n, client, s := m.node(t), modelClientFor(t, token), token.session
	what := "revocation at " + n.letter() + " of " + token.String()
	r := m.post(t, n, "/token/revoke", client, url.Values{"token": {token.raw}})
	if client.id != s.client.id {
		m.wantExactly(t, what, r, modelInvalidGrant)
		return
	}
	m.judge(t, n, what, s, r, r.answer(), func(w modelWorld, at modelMoment) ([]modelOutcome, []modelWorld) {
		return []modelOutcome{{modelOK, w.end(at)}}, w.ends(at)
	})
}

func (m *modelRun) introspect(t *rapid.T) {
	token := m.token(t, anyModelToken)
	if token == nil {
		m.logIn(t)
		return
	}
	m.introspectToken(t, m.node(t), someModelClient(t), token)
}

func (m *modelRun) introspectToken(t *rapid.T, n *modelNode, client modelClient, token *modelToken) {
	s, inactive := token.session, modelAnswer{status: http.StatusOK}
	what := "introspection at " + n.letter() + " by " + client.id + " of " + token.String()
	r := m.post(t, n, "/token/introspect", client, url.Values{"token": {token.raw}})
	switch {
	case client.secret == "":
		m.wantExactly(t, what, r, modelAnswer{status: http.StatusBadRequest, code: oauth.CodeInvalidClient})
		return
	case client.id != s.client.id && (token.refresh || !client.sees),
		token.refresh && (m.expired(n, r, token) || !m.userIsSame(n, s)),
		!token.refresh && !m.accepts(n, r, token):
		m.wantExactly(t, what, r, inactive)
		return
	}
	if r.writes > 0 {
		t.Fatalf("%s writes", what)
	}
	m.judge(t, n, what, s, r, r.answer(), func(w modelWorld, at modelMoment) (right []modelOutcome, _ []modelWorld) {
		verdicts := w.judge(token.generation, m.grace, at)
		if !token.refresh {
			verdicts = w.judge(w.generation, 0, at) // the session's
		}
		for _, verdict := range verdicts {
			active := verdict == worthNext || verdict == worthAgain
			right = append(right, modelOutcome{modelAnswer{status: http.StatusOK, active: active}, w})
		}
		return right, []modelWorld{w}
	})
}

func (m *modelRun) bearer(t *rapid.T) {
	fits := func(token *modelToken) bool { return !token.refresh }
	if rapid.IntRange(0, 19).Draw(t, "any token") == 19 {
		fits = anyModelToken
	}
	if token := m.token(t, fits); token != nil {
		m.present(t, m.node(t), rapid.IntRange(0, len(modelDemands)-1).Draw(t, "edge"), token)
		return
	}
	m.logIn(t)
}

// present shows a token to an edge. A revoked session is always refused where the node
// must know of the revocation, and a session that was not revoked is never refused. A
// node that has not read the revocations yet goes by what storage has, and by what it
// was last told about the session.
func (m *modelRun) present(t *rapid.T, n *modelNode, edge int, token *modelToken) {
	what := "bearer check at " + n.letter() + " of " + token.String()
	id, _ := session.ParseID(token.session.sid)
	known, complete := n.sessions().memory.InView(id)
	asks := !known && !complete || !n.hasNotices()
	r := m.get(n, edge, token.raw)
	left, _ := m.copies[n.number][token.session.user].narrowed(token.scopes) // as of now
	pass, refused := modelAnswer{status: http.StatusOK}, modelAnswer{status: http.StatusUnauthorized}
	if !modelWithin(modelDemands[edge], left) {
		pass.status = http.StatusForbidden
	}
	if !m.accepts(n, r, token) {
		m.wantExactly(t, what, r, refused)
		return
	}
	if !asks && (r.faults > 0 || r.took > 0) {
		t.Fatalf("%s asks storage", what)
	}
	got, passed := modelAnswer{status: r.status}, modelAsked{n.number, token.session.number}
	poll := time.Duration(n.sessions().poll)
	lately, maybe := time.Since(m.asked[passed]) < poll, time.Since(m.maybe[passed]) < 2*poll
	m.judge(t, n, what, token.session, r, got, func(w modelWorld, at modelMoment) ([]modelOutcome, []modelWorld) {
		var right []modelOutcome
		over := w.over || asks && w.damaged // storage reports a record that cannot be read
		if w.revoked || over || w.ended {   // a node that has not read yet may have revoked it itself
			right = append(right, modelOutcome{refused, w})
		}
		if !w.knows[at.node] && !w.knowsEnd[at.node] && (!asks || !w.revoked && !over || lately || maybe) {
			right = append(right, modelOutcome{pass, w})
		}
		if asks && m.shaky(r) {
			right = append(right, modelOutcome{modelAnswer{status: http.StatusServiceUnavailable}, w})
		}
		return right, nil
	})
	switch {
	case asks && got == pass && !lately:
		m.asked[passed] = r.began
	case asks && r.status == http.StatusServiceUnavailable: // of which a client that hung up knows nothing
		m.maybe[passed] = time.Now()
	}
}

// poll reads the revocations of the other node.
func (m *modelRun) poll(t *rapid.T) {
	n := m.node(t)
	var err error
	r := m.watch(n, func(ctx context.Context) {
		n.sessions().checked = true
		_, err = n.sessions().read(ctx)
	})
	t.Logf("%d: poll at %s: %v", m.op, n.letter(), err)
	if err != nil && !m.shaky(r) {
		t.Fatal(err)
	}
	m.polled(t, n, r, err == nil, err != nil)
}
