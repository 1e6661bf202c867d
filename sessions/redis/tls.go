package redis

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
)

// encrypt reads the files for TLS, and sets them where the URL has rediss://.
func (s *settings) encrypt(ca, cert, key string) error {
	var config *tls.Config
	switch {
	case s.cluster != nil:
		config = s.cluster.TLSConfig
	case s.failover != nil:
		config = s.failover.TLSConfig
	default:
		config = s.standalone.TLSConfig
	}
	if config == nil {
		if ca != "" || cert != "" || key != "" {
			return errors.New("ca, cert and key are for TLS: write rediss:// in place of redis://")
		}
		return nil
	}
	config.MinVersion = tls.VersionTLS12
	if s.cluster != nil || s.failover != nil {
		config.ServerName = "" // each node has a name of its own, by which it is dialed
	}
	if ca != "" {
		text, err := os.ReadFile(ca)
		if err != nil {
			return fmt.Errorf("ca: %w", err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(text) {
			return fmt.Errorf("ca: %s has no certificate in PEM", ca)
		}
	}
	if (cert == "") != (key == "") {
		return errors.New("cert and key: write both")
	}
	if cert != "" {
		pair, err := tls.LoadX509KeyPair(cert, key)
		if err != nil {
			return fmt.Errorf("cert and key: %w", err)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return nil
}
