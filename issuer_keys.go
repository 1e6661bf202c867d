package caddygrant

import (
	"context"
	"crypto/tls"
	"errors"
	"net/http"
	"sync/atomic"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"github.com/caddygrant/caddy-grant/internal/adminapi"
	"github.com/caddygrant/caddy-grant/internal/explain"
	"github.com/caddygrant/caddy-grant/internal/issuer"
)

// issuerKeys are the keys of an outside issuer. They outlive a reload, so that an issuer
// that is down then does no harm.
type issuerKeys struct {
	*issuer.Keys
	issuer  string
	jwksURL string // empty: that of the metadata
	trusted *trustedTransport
}

// joinIssuerKeys begins to follow the keys of an issuer, unless a config does so
// already. In any case the authorities are those of this config from now on.
func joinIssuerKeys(d *definedIssuer) share[*issuerKeys] {
	url := d.settings.URL
	s := join(issuerKey{issuer: url, jwksURL: d.jwksURL, ca: d.ca}, func() *issuerKeys {
		startIssuer(url)
		keys := &issuerKeys{issuer: url, jwksURL: d.jwksURL, trusted: newTrustedTransport(d.tls)}
		keys.Keys = issuer.Follow(issuer.Options{
			URL: url, JWKSURL: d.jwksURL, Transport: keys.trusted, Logger: issuerLogger,
			Observe: func(status issuer.Status) { observeIssuer(url, status.Keys, status.Fetched, status.Err == nil) },
		})
		return keys
	})
	s.value.trusted.trust(d.tls)
	return s
}

// Destruct ends the fetching.
func (k *issuerKeys) Destruct() error {
	k.Close()
	k.trusted.trust(nil)
	forgetIssuer(k.issuer)
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

// List implements [adminapi.Issuers].
func (o *outsideIssuers) List(context.Context) ([]adminapi.Issuer, error) {
	known := make(map[*issuerKeys]bool)
	list := []adminapi.Issuer{}
	for _, shared := range o.keys {
		keys := shared.value
		if known[keys] {
			continue
		}
		known[keys] = true
		status := keys.Status()
		one := adminapi.Issuer{URL: keys.issuer, JWKSURL: keys.jwksURL, Keys: status.Keys}
		if !status.Fetched.IsZero() {
			one.FetchedAt = &status.Fetched
		}
		if status.Err != nil {
			one.Error = status.Err.Error()
		}
		list = append(list, one)
	}
	return list, nil
}

// Explain implements [adminapi.Issuers].
func (o *outsideIssuers) Explain(ctx context.Context, request adminapi.ExplainRequest) (adminapi.Explanation, error) {
	claimed, _ := issuer.ClaimedIssuer(request.Token)
	var judges []*issuer.Issuer
	for _, one := range o.running {
		if one.URL() == claimed {
			judges = append(judges, one.Issuer)
		}
	}
	if len(judges) == 0 {
		return adminapi.Explanation{}, adminapi.NotAnIssuer
	}
	return (&explain.Outside{Issuers: judges}).Token(ctx, request), nil
}

// Interface guards
var _ adminapi.Issuers = (*outsideIssuers)(nil)
