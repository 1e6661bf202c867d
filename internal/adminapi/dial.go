package adminapi

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
)

// Endpoint says where the admin endpoint is.
type Endpoint struct {
	// Address is a network address as those of `caddy reload --address`, such as
	// localhost:2019 or unix//run/caddy-admin.sock; or, for remote admin, an https URL.
	Address string

	// For remote admin: PEM files of the operator's certificate and its key, and of
	// what signed the certificate of the endpoint, if systems do not trust that.
	Certificate, Key, Authorities string
}

// NewClient asks the endpoint. It connects with the first request.
func NewClient(at Endpoint) (*Client, error) {
	if strings.HasPrefix(at.Address, "https://") {
		return newRemoteClient(at)
	}
	if at.Certificate != "" || at.Key != "" || at.Authorities != "" {
		return nil, fmt.Errorf("certificates are for remote admin: its address begins with https://, and %q does not", at.Address)
	}
	plain := strings.TrimSuffix(strings.TrimPrefix(at.Address, "http://"), "/")
	address, err := caddy.ParseNetworkAddressWithDefaults(plain, "tcp", localPort)
	switch {
	case err != nil:
		return nil, fmt.Errorf("address %q: %w", at.Address, err)
	case address.IsFdNetwork():
		return nil, fmt.Errorf("address %q is a socket that Caddy inherited, which has no address to connect to", at.Address)
	case !address.IsUnixNetwork() && address.PortRangeSize() != 1:
		return nil, fmt.Errorf("address %q must have one port", at.Address)
	}
	c := &Client{address: at.Address}
	network, to := "tcp", address.JoinHostPort(0)
	if address.IsUnixNetwork() {
		network = "unix"
		to, _, _ = strings.Cut(address.Host, "|") // permissions, which Caddy sets
		c.base = "http://127.0.0.1"               // Caddy does not look at it
	} else {
		c.base = "http://" + to
		c.origin = c.base
	}
	c.http = newHTTPClient(&http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return dialer.DialContext(ctx, network, to)
		},
	})
	return c, nil
}

// newRemoteClient asks an endpoint of remote admin, which wants a certificate.
func newRemoteClient(at Endpoint) (*Client, error) {
	u, err := url.Parse(at.Address)
	if err != nil || u.Hostname() == "" || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		return nil, fmt.Errorf("address %q must be https://<host>:<port>", at.Address)
	}
	if u.Port() == "" {
		u.Host = net.JoinHostPort(u.Hostname(), remotePort)
	}
	if at.Certificate == "" || at.Key == "" {
		return nil, errors.New("remote admin asks for a certificate and its key")
	}
	certificate, err := tls.LoadX509KeyPair(at.Certificate, at.Key)
	if err != nil {
		return nil, fmt.Errorf("reading certificate %s and key %s: %w", at.Certificate, at.Key, err)
	}
	config := &tls.Config{Certificates: []tls.Certificate{certificate}}
	if at.Authorities != "" {
		pem, err := os.ReadFile(at.Authorities)
		if err != nil {
			return nil, err
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%s has no certificate in PEM", at.Authorities)
		}
	}
	return &Client{
		address: at.Address,
		base:    "https://" + u.Host,
		http:    newHTTPClient(&http.Transport{DialContext: dialer.DialContext, TLSClientConfig: config}),
	}, nil
}

func newHTTPClient(transport *http.Transport) *http.Client {
	return &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

var dialer = net.Dialer{Timeout: 5 * time.Second}

// ports of the endpoints where the address has none
const (
	localPort  = 2019
	remotePort = "2021"
)
