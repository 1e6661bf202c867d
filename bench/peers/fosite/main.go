// Command fosite is a peer of bench: a token server of github.com/ory/fosite v0.49.0, put together with its composer as
// its README shows. Its access tokens are opaque, as by default (-alg HMAC), or JWTs (-alg ES256).
//
// What favours it:
//   - Of the handlers only those of the password and the refresh grant are there.
//   - Client secrets are compared as SHA-256: by default they are hashed with bcrypt at every request.
//   - Every grant gets a refresh token, without the scope offline.
//   - Its store is in store.go and not the memory store of the library, which is an example and forgets nothing.
package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"flag"
	"fmt"
	"log"
	"net/http"
	"time"

	"github.com/ory/fosite"
	"github.com/ory/fosite/compose"
	"github.com/ory/fosite/handler/oauth2"
	"github.com/ory/fosite/token/jwt"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:8080", "the `address` to listen on")
	alg := flag.String("alg", "HMAC", "what access tokens are: HMAC, which is opaque, or ES256")
	flag.Parse()

	e, err := newEndpoint(*alg)
	if err != nil {
		log.Fatal(err)
	}
	http.Handle("POST /token", e)
	http.HandleFunc("GET /ready", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte("ready"))
	})
	log.Fatal(http.ListenAndServe(*listen, nil))
}

// endpoint answers POST /token.
type endpoint struct {
	provider   fosite.OAuth2Provider
	newSession func() fosite.Session
}

func newEndpoint(alg string) (*endpoint, error) {
	secret := make([]byte, 32)
	rand.Read(secret) // never fails: it crashes the program instead
	config := &fosite.Config{
		AccessTokenLifespan: time.Hour,
		GlobalSecret:        secret,
		RefreshTokenScopes:  []string{},
		ClientSecretsHasher: hasher{},
	}
	e := new(endpoint)
	var strategy oauth2.CoreStrategy = compose.NewOAuth2HMACStrategy(config)
	switch alg {
	case "HMAC":
		e.newSession = func() fosite.Session { return new(fosite.DefaultSession) }
	case "ES256":
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			return nil, err
		}
		strategy = compose.NewOAuth2JWTStrategy(func(context.Context) (any, error) { return key, nil }, strategy, config)
		e.newSession = func() fosite.Session { return new(oauth2.JWTSession) }
	default:
		return nil, fmt.Errorf("there is no -alg %s", alg)
	}
	e.provider = compose.Compose(config, newStore(), strategy,
		//lint:ignore SA1019 the grant is deprecated, and what is measured
		compose.OAuth2ResourceOwnerPasswordCredentialsFactory,
		compose.OAuth2RefreshTokenGrantFactory,
	)
	return e, nil
}

func (e *endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ctx := r.Context()
	request, err := e.provider.NewAccessRequest(ctx, r, e.newSession())
	if err != nil {
		e.provider.WriteAccessError(ctx, w, request, err)
		return
	}
	if request.GetGrantTypes().ExactOne("password") {
		for _, scope := range request.GetRequestedScopes() { // the handler has checked that the client may have it
			request.GrantScope(scope)
		}
	}
	// the session of a refresh is that of the token before, with its claims
	if session, ok := request.GetSession().(*oauth2.JWTSession); ok {
		session.JWTClaims = &jwt.JWTClaims{Subject: session.Subject}
	}
	response, err := e.provider.NewAccessResponse(ctx, request)
	if err != nil {
		e.provider.WriteAccessError(ctx, w, request, err)
		return
	}
	e.provider.WriteAccessResponse(ctx, w, request, response)
}
