// Package oauthclient gets, refreshes and revokes tokens at a token endpoint, for a
// person at a terminal. It sends passwords and tokens over https alone, or to this
// machine, follows no redirect, and takes an endpoint for hostile: answers are bounded,
// and what they say is for [Error] to make fit for a terminal.
package oauthclient

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// Client asks token endpoints.
type Client struct {
	// AllowHTTP permits plain http to other machines: whoever listens there has the
	// password.
	AllowHTTP bool

	Transport http.RoundTripper // nil: Go's own
}

// http never follows a redirect: it could send a password elsewhere.
func (c *Client) http() *http.Client {
	return &http.Client{
		Transport: c.Transport, Timeout: answerWithin,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// Parse reads a URL to which tokens may be sent. One without a scheme is https.
func (c *Client) Parse(text string) (*url.URL, error) {
	if !strings.Contains(text, "://") {
		text = "https://" + text
	}
	u, err := url.Parse(text)
	switch {
	case err != nil, u.Host == "", u.Opaque != "":
		return nil, errors.New("it is not a URL such as https://app.example.com")
	case u.User != nil:
		return nil, errors.New("the URL has a username or a password in it: leave them out, you are asked for them")
	case u.RawQuery != "" || u.Fragment != "":
		return nil, errors.New("the URL has a query or a fragment: leave it out")
	}
	normalize(u)
	return u, c.permits(u)
}

// normalize spells a place in one way, as there is one session at it.
func normalize(u *url.URL) {
	u.Scheme, u.Host = strings.ToLower(u.Scheme), strings.ToLower(u.Host)
	if port := defaultPorts[u.Scheme]; port != "" {
		u.Host = strings.TrimSuffix(u.Host, port)
	}
	u.RawPath = strings.TrimRight(u.EscapedPath(), "/")
	u.Path, _ = url.PathUnescape(u.RawPath) // cannot fail: it was parsed
}

var defaultPorts = map[string]string{"https": ":443", "http": ":80"}

// Same tells whether two URLs are spellings of one.
func Same(a, b string) bool {
	one, err := url.Parse(a)
	other, bad := url.Parse(b)
	if err != nil || bad != nil {
		return false
	}
	normalize(one)
	normalize(other)
	return one.String() == other.String()
}

// permits refuses to send a password in the clear.
func (c *Client) permits(u *url.URL) error {
	switch {
	case u.Scheme == "https", u.Scheme == "http" && (c.AllowHTTP || isLoopback(u.Hostname())):
		return nil
	case u.Scheme == "http":
		return fmt.Errorf("%s://%s is not https: passwords and tokens would cross the network in the clear. Add --insecure-http if that is what you want", u.Scheme, u.Host)
	}
	return errors.New("the URL does not begin with https://")
}

func isLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// ParseKeySetURL reads a URL at which public keys are. Nothing secret is sent to it.
func (c *Client) ParseKeySetURL(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil, u.Host == "", u.Opaque != "":
		return nil, errors.New("it is not a URL such as https://app.example.com/token/jwks")
	case u.User != nil:
		return nil, errors.New("the URL has a username or a password in it: leave them out")
	}
	u.Scheme, u.Host = strings.ToLower(u.Scheme), strings.ToLower(u.Host)
	switch {
	case u.Scheme == "https", u.Scheme == "http" && (c.AllowHTTP || isLoopback(u.Hostname())):
		return u, nil
	case u.Scheme == "http":
		return nil, fmt.Errorf("%s://%s is not https: the keys could be replaced on the way, and a forged token would be good. Add --insecure-http if that is what you want", u.Scheme, u.Host)
	}
	return nil, errors.New("the URL does not begin with https://")
}

// Endpoints are where tokens are got and revoked.
type Endpoints struct {
	Token      string `json:"token_endpoint"`
	Revocation string `json:"revocation_endpoint,omitempty"`
}

// Discover finds the endpoints of a site, or of an issuer, by its metadata (RFC 8414).
// Where there is none, a URL with a path is the token endpoint itself, and one without
// a path has it at /token.
func (c *Client) Discover(ctx context.Context, u *url.URL) (Endpoints, error) {
	issuer := strings.TrimRight(u.String(), "/")
	path := strings.TrimRight(u.EscapedPath(), "/")
	wellKnown := u.Scheme + "://" + u.Host + wellKnownPath + path
	var metadata struct {
		Issuer string `json:"issuer"`
		Endpoints
	}
	status, err := c.getJSON(ctx, wellKnown, &metadata)
	switch {
	case err != nil && status == 0: // no answer
		return Endpoints{}, err
	case err != nil || metadata.Token == "": // an answer of something else
		return guessed(u, path), nil
	case !Same(metadata.Issuer, issuer):
		// RFC 8414 §3.3: it must not be used
		return Endpoints{}, fmt.Errorf("the metadata of %s is that of %s: give that URL, or the URL of the token endpoint", issuer, printed(metadata.Issuer))
	}
	for what, endpoint := range map[string]string{"token_endpoint": metadata.Token, "revocation_endpoint": metadata.Revocation} {
		if endpoint == "" {
			continue
		}
		if _, err := c.Parse(endpoint); err != nil {
			return Endpoints{}, fmt.Errorf("the %s of %s: %w", what, issuer, err)
		}
	}
	return metadata.Endpoints, nil
}

// guessed are the endpoints as this module has them.
func guessed(u *url.URL, path string) Endpoints {
	if path == "" {
		path = "/token"
	}
	endpoint := u.Scheme + "://" + u.Host + path
	return Endpoints{Token: endpoint, Revocation: endpoint + "/revoke"}
}

// KeySet reads a key set (RFC 7517).
func (c *Client) KeySet(ctx context.Context, u *url.URL) (set jose.JSONWebKeySet, err error) {
	var answer json.RawMessage
	if _, err = c.getJSON(ctx, u.String(), &answer); err != nil {
		return set, err
	}
	return ParseKeySet(u.String(), answer)
}

// ParseKeySet reads what a place has, which may be anything. Without a key nothing can
// be verified.
func ParseKeySet(place string, content []byte) (set jose.JSONWebKeySet, err error) {
	var has struct {
		Keys []json.RawMessage `json:"keys"`
	}
	switch err := json.Unmarshal(content, &has); {
	case err != nil || has.Keys == nil:
		return set, fmt.Errorf("%s is not a key set (JWKS), which is JSON with a list of keys", place)
	case len(has.Keys) == 0:
		return set, fmt.Errorf("the key set %s is empty: nothing can be verified with it", place)
	}
	for _, encoded := range has.Keys {
		var key jose.JSONWebKey
		if json.Unmarshal(encoded, &key) == nil { // RFC 7517 §5: kinds that are not known are ignored
			set.Keys = append(set.Keys, key)
		}
	}
	if len(set.Keys) == 0 {
		return set, fmt.Errorf("no key of the key set %s can be read: they are damaged, or of kinds that are not known", place)
	}
	return set, nil
}

// getJSON returns the status, 0 if there was no answer.
func (c *Client) getJSON(ctx context.Context, place string, into any) (status int, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, place, nil)
	if err != nil {
		return 0, err
	}
	r.Header.Set("Accept", "application/json")
	response, err := c.http().Do(r)
	if err != nil {
		return 0, unreachable(place, err)
	}
	defer response.Body.Close()
	content, err := io.ReadAll(io.LimitReader(response.Body, longestAnswer+1))
	switch {
	case err != nil:
		return response.StatusCode, unreachable(place, err)
	case len(content) > longestAnswer:
		return response.StatusCode, fmt.Errorf("the answer of %s is longer than %d bytes", place, longestAnswer)
	case response.StatusCode >= 300 && response.StatusCode < 400:
		return response.StatusCode, fmt.Errorf("%s redirects, which is not followed: give the URL that it redirects to", place)
	case response.StatusCode != http.StatusOK:
		return response.StatusCode, fmt.Errorf("%s answers with status %d", place, response.StatusCode)
	}
	if err := json.Unmarshal(content, into); err != nil {
		return response.StatusCode, fmt.Errorf("the answer of %s is not the JSON that it should be", place)
	}
	return response.StatusCode, nil
}

// unreachable says why there was no answer, without what was sent.
func unreachable(place string, err error) error {
	var inner *url.Error
	if errors.As(err, &inner) {
		err = inner.Err
	}
	return fmt.Errorf("%s gives no answer: %w", place, err)
}

const (
	wellKnownPath = "/.well-known/oauth-authorization-server"
	answerWithin  = 30 * time.Second // a login may wait in the queue of password checks
	longestAnswer = 1 << 20
)
