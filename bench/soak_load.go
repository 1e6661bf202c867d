package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

// soakLoad is what one server gets during a soak: tasks, each a few times a second, with a fresh connection for every
// request. It is no load to measure a speed with, so vegeta is not needed; what is asked depends on earlier answers.
type soakLoad struct {
	server *server
	client *client
	tasks  []soakTask

	mu       sync.Mutex
	requests int
	dropped  int       // of them: without an answer
	reloads  []float64 // how long each took, in milliseconds
	wrong    int
	first    error // wrong answer
}

// soakTask is done at a rate. Its error is a connectionError or says which answer was wrong.
type soakTask struct {
	perSecond int
	do        func(ctx context.Context) error
}

func newGrantingLoad(s *server) *soakLoad {
	l := &soakLoad{server: s, client: newFreshClient()}
	l.tasks = []soakTask{
		{15, l.loginRight},
		{5, l.loginWrong},
		{5, l.forged},
	}
	for i := range 5 {
		session := &soakSession{load: l, username: fmt.Sprintf("user%d", i)}
		l.tasks = append(l.tasks, soakTask{5, session.refresh}, soakTask{8, session.check})
	}
	return l
}

// newPlainLoad asks as often as newGrantingLoad.
func newPlainLoad(s *server) *soakLoad {
	l := newGrantingLoad(s)
	for i := range l.tasks {
		l.tasks[i].do = func(ctx context.Context) error { return l.app(ctx, nil, "hello") }
	}
	return l
}

// run starts the tasks, and a reload about every second. They end soon after done is closed; what is under way then
// still has its time.
func (l *soakLoad) run(ctx context.Context, done <-chan struct{}, running *sync.WaitGroup) {
	for _, task := range l.tasks {
		running.Go(func() {
			often(done, time.Second/time.Duration(task.perSecond), func() { l.count(task.do(ctx)) })
		})
	}
	running.Go(func() {
		often(done, time.Second, func() {
			took, err := l.server.reload(ctx, len(l.reloads)+1)
			l.mu.Lock()
			l.reloads = append(l.reloads, milliseconds(took))
			l.mu.Unlock()
			l.note(err)
		})
	})
}

// often calls do again and again, with pauses that are as long as the pace on average. They are random, or all tasks
// and the reloads would have the same beat, and what is dropped would depend on how long a reload takes.
func often(done <-chan struct{}, pace time.Duration, do func()) {
	for {
		select {
		case <-done:
			return
		case <-time.After(rand.N(2 * pace)):
			do()
		}
	}
}

// count takes down how a request came out.
func (l *soakLoad) count(err error) {
	l.mu.Lock()
	l.requests++
	if _, dropped := errors.AsType[*connectionError](err); dropped {
		l.dropped++
		err = nil
	}
	l.mu.Unlock()
	l.note(err)
}

// note takes down what may not happen at all.
func (l *soakLoad) note(err error) {
	if err == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.wrong++; l.first == nil {
		l.first = err
	}
}

func (l *soakLoad) wrongAnswers() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.wrong == 0 {
		return nil
	}
	return fmt.Errorf("%d answers of %s were wrong, the first: %w", l.wrong, l.server.name, l.first)
}

func (l *soakLoad) logIn(ctx context.Context, form url.Values) (tokens, error) {
	return l.client.logIn(ctx, l.server.url("/token"), form)
}

// app gets what is behind bearer_auth, or at that path of a plain Caddy.
func (l *soakLoad) app(ctx context.Context, header map[string]string, contains string) error {
	a, err := l.client.get(ctx, l.server.url("/app"), header)
	if err != nil {
		return err
	}
	return a.expect(http.StatusOK, contains)
}

func (l *soakLoad) loginRight(ctx context.Context) error {
	_, err := l.logIn(ctx, login(fmt.Sprintf("user%d", time.Now().UnixNano()%soakUsers), thePassword))
	return wrongly("a right login", err)
}

// loginWrong has a new name each time, so that no failures add up.
func (l *soakLoad) loginWrong(ctx context.Context) error {
	form := login(fmt.Sprintf("nobody%d", time.Now().UnixNano()), thePassword)
	_, err := l.client.timed(ctx, l.server.url("/token"), form, http.StatusBadRequest, `"invalid_grant"`)
	return wrongly("a wrong login", err)
}

// forged has a token that no server issued.
func (l *soakLoad) forged(ctx context.Context) error {
	a, err := l.client.get(ctx, l.server.url("/app"), map[string]string{
		"Authorization": "Bearer eyJhbGciOiJFUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJ1c2VyMCJ9." + "A1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p6Q7r8S9t0U1v2W3x4Y5z6a7b8c9d0e1f2g3h4i5j6k7l8m9n0o1p2qA",
	})
	if err != nil {
		return err
	}
	if a.status != http.StatusUnauthorized || !strings.Contains(a.challenge, `error="invalid_token"`) {
		return fmt.Errorf("a forged token: status %d, challenge %q", a.status, a.challenge)
	}
	return nil
}

// soakSession is one login whose tokens are used until the end.
type soakSession struct {
	load     *soakLoad
	username string

	mu     sync.Mutex
	tokens tokens
}

// refresh takes the next pair of tokens, or the first one. Where the answer was lost, the token may be spent: the same
// one is sent again then, which the grace period allows.
func (s *soakSession) refresh(ctx context.Context) error {
	current := s.current()
	form := login(s.username, thePassword)
	if current.Refresh != "" {
		form = refreshing(current.Refresh)
	}
	next, err := s.load.logIn(ctx, form)
	if err != nil {
		return wrongly("a "+form.Get("grant_type")+" grant", err)
	}
	if next.Refresh == "" || next.Refresh == current.Refresh {
		return errors.New("an answer has no new refresh token")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tokens = next
	return nil
}

// check goes through bearer_auth.
func (s *soakSession) check(ctx context.Context) error {
	token := s.current().Access
	if token == "" { // no login has worked yet
		return s.refresh(ctx)
	}
	header := map[string]string{"Authorization": "Bearer " + token}
	return wrongly("a good token", s.load.app(ctx, header, "hello "+s.username))
}

func (s *soakSession) current() tokens {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.tokens
}

func wrongly(what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", what, err)
}
