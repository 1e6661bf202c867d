package caddygrant

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync/atomic"

	"github.com/caddygrant/caddy-grant/internal/apikey"
	"github.com/caddygrant/caddy-grant/internal/bearer"
	"github.com/caddygrant/caddy-grant/internal/issuer"
)

// accepted is which credentials a bearer_auth takes, and what it asks of their owners.
type accepted struct {
	app *App

	server     string                           // whose tokens and keys it takes
	issuers    atomic.Pointer[[]*outsideIssuer] // nil before the start
	issuersOnly bool
	keys       bool
	keyHeader  string // that keys are sent in; empty: as Bearer credentials

	clients      bool     // let those pass that act for themselves
	clientPrefix string   // of their names; empty: they have none
	prefixes     []string // of names that belong to an outside issuer, or to clients
	audience     []string
	demands      bearer.Demands // its Audience is not set
}

// credentialOf finds the one credential of a request.
func (a *accepted) credentialOf(r *http.Request, state *bearerState) (credential, *bearer.Error) {
	raw, refusal := bearer.TokenOf(r, state.authorization)
	if a.keyHeader == "" {
		return credential{raw: raw}, refusal
	}
	keys := keysOf(r, a.keyHeader)
	switch {
	case len(keys) == 0:
		return credential{raw: raw}, refusal
	case len(keys) > 1:
		return credential{}, bearer.InvalidRequest("more than one header with an API key")
	case refusal == nil || len(bearer.TokensIn(state.authorization)) > 0:
		return credential{}, bearer.InvalidRequest("a Bearer token and an API key")
	case refusal.Kind != bearer.Anonymous:
		return credential{}, refusal
	}
	return credential{raw: keys[0], inHeader: true}, nil
}

// credential is what a request has to show who sends it.
type credential struct {
	raw      string
	inHeader bool // in the header for API keys
}

// check tells who has a credential, and what is wrong with it.
func (a *accepted) check(ctx context.Context, state *bearerState, shown credential) (bearer.Named, *bearer.Error) {
	by, refusal := a.verifierOf(shown)
	if refusal != nil {
		return bearer.Named{}, refusal
	}
	id, err := state.verified(ctx, by, shown.raw)
	sender := a.named(id)
	switch {
	case isUnchecked(err):
		return bearer.Named{}, uncheckable(err)
	case err != nil && id != nil:
		return bearer.Named{}, bearer.InvalidToken(err.Error()).Of(sender)
	case err != nil:
		return bearer.Named{}, bearer.InvalidToken(err.Error())
	}
	if refusal := a.admits(sender, by); refusal != nil {
		return bearer.Named{}, refusal
	}
	return sender, nil
}

// verifierOf chooses who verifies a credential: a token belongs to the one issuer that
// it names.
func (a *accepted) verifierOf(shown credential) (verifier, *bearer.Error) {
	if shown.inHeader || apikey.Is(shown.raw) {
		return a.keysVerifier(shown)
	}
	issuers := a.issuers.Load()
	if issuers == nil {
		return nil, bearer.Unavailable("the config has not started yet", nil)
	}
	if len(*issuers) > 0 {
		if outside := outsideIssuerOf(*issuers, shown.raw); outside != nil {
			return outside, nil
		}
	}
	server := a.app.servers[a.server]
	switch {
	case a.issuersOnly:
		return nil, bearer.InvalidToken("iss is not an issuer whose tokens are taken here")
	case server == nil:
		return nil, bearer.Unavailable("there is no such server", nil)
	}
	return server, nil
}

func (a *accepted) keysVerifier(shown credential) (verifier, *bearer.Error) {
	server := a.app.servers[a.server]
	switch {
	case !a.keys:
		return nil, bearer.InvalidToken("it is an API key, and none are taken here")
	case a.keyHeader != "" && !shown.inHeader:
		return nil, bearer.InvalidToken("it is an API key, and these are taken in a header of their own here")
	case server == nil:
		return nil, bearer.Unavailable("there is no such server", nil)
	}
	return server.apiKeys, nil
}

// outsideIssuerOf is the issuer that a token names, or nil. A token that was checked
// before is recognized without reading it again.
func outsideIssuerOf(issuers []*outsideIssuer, raw string) *outsideIssuer {
	for _, one := range issuers {
		if one.Remembers(raw) {
			return one
		}
	}
	claimed, ok := issuer.ClaimedIssuer(raw)
	if !ok {
		return nil
	}
	for _, one := range issuers {
		if one.URL() == claimed {
			return one
		}
	}
	return nil
}

// counts tells whether a credential goes before the session of a browser, also where it
// is refused.
func (a *accepted) counts(raw string) bool {
	if apikey.Is(raw) {
		return a.keys && a.keyHeader == ""
	}
	issuers := a.issuers.Load()
	return issuers != nil && outsideIssuerOf(*issuers, raw) != nil
}

// named is an identity under the names that the app knows it by.
func (a *accepted) named(id bearer.Identity) bearer.Named {
	return bearer.Named{Identity: id, ClientPrefix: a.clientPrefix}
}

// admits tells what is wrong with a valid identity here.
func (a *accepted) admits(sender bearer.Named, by verifier) *bearer.Error {
	demands, prefix := a.demands, ""
	if outside, ok := by.(*outsideIssuer); ok {
		prefix = outside.prefix // its audience was checked
	} else {
		demands.Audience = a.audienceOf(a.app.servers[a.server])
	}
	switch {
	case sender.IsClient() && !a.clients:
		return bearer.UsersOnly().Of(sender)
	case !sender.IsClient() && (a.isTaken(sender, "sub", prefix) || a.isTaken(sender, "username", prefix)):
		return bearer.InvalidToken("its user has a name that begins like those of another issuer, or of clients").Of(sender)
	}
	return demands.Admits(sender)
}

// isTaken tells whether a name of a user belongs to others by its beginning.
func (a *accepted) isTaken(sender bearer.Named, claim, prefix string) bool {
	if len(a.prefixes) == 0 {
		return false
	}
	name, _ := sender.Claim(claim).(string)
	for _, taken := range a.prefixes {
		if taken != prefix && strings.HasPrefix(name, taken) {
			return true
		}
	}
	return false
}

// audienceOf are the audiences of which a token of the server must name one.
func (a *accepted) audienceOf(server *Server) []string {
	if a.audience != nil {
		return a.audience
	}
	return server.Audience
}

// uncheckable is the answer while tokens and sessions cannot be checked.
func uncheckable(err error) *bearer.Error { return bearer.Unavailable(err.Error(), errors.Unwrap(err)) }
