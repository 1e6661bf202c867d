package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// client sends single requests, where each answer matters and not how many there are.
type client struct{ http.Client }

// newClient keeps its connections.
func newClient() *client {
	return &client{http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 8}, Timeout: time.Minute}}
}

// newFreshClient takes a new connection for every request.
func newFreshClient() *client {
	return &client{http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 30 * time.Second}}
}

// answer is what came back.
type answer struct {
	status    int
	challenge string // of bearer_auth, whose refusals have no body
	body      []byte
	took      time.Duration
}

// expect is an error unless the answer is as it should be.
func (a answer) expect(status int, contains string) error {
	if a.status == status && bytes.Contains(a.body, []byte(contains)) {
		return nil
	}
	return fmt.Errorf("expected status %d and %q, got status %d: %.300s", status, contains, a.status, a.body)
}

// tokens are those of an answer that has them.
func (a answer) tokens() (t tokens, err error) {
	if err := a.expect(http.StatusOK, `"access_token"`); err != nil {
		return t, err
	}
	return t, json.Unmarshal(a.body, &t)
}

type tokens struct {
	Access  string `json:"access_token"`
	Refresh string `json:"refresh_token"`
}

func (c *client) get(ctx context.Context, address string, header map[string]string) (answer, error) {
	return c.send(ctx, http.MethodGet, address, "", header)
}

func (c *client) post(ctx context.Context, address string, form url.Values, header map[string]string) (answer, error) {
	return c.send(ctx, http.MethodPost, address, form.Encode(), header)
}

// logIn posts a form for which there are tokens.
func (c *client) logIn(ctx context.Context, address string, form url.Values) (tokens, error) {
	a, err := c.post(ctx, address, form, nil)
	if err != nil {
		return tokens{}, err
	}
	return a.tokens()
}

// timed is how long an answer took, in milliseconds, which has to be the expected one.
func (c *client) timed(ctx context.Context, address string, form url.Values, status int, contains string) (float64, error) {
	a, err := c.post(ctx, address, form, nil)
	if err != nil {
		return 0, err
	}
	return milliseconds(a.took), a.expect(status, contains)
}

func (c *client) send(ctx context.Context, method, address, body string, header map[string]string) (a answer, err error) {
	r, err := http.NewRequestWithContext(ctx, method, address, strings.NewReader(body))
	if err != nil {
		return a, err
	}
	if body != "" { // a form, unless the header says something else
		r.Header.Set("Content-Type", formType)
	}
	for name, value := range header {
		r.Header.Set(name, value)
	}
	begun := time.Now()
	response, err := c.Do(r)
	if err != nil {
		return a, &connectionError{err}
	}
	defer response.Body.Close()
	a.status, a.challenge = response.StatusCode, response.Header.Get("WWW-Authenticate")
	if a.body, err = io.ReadAll(response.Body); err != nil {
		return a, &connectionError{err}
	}
	a.took = time.Since(begun)
	return a, nil
}

// connectionError is for a request that has no answer, or half of one.
type connectionError struct{ cause error }

func (e *connectionError) Error() string { return e.cause.Error() }
func (e *connectionError) Unwrap() error { return e.cause }

// login is the form of a password grant.
func login(username, password string) url.Values {
	return url.Values{
		"grant_type": {"password"}, "client_id": {clientID}, "client_secret": {clientSecret},
		"username": {username}, "password": {password},
	}
}

// publicLogin is the same of a client without a secret.
func publicLogin(client, username, password string) url.Values {
	return url.Values{"grant_type": {"password"}, "client_id": {client}, "username": {username}, "password": {password}}
}

// refreshing is the form of a refresh grant.
func refreshing(token string) url.Values {
	return url.Values{
		"grant_type": {"refresh_token"}, "client_id": {clientID}, "client_secret": {clientSecret},
		"refresh_token": {token},
	}
}

// sleep waits unless the run ends.
func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// milliseconds is a duration as a figure.
func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

const (
	formType = "application/x-www-form-urlencoded"

	// the client that sites import; its secret is in plaintext, so that checking it
	// costs no hash
	clientID, clientSecret = "bench", "bench-secret"
)
