package redis

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
)

// newCertificate makes a certificate that signed itself, for 127.0.0.1.
func newCertificate(t *testing.T) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "redis"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	text, err := x509.MarshalECPrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for path, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "EC PRIVATE KEY", Bytes: text}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key
}

func TestRedisOverTLS(t *testing.T) {
	cert, key := newCertificate(t)
	port := strconv.Itoa(freePort(t))
	newServer(t, "--tls-port", port, "--tls-cert-file", cert, "--tls-key-file", key, "--tls-ca-cert-file", cert, "--tls-auth-clients", "yes")
	url := "rediss://127.0.0.1:" + port + "/0"
	all := func(s *Sessions) { s.CA, s.Cert, s.Key = cert, cert, key }
	e := open(t, url, all)
	swap(t, e, newID(epochOf(t, e)), 1)
	for name, change := range map[string]func(*Sessions){
		"without the authority":      func(s *Sessions) {},
		"without a certificate":      func(s *Sessions) { s.CA = cert },
		"with another certificate":   func(s *Sessions) { other, own := newCertificate(t); s.CA, s.Cert, s.Key = cert, other, own },
		"with another authority":     func(s *Sessions) { other, _ := newCertificate(t); s.CA, s.Cert, s.Key = other, cert, key },
		"with a name of another one": func(s *Sessions) { all(s); s.URL = strings.Replace(url, "127.0.0.1", "localhost", 1) },
	} {
		if _, err := open(t, url, change).Epoch(t.Context()); err == nil {
			t.Errorf("%s: it answers", name)
		}
	}
}

func TestFilesForTLSAreRead(t *testing.T) {
	cert, key := newCertificate(t)
	for _, c := range []struct {
		s    Sessions
		says string
	}{
		{Sessions{URL: "redis://127.0.0.1", CA: cert}, "write rediss://"},
		{Sessions{URL: "rediss://127.0.0.1", CA: "/missing"}, "ca: open /missing"},
		{Sessions{URL: "rediss://127.0.0.1", CA: key}, "has no certificate in PEM"},
		{Sessions{URL: "rediss://127.0.0.1", Cert: cert}, "write both"},
		{Sessions{URL: "rediss://127.0.0.1", Key: key}, "write both"},
		{Sessions{URL: "rediss://127.0.0.1", Cert: key, Key: key}, "cert and key"},
		{Sessions{URL: "rediss://127.0.0.1?cluster=true", CA: cert, Cert: cert, Key: key}, ""},
		{Sessions{URL: "rediss://127.0.0.1?master_name=x", CA: cert}, ""},
	} {
		err := c.s.Provision(caddy.Context{})
		if c.says == "" && err != nil || c.says != "" && (err == nil || !strings.Contains(err.Error(), c.says)) {
			t.Errorf("%+v: %v, want %q", c.s, err, c.says)
		}
	}
}
