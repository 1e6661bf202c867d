package caddygrant

import (
	"context"
	"net/http"
	"time"

	"pgregory.net/rapid"

	"github.com/caddygrant/caddy-grant/internal/session"
)

// These are the steps of TestModelOfSessions that an operator takes: to end all sessions
// of a user, a client or the server.

// modelNotice is one that was certainly made.
type modelNotice struct {
	session.Notice
	known [2]bool // to a node that must know it
}

// ends tells whether the notice is about a session, whenever that began.
func (n *modelNotice) ends(users []modelUser, s *modelSession) bool {
	switch n.Kind {
	case session.EndUser:
		return n.Of == users[s.user].subject()
	case session.EndClient:
		return n.Of == s.client.id
	}
	return true
}

func (u modelUser) subject() string {
	if u.id != "" {
		return u.id
	}
	return u.name
}

// hasNotices tells whether a node has read the notices. If not, a login asks storage.
func (n *modelNode) hasNotices() bool {
	_, read := n.sessions().memory.Notices()
	return read
}

// unanswered tells whether a login that had to ask storage failed because of it.
func (m *modelRun) unanswered(t *rapid.T, n *modelNode, knew bool, r modelReply) bool {
	if knew || r.status != http.StatusServiceUnavailable || !m.shaky(r) {
		return false
	}
	t.Logf("%d: login at %s: the storage gives no answer", m.op, n.letter())
	m.restartTheDead(t)
	return true
}

// endAll makes a notice at a node, repeating it if storage fails. No session that began
// before outlives it.
func (m *modelRun) endAll(t *rapid.T) {
	n := m.node(t)
	kind := rapid.SampledFrom([]session.NoticeKind{session.EndUser, session.EndClient, session.EndServer}).Draw(t, "kind")
	var of string
	switch kind {
	case session.EndUser:
		of = m.users[rapid.IntRange(0, len(m.users)-1).Draw(t, "user")].subject()
	case session.EndClient:
		of = someModelClient(t).id
	}
	var (
		told session.Notice
		err  error
	)
	tell := func() modelReply {
		return m.watch(n, func(ctx context.Context) { told, err = n.sessions().Tell(ctx, kind, of) })
	}
	if r := tell(); err != nil {
		if !m.shaky(r) {
			t.Fatalf("%d: telling %s %q at %s: %v", m.op, kind, of, n.letter(), err)
		}
		m.restartTheDead(t)
		m.releaseAll()
		time.Sleep(modelLockStale)
		if tell(); err != nil {
			t.Fatalf("%d: telling %s %q again at %s: %v", m.op, kind, of, n.letter(), err)
		}
	}
	t.Logf("%d: told %s %q at %s: %d", m.op, kind, of, n.letter(), told.Number)
	notice := &modelNotice{Notice: told}
	notice.known[n.number] = true
	m.notices = append(m.notices, notice)
	for _, s := range m.sessions {
		if notice.ends(m.users, s) && s.version >= told.Number {
			t.Fatalf("session %d began before notice %d, with version %d", s.number, told.Number, s.version)
		}
		m.endBy(notice, s)
	}
	m.restartTheDead(t)
}

// endBy records that a notice ends a session, if it does.
func (m *modelRun) endBy(notice *modelNotice, s *modelSession) {
	if !notice.ends(m.users, s) || s.version >= notice.Number {
		return
	}
	s.become(func(w modelWorld) []modelWorld {
		w.ended = true
		for node, known := range notice.known {
			w.knowsEnd[node] = w.knowsEnd[node] || known
		}
		return []modelWorld{w}
	})
}

// hear records that a node knows all notices.
func (m *modelRun) hear(node int) {
	for _, notice := range m.notices {
		notice.known[node] = true
		for _, s := range m.sessions {
			m.endBy(notice, s)
		}
	}
}

// heardOf is the number of the last notice that a node must know.
func (m *modelRun) heardOf(n *modelNode) (number int64) {
	for _, notice := range m.notices {
		if notice.known[n.number] {
			number = max(number, notice.Number)
		}
	}
	return number
}

// beginAfter checks the version of a session that began at a node which had heard of a
// notice, and ends it if there was another.
func (m *modelRun) beginAfter(t *rapid.T, heard int64, s *modelSession) {
	if s.version < heard {
		t.Fatalf("session %d has version %d, where notice %d is known", s.number, s.version, heard)
	}
	for _, notice := range m.notices {
		m.endBy(notice, s)
	}
}
