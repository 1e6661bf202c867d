package tokenstore

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/caddygrant/caddy-grant/internal/oauthclient"
)

// ErrOver is that a session cannot go on.
var ErrOver = errors.New("the session is over: log in again")

// Fresh returns the session of a URL with an access token that is valid for a while,
// refreshed if need be. Of processes at the same time only one refreshes: a refresh
// token is good for one use. A session that is over is forgotten.
func (s *Store) Fresh(ctx context.Context, client *oauthclient.Client, url string) (Session, error) {
	return s.refreshed(ctx, client, url, (*Session).isFresh)
}

// Checked is Fresh of a session of which the server says now that it goes on.
func (s *Store) Checked(ctx context.Context, client *oauthclient.Client, url string) (Session, error) {
	return s.refreshed(ctx, client, url, func(x *Session) bool { return x.Tokens.Refresh == "" && x.isFresh() })
}

// refreshed refreshes a session unless it is good as it is.
func (s *Store) refreshed(ctx context.Context, client *oauthclient.Client, url string, isGood func(*Session) bool) (Session, error) {
	session, err := s.Load(url)
	if err != nil || isGood(&session) {
		return session, err
	}
	unlock, err := s.Lock(ctx, url)
	if err != nil {
		return session, err
	}
	defer unlock()
	session, err = s.Load(url) // another process may have refreshed it
	if err != nil || isGood(&session) {
		return session, err
	}
	if session.Tokens.Refresh == "" {
		return session, errors.Join(ErrOver, s.Delete(session))
	}
	credentials, err := session.Credentials()
	if err != nil {
		return session, err
	}
	tokens, err := client.Refresh(ctx, session.Endpoints, credentials, session.Tokens)
	if oauthclient.IsInvalidGrant(err) {
		return session, errors.Join(ErrOver, s.Delete(session))
	}
	if err != nil {
		return session, fmt.Errorf("refreshing the session: %w", err)
	}
	session.Tokens = tokens
	return session, s.Save(&session)
}

// Credentials are those of the session's client.
func (x *Session) Credentials() (oauthclient.Credentials, error) {
	credentials := oauthclient.Credentials{ID: x.ClientID, Secret: x.ClientSecret}
	if x.SecretFile == "" {
		return credentials, nil
	}
	var err error
	credentials.Secret, err = ReadSecret(x.SecretFile)
	return credentials, err
}

// ReadSecret reads the secret of a client, without the end of its line.
func ReadSecret(path string) (string, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("reading the client's secret: %w", err)
	}
	secret := strings.TrimRight(string(content), "\r\n")
	if secret == "" || len(secret) > longestSecret {
		return "", fmt.Errorf("reading the client's secret: %s has %d bytes", path, len(content))
	}
	return secret, nil
}

// isFresh leaves time for a request.
func (x *Session) isFresh() bool {
	return x.Tokens.Expires.IsZero() || time.Now().Add(margin).Before(x.Tokens.Expires)
}

const (
	margin        = 20 * time.Second
	longestSecret = 4096
)
