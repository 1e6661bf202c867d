package caddygrant

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddygrant/caddy-grant/internal/clock"
	"github.com/caddygrant/caddy-grant/internal/listenerguard"
	"github.com/caddygrant/caddy-grant/internal/token"
)

// bearerState is what the bearer checks of one request know of each other: a site may
// have several, and one must not undo what another did.
type bearerState struct {
	received      time.Time
	authorization []string // as the client sent it
	removed       bool     // the client's identity headers
	stripped      bool     // the Authorization header
	checks        []tokenCheck
	checked       [1]tokenCheck      // room for the checks of most requests
	user          *token.AccessToken // of {http.auth.user.*}; nil if none
}

// Format keeps the token to itself: the state is a variable of the request, which
// {http.vars.*} can print.
func (*bearerState) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "checked") }

// String is what Format prints.
func (*bearerState) String() string { return "checked" }

// tokenCheck is what a server says of the request's token.
type tokenCheck struct {
	server *Server
	token  *token.AccessToken
	err    error
}

// bearerStateOf returns the request's state, making it at the first check.
func bearerStateOf(r *http.Request) *bearerState {
	if state, ok := caddyhttp.GetVar(r.Context(), bearerStateVar).(*bearerState); ok {
		return state
	}
	state := &bearerState{
		received:      clock.Now(),
		authorization: r.Header["Authorization"],
	}
	state.checks = state.checked[:0]
	caddyhttp.SetVar(r.Context(), bearerStateVar, state)
	if !listenerguard.HasSeen(r) { // else they are there
		mapUserPlaceholders(r)
	}
	return state
}

// tokenFor checks the request's token once for each server.
func (s *bearerState) tokenFor(ctx context.Context, server *Server, raw string) (*token.AccessToken, error) {
	for _, check := range s.checks {
		if check.server == server {
			return check.token, check.err
		}
	}
	token, err := server.tokens.Check(ctx, raw)
	s.checks = append(s.checks, tokenCheck{server, token, err})
	return token, err
}

const bearerStateVar = "caddy_grant.bearer"
