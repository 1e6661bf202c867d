package caddygrant

import (
	"context"
	"errors"

	"github.com/caddygrant/caddy-grant/internal/bearer"
)

// accepted is which credentials a bearer_auth takes, and what it asks of whoever has
// one.
type accepted struct {
	app    *App
	server string // whose tokens and keys it takes

	clients      bool   // let those pass that act for themselves
	clientPrefix string // of their names; empty: they have none
	audience     []string
	demands      bearer.Demands // its Audience is not set
}

// check tells who has a credential, and what is wrong with it.
func (a *accepted) check(ctx context.Context, state *bearerState, raw string) (bearer.Named, *bearer.Error) {
	server := a.app.servers[a.server]
	if server == nil {
		return bearer.Named{}, bearer.Unavailable("there is no such server", nil)
	}
	id, err := state.verified(ctx, server, raw)
	sender := a.named(id)
	if isUnchecked(err) {
		return bearer.Named{}, uncheckable(err)
	}
	if err != nil {
		refusal := bearer.InvalidToken(err.Error())
		if id != nil {
			refusal = refusal.Of(sender)
		}
		return bearer.Named{}, refusal
	}
	demands := a.demands
	demands.Audience = a.audienceOf(server)
	if refusal := a.admits(sender, &demands); refusal != nil {
		return bearer.Named{}, refusal
	}
	return sender, nil
}

// named is an identity under the names that the app knows it by.
func (a *accepted) named(id bearer.Identity) bearer.Named {
	return bearer.Named{Identity: id, ClientPrefix: a.clientPrefix}
}

// audienceOf are the audiences of which a token of the server must name one.
func (a *accepted) audienceOf(server *Server) []string {
	if a.audience != nil {
		return a.audience
	}
	return server.Audience
}

// admits tells what is wrong with a valid identity here.
func (a *accepted) admits(sender bearer.Named, demands *bearer.Demands) *bearer.Error {
	if sender.IsClient() && !a.clients {
		return bearer.UsersOnly().Of(sender)
	}
	return demands.Admits(sender)
}

// uncheckable is the answer while tokens and sessions cannot be checked.
func uncheckable(err error) *bearer.Error { return bearer.Unavailable(err.Error(), errors.Unwrap(err)) }
