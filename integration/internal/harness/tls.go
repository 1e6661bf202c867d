package harness

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"time"

	"github.com/quic-go/quic-go/http3"
)

// TLSOptions leave port 80 alone.
const TLSOptions = "auto_https disable_redirects"

// TLSURL of a path of https://localhost.
func (s *Site) TLSURL(path string) string {
	return fmt.Sprintf("https://localhost:%d%s", s.TLSPort, path)
}

// TLSClients are one client for each version of HTTP.
func (s *Site) TLSClients() map[string]*http.Client {
	trusting := func() *tls.Config { return &tls.Config{InsecureSkipVerify: true, ServerName: "localhost"} }
	one := &http.Transport{TLSClientConfig: trusting(), TLSNextProto: map[string]func(string, *tls.Conn) http.RoundTripper{}}
	two := &http.Transport{TLSClientConfig: trusting(), ForceAttemptHTTP2: true}
	three := &http3.Transport{TLSClientConfig: trusting()}
	s.T.Cleanup(func() {
		one.CloseIdleConnections()
		two.CloseIdleConnections()
		_ = three.Close()
	})
	Eventually(s.T, "Caddy has its certificate", func() bool {
		conn, err := tls.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", s.TLSPort), trusting())
		if err == nil {
			conn.Close()
		}
		return err == nil
	})
	return map[string]*http.Client{
		"1.1": {Transport: one, Timeout: time.Minute},
		"2.0": {Transport: two, Timeout: time.Minute},
		"3.0": {Transport: versionThree{three}, Timeout: time.Minute},
	}
}

// versionThree fails a test whose answers do not come by HTTP/3.
type versionThree struct{ http.RoundTripper }

func (v versionThree) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := v.RoundTripper.RoundTrip(r)
	if err == nil && response.ProtoMajor != 3 {
		return nil, fmt.Errorf("the answer came by %s", response.Proto)
	}
	return response, err
}
