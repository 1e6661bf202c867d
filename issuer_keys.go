package caddygrant

import (
	"crypto/tls"
	"errors"
	"net/http"
	"sync/atomic"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"github.com/caddygrant/caddy-grant/internal/issuer"
)

// issuerKeys are the keys of an outside issuer. They outlive a reload, so that an issuer
// that is down then does no harm.
type issuerKeys struct {
	*issuer.Keys
	issuer  string
	jwksURL string // empty: that of the metadata
	trusted *trustedTransport
	status  *issuerStatus
}

// joinIssuerKeys begins to follow the keys of an issuer, unless a config does so
// already. In any case the authorities are those of this config from now on.
func joinIssuerKeys(of issuerKey, trusted *tls.Config) share[*issuerKeys] {
	s := join(of, func() *issuerKeys {
		keys := &issuerKeys{
			issuer: of.issuer, jwksURL: of.jwksURL,
			trusted: newTrustedTransport(trusted), status: startIssuer(of.issuer),
		}
		keys.Keys = issuer.Follow(issuer.Options{
			URL: of.issuer, JWKSURL: of.jwksURL, Transport: keys.trusted, Logger: issuerLogger,
			Observe: func(status issuer.Status) {
				keys.status.observe(status.Keys, status.Fetched, status.Err == nil)
			},
		})
		return keys
	})
	s.value.trusted.trust(trusted)
	return s
}

// Destruct ends the fetching.
func (k *issuerKeys) Destruct() error {
	k.Close()
	k.trusted.trust(nil)
	k.status.forget()
	return nil
}

// trustedTransport is the transport with the authorities of the latest config.
type trustedTransport struct {
	current atomic.Pointer[http.Transport]
}

func newTrustedTransport(config *tls.Config) *trustedTransport {
	t := new(trustedTransport)
	t.trust(config)
	return t
}

// trust replaces the authorities.
func (t *trustedTransport) trust(config *tls.Config) {
	if before := t.current.Swap(issuer.NewTransport(config)); before != nil {
		before.CloseIdleConnections()
	}
}

// RoundTrip makes a request with the current authorities.
func (t *trustedTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	transport := t.current.Load()
	if transport == nil {
		return nil, errors.New("the issuer is no longer followed")
	}
	return transport.RoundTrip(r)
}

// issuerLogger is Caddy's own, since the keys outlive the config that asked for them
// first.
func issuerLogger() *zap.Logger { return caddy.Log().Named("grant.issuers") }
