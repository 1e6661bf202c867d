package main

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// outsideIssuer is an issuer of tokens with one key, on loopback. It has nothing to do
// once the key was fetched.
type outsideIssuer struct {
	url    string
	key    ed25519.PrivateKey
	server *http.Server
}

func startOutsideIssuer() (*outsideIssuer, error) {
	public, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	set := fmt.Sprintf(`{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"1","alg":"EdDSA","use":"sig","x":%q}]}`, base64.RawURLEncoding.EncodeToString(public))
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/jwk-set+json")
		fmt.Fprint(w, set)
	})}
	go server.Serve(listener) // until stop
	return &outsideIssuer{"http://" + listener.Addr().String(), key, server}, nil
}

func (i *outsideIssuer) stop() { i.server.Close() }

// token is one that is about that long, since its length is most of what a token costs
// that was checked before.
func (i *outsideIssuer) token(length int) (string, error) {
	now := time.Now()
	claims := jwt.MapClaims{
		"iss": i.url, "sub": credentialUser, "aud": credentialAudience, "client_id": clientID, "jti": "1",
		"iat": now.Unix(), "exp": now.Add(12 * time.Hour).Unix(), "scope": credentialScope, "groups": credentialGroups,
	}
	sign := func() (string, error) {
		t := jwt.NewWithClaims(jwt.SigningMethodEdDSA, claims)
		t.Header["kid"], t.Header["typ"] = "1", "at+jwt"
		return t.SignedString(i.key)
	}
	short, err := sign()
	if err != nil {
		return "", err
	}
	claims["filler"] = strings.Repeat("x", max(0, (length-len(short))*3/4-len(`"filler":"",`))) // in base64
	return sign()
}

// awaitPass sends the request of a plan until bearer_auth lets it pass: an outside token
// has to wait for the keys of its issuer.
func awaitPass(ctx context.Context, p plan) error {
	c := newClient()
	for begun := time.Now(); ; {
		a, err := c.get(ctx, p.URL, p.Header)
		if err != nil {
			return err
		}
		err = a.expect(int(p.Expect[0].Status), p.Expect[0].Contains)
		if err == nil || time.Since(begun) > 10*time.Second {
			return err
		}
		if err := sleep(ctx, 50*time.Millisecond); err != nil {
			return err
		}
	}
}
