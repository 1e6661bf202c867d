package main

import (
	"context"
	"sync"
	"time"

	"github.com/ory/fosite"
)

// store is what the handlers of both grants ask for, in memory. It forgets the oldest tokens when there are too many.
type store struct {
	client fosite.Client
	users  users

	mu       sync.Mutex
	access   generations[fosite.Requester] // by signature
	refresh  generations[*refreshToken]    // by signature
	sessions generations[*refreshToken]    // the newest of each, by the ID of its first request
}

type refreshToken struct {
	fosite.Requester
	access string // the signature of the access token that came with it
	used   bool
}

func newStore() *store { return &store{client: newClient(), users: newUsers()} }

func (s *store) GetClient(_ context.Context, id string) (fosite.Client, error) {
	if id != s.client.GetID() {
		return nil, fosite.ErrNotFound
	}
	return s.client, nil
}

func (s *store) Authenticate(_ context.Context, name, password string) (subject string, err error) {
	if !s.users.know(name, password) {
		return "", fosite.ErrNotFound
	}
	return name, nil
}

func (s *store) CreateAccessTokenSession(_ context.Context, signature string, r fosite.Requester) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.access.put(signature, r)
	return nil
}

func (s *store) GetAccessTokenSession(_ context.Context, signature string, _ fosite.Session) (fosite.Requester, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r, found := s.access.get(signature); found {
		return r, nil
	}
	return nil, fosite.ErrNotFound
}

func (s *store) DeleteAccessTokenSession(_ context.Context, signature string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.access.delete(signature)
	return nil
}

func (s *store) CreateRefreshTokenSession(_ context.Context, signature, access string, r fosite.Requester) error {
	t := &refreshToken{Requester: r, access: access}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refresh.put(signature, t)
	s.sessions.put(r.GetID(), t)
	return nil
}

func (s *store) GetRefreshTokenSession(_ context.Context, signature string, _ fosite.Session) (fosite.Requester, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, found := s.refresh.get(signature)
	switch {
	case !found:
		return nil, fosite.ErrNotFound
	case t.used:
		return t.Requester, fosite.ErrInactiveToken // the handler ends the session then
	}
	return t.Requester, nil
}

func (s *store) DeleteRefreshTokenSession(_ context.Context, signature string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refresh.delete(signature)
	return nil
}

// RotateRefreshToken uses up a token, and the access token that came with it.
func (s *store) RotateRefreshToken(_ context.Context, _ string, signature string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, found := s.refresh.get(signature)
	switch {
	case !found:
		return fosite.ErrNotFound
	case t.used: // by a request at the same time
		return fosite.ErrInactiveToken
	}
	t.used = true
	s.access.delete(t.access)
	return nil
}

func (s *store) RevokeRefreshToken(_ context.Context, session string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t, found := s.sessions.get(session); found {
		t.used = true
	}
	return nil
}

func (s *store) RevokeAccessToken(_ context.Context, session string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t, found := s.sessions.get(session); found {
		s.access.delete(t.access)
	}
	return nil
}

// Clients do not authenticate with JWTs here.

func (s *store) ClientAssertionJWTValid(context.Context, string) error { return fosite.ErrJTIKnown }

func (s *store) SetClientAssertionJWT(context.Context, string, time.Time) error { return nil }

// generations is a map that drops its older half when it is full.
type generations[V any] struct{ young, old map[string]V }

func (g *generations[V]) put(key string, v V) {
	if g.young == nil || len(g.young) >= generation {
		g.young, g.old = make(map[string]V), g.young
	}
	g.young[key] = v
}

func (g *generations[V]) get(key string) (V, bool) {
	v, found := g.young[key]
	if !found {
		v, found = g.old[key]
	}
	return v, found
}

func (g *generations[V]) delete(key string) {
	delete(g.young, key)
	delete(g.old, key)
}

// generation is how many are kept at least.
const generation = 1 << 16
