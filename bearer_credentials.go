package caddygrant

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddygrant/caddy-grant/internal/apikey"
	"github.com/caddygrant/caddy-grant/internal/bearer"
	"github.com/caddygrant/caddy-grant/internal/issuer"
	"github.com/caddygrant/caddy-grant/internal/remembered"
)

// accepted is which credentials a bearer_auth takes, and what it asks of their owners.
type accepted struct {
	app *App

	server      string                           // whose tokens and keys it takes
	issuers     atomic.Pointer[[]*outsideIssuer] // nil before the start
	issuersOnly bool
	keys        bool
	keyHeader   string // that keys are sent in; empty: as Bearer credentials

	clients      bool     // let those pass that act for themselves
	clientPrefix string   // of their names; empty: they have none
	prefixes     []string // of names that belong to an outside issuer, or to clients
	audience     []string
	demands      bearer.Demands // its Audience is not set
}

// start says whose tokens are taken.
func (a *accepted) start(issuers []*outsideIssuer) { a.issuers.Store(&issuers) }

// credentialOf finds the one credential of a request.
func (a *accepted) credentialOf(r *http.Request, state *bearerState) (presented, *bearer.Error) {
	raw, refusal := bearer.TokenOf(r, state.authorization)
	if a.keyHeader == "" {
		return presented{raw: raw}, refusal
	}
	keys := keysOf(r, a.keyHeader)
	switch {
	case len(keys) == 0:
		return presented{raw: raw}, refusal
	case len(keys) > 1:
		return presented{}, bearer.InvalidRequest("more than one header with an API key")
	case refusal == nil || len(bearer.TokensIn(state.authorization)) > 0:
		return presented{}, bearer.InvalidRequest("a Bearer token and an API key")
	case refusal.Kind != bearer.Anonymous:
		return presented{}, refusal
	}
	return presented{raw: keys[0], inHeader: true}, nil
}

// presented is what a request has to show who sends it.
type presented struct {
	raw      string
	inHeader bool // in the header for API keys
}

// check tells who has a credential, and what is wrong with it.
func (a *accepted) check(ctx context.Context, state *bearerState, shown presented) (bearer.Named, *bearer.Error) {
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
func (a *accepted) verifierOf(shown presented) (verifier, *bearer.Error) {
	if shown.inHeader || apikey.LooksLike(shown.raw) {
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

func (a *accepted) keysVerifier(shown presented) (verifier, *bearer.Error) {
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
	digest := remembered.DigestOf(raw)
	for _, one := range issuers {
		if one.Remembers(digest) {
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
	if apikey.LooksLike(raw) {
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
	if sender.IsClient() && !a.clients {
		return bearer.UsersOnly().Of(sender)
	}
	if refusal := a.admitsName(sender, prefix); refusal != nil {
		return refusal
	}
	return demands.Admits(sender)
}

// admitsName refuses a user who has a name that could be another's: of an outside
// issuer, or of a client. prefix is that of the user's own issuer.
func (a *accepted) admitsName(sender bearer.Named, prefix string) *bearer.Error {
	if len(a.prefixes) > 0 && !sender.IsClient() && (a.isTaken(sender, "sub", prefix) || a.isTaken(sender, "username", prefix)) {
		return bearer.InvalidToken("its user has a name that begins like those of another issuer, or of clients").Of(sender)
	}
	return nil
}

// isTaken tells whether a name of a user belongs to others by its beginning.
func (a *accepted) isTaken(sender bearer.Named, claim, prefix string) bool {
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

// takenKeys are the API keys of a request, which were taken out of it, by the canonical
// names of their headers.
type takenKeys struct{ byHeader http.Header }

// Format does not print them: they are a variable of the request, which {http.vars.*}
// can print.
func (*takenKeys) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "taken") }

// String is what Format prints.
func (*takenKeys) String() string { return "taken" }

// takeKeys takes API keys out of a request: the app must not see them, on whatever path.
func takeKeys(r *http.Request, headers map[string]bool) {
	for name := range headers {
		values := r.Header[name]
		if len(values) == 0 {
			continue
		}
		taken, ok := caddyhttp.GetVar(r.Context(), takenKeysVar).(*takenKeys)
		if !ok {
			taken = &takenKeys{make(http.Header)}
			caddyhttp.SetVar(r.Context(), takenKeysVar, taken)
		}
		taken.byHeader[name] = append(taken.byHeader[name], values...)
		delete(r.Header, name)
	}
}

// keysOf are the API keys that were taken out of a header.
func keysOf(r *http.Request, header string) []string {
	if taken, ok := caddyhttp.GetVar(r.Context(), takenKeysVar).(*takenKeys); ok {
		return taken.byHeader[header]
	}
	return nil
}

const takenKeysVar = "caddy_grant.api_keys"

// uncheckable is the answer while tokens and sessions cannot be checked.
func uncheckable(err error) *bearer.Error { return bearer.Unavailable(err.Error(), errors.Unwrap(err)) }
