package oauthclient

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"

	"golang.org/x/oauth2"
)

// Credentials are those of an OAuth client. All are empty where the server has a
// default client.
type Credentials struct {
	ID, Secret string
}

// Tokens are what a token endpoint gave.
type Tokens struct {
	Access  string    `json:"access_token"`
	Refresh string    `json:"refresh_token,omitempty"`
	Scope   string    `json:"scope,omitempty"` // that was granted
	Expires time.Time `json:"expires,omitzero"`
	Given   time.Time `json:"given,omitzero"` // when the server last said that the session goes on
}

// LogIn gets the tokens of a new session (RFC 6749 §4.3).
func (c *Client) LogIn(ctx context.Context, at Endpoints, client Credentials, username, password string, scopes []string) (Tokens, error) {
	config := c.config(at, client)
	config.Scopes = scopes
	token, err := config.PasswordCredentialsToken(c.context(ctx), username, password)
	if err != nil {
		return Tokens{}, failure(at.Token, err)
	}
	return checked(at.Token, token, strings.Join(scopes, " "))
}

// Refresh exchanges a refresh token for the next tokens of its session (RFC 6749 §6).
func (c *Client) Refresh(ctx context.Context, at Endpoints, client Credentials, tokens Tokens) (Tokens, error) {
	source := c.config(at, client).TokenSource(c.context(ctx), &oauth2.Token{RefreshToken: tokens.Refresh})
	token, err := source.Token()
	if err != nil {
		return Tokens{}, failure(at.Token, err)
	}
	if token.RefreshToken == "" {
		token.RefreshToken = tokens.Refresh
	}
	return checked(at.Token, token, tokens.Scope)
}

// config says how the client authenticates: by Basic if it has a secret, else by its id
// in the form (RFC 6749 §2.3.1, §3.2.1).
func (c *Client) config(at Endpoints, client Credentials) *oauth2.Config {
	style := oauth2.AuthStyleInHeader
	if client.Secret == "" {
		style = oauth2.AuthStyleInParams
	}
	return &oauth2.Config{
		ClientID: client.ID, ClientSecret: client.Secret,
		Endpoint: oauth2.Endpoint{TokenURL: at.Token, AuthStyle: style},
	}
}

func (c *Client) context(ctx context.Context) context.Context {
	return context.WithValue(ctx, oauth2.HTTPClient, c.http())
}

// checked refuses tokens that could not be sent as they are.
func checked(endpoint string, token *oauth2.Token, asked string) (Tokens, error) {
	if !strings.EqualFold(token.Type(), "Bearer") || !bearerToken.MatchString(token.AccessToken) || len(token.AccessToken)+len(token.RefreshToken) > longestTokens {
		return Tokens{}, fmt.Errorf("the answer of %s has no Bearer token (RFC 6750)", endpoint)
	}
	tokens := Tokens{Access: token.AccessToken, Refresh: token.RefreshToken, Scope: asked, Expires: token.Expiry, Given: time.Now()}
	if scope, ok := token.Extra("scope").(string); ok {
		tokens.Scope = scope
	}
	return tokens, nil
}

// Revoke ends the session of the tokens (RFC 7009).
func (c *Client) Revoke(ctx context.Context, at Endpoints, client Credentials, tokens Tokens) error {
	form := url.Values{"token": {tokens.Access}}
	if tokens.Refresh != "" {
		form.Set("token", tokens.Refresh)
		form.Set("token_type_hint", "refresh_token")
	}
	if client.Secret == "" && client.ID != "" {
		form.Set("client_id", client.ID)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, at.Revocation, strings.NewReader(form.Encode()))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if client.Secret != "" {
		r.SetBasicAuth(url.QueryEscape(client.ID), url.QueryEscape(client.Secret))
	}
	response, err := c.http().Do(r)
	if err != nil {
		return unreachable(at.Revocation, err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return &Error{Endpoint: at.Revocation, Status: response.StatusCode}
	}
	return nil
}

// Error is an answer that refuses. Its text is fit for a terminal.
type Error struct {
	Endpoint    string
	Status      int
	Code        string // `error` of RFC 6749 §5.2
	Description string
	RetryAfter  string // seconds; empty: none
}

func (e *Error) Error() string {
	text := fmt.Sprintf("%s answers with status %d", e.Endpoint, e.Status)
	if e.Code != "" {
		text += " " + printed(e.Code)
	}
	if e.Description != "" {
		text += ": " + printed(e.Description)
	}
	if e.RetryAfter != "" {
		text += "; try again in " + e.RetryAfter + " seconds"
	}
	return text
}

// IsInvalidGrant tells whether a password is wrong, or a session is over.
func IsInvalidGrant(err error) bool {
	refused, ok := errors.AsType[*Error](err)
	return ok && refused.Code == "invalid_grant"
}

// failure makes an error without the answer itself, which may be anything.
func failure(endpoint string, err error) error {
	answer, ok := errors.AsType[*oauth2.RetrieveError](err)
	if !ok {
		if inner, ok := errors.AsType[*url.Error](err); ok {
			return unreachable(endpoint, inner)
		}
		return fmt.Errorf("the answer of %s is not that of a token endpoint", endpoint)
	}
	status := answer.Response.StatusCode
	if status >= 300 && status < 400 {
		return fmt.Errorf("%s redirects, which is not followed with a password: give the URL that it redirects to", endpoint)
	}
	failed := &Error{Endpoint: endpoint, Status: status, Code: answer.ErrorCode, Description: answer.ErrorDescription}
	if seconds, err := strconv.Atoi(answer.Response.Header.Get("Retry-After")); err == nil && seconds > 0 {
		failed.RetryAfter = strconv.Itoa(seconds)
	}
	return failed
}

// printed is a text of an answer, fit for a terminal and not too long.
func printed(text string) string {
	if len(text) > mostPrinted {
		text = strings.ToValidUTF8(text[:mostPrinted], "") + "..."
	}
	if strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return strconv.Quote(text)
	}
	return text
}

// bearerToken is what may stand in an Authorization header (RFC 6750 §2.1).
var bearerToken = regexp.MustCompile(`^[A-Za-z0-9._~+/-]+=*$`)

const (
	longestTokens = 64 << 10
	mostPrinted   = 300
)
