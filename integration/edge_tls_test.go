package integration

import (
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/quic-go/quic-go/http3"
)

// tlsOptions leave port 80 alone.
const tlsOptions = "auto_https disable_redirects"

// tlsURL of a path of https://localhost.
func (s *site) tlsURL(path string) string {
	return fmt.Sprintf("https://localhost:%d%s", s.tlsPort, path)
}

// tlsClients are one client for each version of HTTP.
func (s *site) tlsClients() map[string]*http.Client {
	trusting := func() *tls.Config { return &tls.Config{InsecureSkipVerify: true, ServerName: "localhost"} }
	one := &http.Transport{TLSClientConfig: trusting(), TLSNextProto: map[string]func(string, *tls.Conn) http.RoundTripper{}}
	two := &http.Transport{TLSClientConfig: trusting(), ForceAttemptHTTP2: true}
	three := &http3.Transport{TLSClientConfig: trusting()}
	s.t.Cleanup(func() {
		one.CloseIdleConnections()
		two.CloseIdleConnections()
		_ = three.Close()
	})
	eventually(s.t, "Caddy has its certificate", func() bool {
		conn, err := tls.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", s.tlsPort), trusting())
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

// tlsLogin gets alice's token over TLS.
func (s *site) tlsLogin(client *http.Client) string {
	s.t.Helper()
	form := url.Values{
		"grant_type": {"password"}, "username": {"alice"}, "password": {"correct horse"},
		"client_id": {"web"}, "client_secret": {"web-secret"},
	}
	response, err := client.Post(s.tlsURL("/token"), "application/x-www-form-urlencoded", strings.NewReader(form.Encode()))
	if err != nil {
		s.t.Fatal(err)
	}
	defer response.Body.Close()
	var body struct {
		Token string `json:"access_token"`
	}
	if err := json.NewDecoder(response.Body).Decode(&body); err != nil || body.Token == "" {
		s.t.Fatalf("logging in by %s: %d %v", response.Proto, response.StatusCode, err)
	}
	return body.Token
}
