package caddygrant

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddygrant/caddy-grant/internal/apikey"
	"github.com/caddygrant/caddy-grant/internal/bearer"
	"github.com/caddygrant/caddy-grant/internal/issuer"
	"github.com/caddygrant/caddy-grant/internal/keyring"
	"github.com/caddygrant/caddy-grant/internal/remembered"
)

// accepted is which credentials a bearer_auth takes, and what it asks of their owners.
type accepted struct {
	app *App

	server      string                           // whose tokens and keys it takes
	issuers     atomic.Pointer[[]*outsideIssuer] // nil before the start
	started     chan struct{}                    // closed by the start
	issuersOnly bool
	keys        bool
	keyHeader   string // that keys are sent in; empty: as Bearer credentials

	clients      bool     // those that act for themselves may pass
	clientPrefix string   // of their names; empty: they have none
	prefixes     []string // of names that belong to an outside issuer, or to clients
	audience     []string
	demands      bearer.Demands
}

// start says whose tokens are taken. By then the prefixes of others' names are known too.
func (a *accepted) start(issuers []*outsideIssuer) {
	if a.issuers.Swap(&issuers) == nil {
		close(a.started)
	}
}

// await waits for the start. Caddy may serve requests a moment before, and no request
// passes by what the rest of the config may forbid.
func (a *accepted) await(ctx context.Context) *bearer.Error {
	if a.issuers.Load() != nil {
		return nil
	}
	select {
	case <-a.started:
		return nil
	case <-ctx.Done():
	case <-time.After(startPatience):
	}
	return notStarted()
}

func notStarted() *bearer.Error {
	return bearer.Unavailable("the config has not started yet", nil)
}

// credentialOf finds the one credential of a request. A key counts in the header of
// whichever bearer_auth of the config: none of them reaches the app.
func (a *accepted) credentialOf(r *http.Request, state *bearerState) (bearer.Credential, *bearer.Error) {
	raw, refusal := bearer.TokenOf(r, state.authorization)
	taken := keysOf(r)
	if !a.keys || len(taken) == 0 {
		return bearer.Credential{Raw: raw}, refusal
	}
	here := taken[a.keyHeader]
	switch {
	case len(taken) > 1 || len(here) > 1 || len(here) == 1 && strings.Contains(here[0], ","): // as proxies join headers
		return bearer.Credential{}, bearer.InvalidRequest("more than one header with an API key")
	case refusal == nil || len(bearer.TokensIn(state.authorization)) > 0:
		return bearer.Credential{}, bearer.InvalidRequest("a Bearer token and an API key")
	case len(here) == 0 || refusal.Kind != bearer.Anonymous:
		return bearer.Credential{}, refusal
	}
	return bearer.Credential{Raw: here[0], InHeader: true}, nil
}

// check tells who has a credential, and what is wrong with it.
func (a *accepted) check(ctx context.Context, state *bearerState, shown bearer.Credential) (bearer.Named, *bearer.Error) {
	by, refusal := a.verifierOf(&shown)
	if refusal != nil {
		return bearer.Named{}, refusal
	}
	sender, refusal := a.checkBy(ctx, state, by, shown)
	if outside, ok := by.(*outsideIssuer); ok && refusal != nil {
		refusal.Issuer = outside.URL()
	}
	return sender, refusal
}

// checkBy is check by the verifier that was chosen.
func (a *accepted) checkBy(ctx context.Context, state *bearerState, by verifier, shown bearer.Credential) (bearer.Named, *bearer.Error) {
	id, err := state.verified(ctx, by, shown)
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

// verifierOf chooses what verifies a credential: a token belongs to the one issuer that
// it names.
func (a *accepted) verifierOf(shown *bearer.Credential) (verifier, *bearer.Error) {
	if shown.InHeader || apikey.LooksLike(shown.Raw) {
		return a.keysVerifier(shown)
	}
	issuers := a.issuers.Load()
	if issuers == nil {
		return nil, notStarted()
	}
	server := a.app.servers[a.server]
	if len(shown.Raw) <= maxTokenLength {
		shown.Digest = remembered.DigestOf(shown.Raw)
	}
	outside, err := a.outsideIssuerOf(*issuers, shown)
	switch {
	case err != nil:
		return nil, bearer.InvalidToken(err.Error())
	case outside != nil:
		return outside, nil
	case a.issuersOnly:
		return nil, bearer.InvalidToken("it names no issuer whose tokens are taken here")
	case server == nil:
		return nil, bearer.Unavailable("there is no such server", nil)
	}
	return server, nil
}

// keysVerifier is verifierOf for an API key.
func (a *accepted) keysVerifier(shown *bearer.Credential) (verifier, *bearer.Error) {
	server := a.app.servers[a.server]
	switch {
	case !a.keys:
		return nil, bearer.InvalidToken("it is an API key, and none are taken here")
	case a.keyHeader != "" && !shown.InHeader:
		return nil, bearer.InvalidToken("it is an API key, and these are taken in a header of their own here")
	case server == nil:
		return nil, bearer.Unavailable("there is no such server", nil)
	}
	return server.apiKeys, nil
}

// outsideIssuerOf is the issuer that a token names, or nil. A token that was checked
// before, here or by the server, is recalled and not read again. An error is the reason why
// it can be of no issuer.
func (a *accepted) outsideIssuerOf(issuers []*outsideIssuer, shown *bearer.Credential) (_ *outsideIssuer, err error) {
	if len(issuers) == 0 {
		return nil, nil
	}
	claimed, known := a.app.servers[a.server].issuerOf(shown.Digest)
	if !known {
		for _, one := range issuers {
			if before := one.Recall(shown.Digest); before != nil {
				shown.Recalled = before
				return one, nil
			}
		}
		if claimed, err = issuer.ClaimedIssuer(shown.Raw); err != nil {
			return nil, err
		}
	}
	for _, one := range issuers {
		if one.URL() == claimed {
			return one, nil
		}
	}
	return nil, nil
}

// counts tells whether a credential takes precedence over the session of a browser, even
// where it is refused.
func (a *accepted) counts(raw string) bool {
	if apikey.LooksLike(raw) {
		return a.keys && a.keyHeader == ""
	}
	issuers := a.issuers.Load()
	if issuers == nil || len(raw) > maxTokenLength {
		return false
	}
	outside, err := a.outsideIssuerOf(*issuers, &bearer.Credential{Raw: raw, Digest: remembered.DigestOf(raw)})
	return err == nil && outside != nil
}

// named is an identity under the names that the app knows it by.
func (a *accepted) named(id bearer.Identity) bearer.Named {
	return bearer.Named{Identity: id, ClientPrefix: a.clientPrefix}
}

// admits tells what is wrong with a valid identity here.
func (a *accepted) admits(sender bearer.Named, by verifier) *bearer.Error {
	var audience []string
	prefix := ""
	if outside, ok := by.(*outsideIssuer); ok {
		prefix = outside.prefix // the audience of its settings was checked
	} else {
		audience = a.audienceOf(a.app.servers[a.server])
	}
	if sender.IsClient() && !a.clients {
		return bearer.UsersOnly().Of(sender)
	}
	if refusal := a.admitsName(sender, prefix); refusal != nil {
		return refusal
	}
	return a.demands.Admits(sender, audience)
}

// admitsName refuses a user who has a name that could be another's: of an outside
// issuer, or of a client. The client may not have one either. prefix is that of the
// user's own issuer.
func (a *accepted) admitsName(sender bearer.Named, prefix string) *bearer.Error {
	if len(a.prefixes) == 0 {
		return nil
	}
	if !sender.IsClient() && (a.isTaken(sender, "sub", prefix) || a.isTaken(sender, "username", prefix)) {
		return bearer.InvalidToken("its user has a name that begins like those of another issuer, or of clients").Of(sender)
	}
	if a.isTaken(sender, "client_id", prefix) {
		return bearer.InvalidToken("its client has an id that begins like those of another issuer").Of(sender)
	}
	return nil
}

// isTaken tells whether a name belongs to others by its beginning.
func (a *accepted) isTaken(sender bearer.Named, claim, prefix string) bool {
	if len(a.prefixes) == 1 && a.prefixes[0] == prefix {
		return false // there are no others
	}
	name, _ := sender.Claim(claim).(string)
	for _, taken := range a.prefixes {
		if taken == prefix || claim == "client_id" && taken == a.clientPrefix { // which no client_id has
			continue
		}
		if bearer.BeginsLike(name, taken) {
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

// keysOf are the API keys that were taken out of a request, by their headers.
func keysOf(r *http.Request) http.Header {
	if taken, ok := caddyhttp.GetVar(r.Context(), takenKeysVar).(*takenKeys); ok {
		return taken.byHeader
	}
	return nil
}

// uncheckable is the answer while tokens and sessions cannot be checked.
func uncheckable(err error) *bearer.Error { return bearer.Unavailable(err.Error(), errors.Unwrap(err)) }

const (
	takenKeysVar = "caddy_grant.api_keys"

	// startPatience is how long a request waits for the start of its config, which takes
	// some milliseconds.
	startPatience = 3 * time.Second

	// maxTokenLength is the length of the longest token that any verifier looks at.
	maxTokenLength = max(issuer.MaxTokenLength, keyring.MaxTokenLength)
)
