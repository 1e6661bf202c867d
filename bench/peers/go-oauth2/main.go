// Command go-oauth2 is a peer of bench: a token server of github.com/go-oauth2/oauth2/v4 v4.5.4, put together as its
// README shows, with its memory store and its JWT generator.
//
// What favours it:
//   - Tokens last for -lifetime and not for hours: its store (buntdb in memory) forgets nothing before, and so would
//     grow for as long as it is measured.
//   - Its generator parses the PEM of an ES256 key for every token. With -key parsed
//     another generator signs the same claims with a key that is parsed once.
//   - It does not ask for the client's secret when a token is refreshed: the library leaves that to a handler.
package main

import (
	"context"
	"crypto/rand"
	"flag"
	"fmt"
	"log"
	"net/http"
	"time"

	"github.com/go-oauth2/oauth2/v4"
	"github.com/go-oauth2/oauth2/v4/errors"
	"github.com/go-oauth2/oauth2/v4/generates"
	"github.com/go-oauth2/oauth2/v4/manage"
	"github.com/go-oauth2/oauth2/v4/server"
	"github.com/go-oauth2/oauth2/v4/store"
	"github.com/golang-jwt/jwt/v5"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:8080", "the `address` to listen on")
	alg := flag.String("alg", "HS256", "what signs the access tokens: HS256 or ES256")
	key := flag.String("key", "pem", "how the generator has its ES256 key: pem, as the library does, or parsed")
	lifetime := flag.Duration("lifetime", 30*time.Second, "how long access and refresh tokens last")
	flag.Parse()

	generator, err := newGenerator(*alg, *key)
	if err != nil {
		log.Fatal(err)
	}
	srv, err := newServer(generator, *lifetime)
	if err != nil {
		log.Fatal(err)
	}
	http.HandleFunc("POST /token", func(w http.ResponseWriter, r *http.Request) {
		_ = srv.HandleTokenRequest(w, r) // it answers errors itself
	})
	http.HandleFunc("GET /ready", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte("ready"))
	})
	log.Fatal(http.ListenAndServe(*listen, nil))
}

func newServer(generator oauth2.AccessGenerate, lifetime time.Duration) (*server.Server, error) {
	tokens, err := store.NewMemoryTokenStore()
	if err != nil {
		return nil, err
	}
	clients := store.NewClientStore()
	if err := clients.Set(clientID, newClient()); err != nil {
		return nil, err
	}
	manager := manage.NewDefaultManager()
	manager.MapTokenStorage(tokens)
	manager.MapClientStorage(clients)
	manager.MapAccessGenerate(generator)
	manager.SetPasswordTokenCfg(&manage.Config{AccessTokenExp: lifetime, RefreshTokenExp: lifetime, IsGenerateRefresh: true})
	refresh := *manage.DefaultRefreshTokenCfg
	refresh.IsResetRefreshTime = true // by default a session ends when its first token would have
	manager.SetRefreshTokenCfg(&refresh)

	users := newUsers()
	srv := server.NewDefaultServer(manager)
	srv.SetAllowedGrantType(oauth2.PasswordCredentials, oauth2.Refreshing)
	srv.SetClientInfoHandler(server.ClientFormHandler)
	srv.SetPasswordAuthorizationHandler(func(_ context.Context, _, username, password string) (string, error) {
		if !users.know(username, password) {
			return "", errors.ErrInvalidGrant
		}
		return username, nil
	})
	return srv, nil
}

func newGenerator(alg, key string) (oauth2.AccessGenerate, error) {
	switch {
	case alg == "HS256" && key == "pem":
		secret := make([]byte, 32)
		rand.Read(secret) // never fails: it crashes the program instead
		return generates.NewJWTAccessGenerate("", secret, jwt.SigningMethodHS256), nil
	case alg == "ES256":
		private, pem, err := newKey()
		if err != nil {
			return nil, err
		}
		switch key {
		case "pem":
			return generates.NewJWTAccessGenerate("", pem, jwt.SigningMethodES256), nil
		case "parsed":
			return parsedKey{private}, nil
		}
	}
	return nil, fmt.Errorf("there is no generator for -alg %s -key %s", alg, key)
}
