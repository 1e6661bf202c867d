package token

import (
	"context"
	"crypto/subtle"

	"github.com/caddygrant/caddy-grant/directory"
)

// This file checks what can change about a token that a client got for itself, by the
// grant client_credentials (RFC 6749 §4.4): there is no user, and the client's secret
// counts as a user's password does.

// actingClient returns the client to whom such a token belongs, by what the sources say
// now.
func (c *Checker) actingClient(ctx context.Context, keys *KeySet, token *AccessToken) (*directory.Client, error) {
	client, err := c.Clients.OfToken(ctx, token.CID)
	if err := c.checkMayAct(client, err); err != nil {
		return nil, err
	}
	if err := c.checkSecret(keys, client, token.CredentialVersion); err != nil {
		return nil, err
	}
	named, err := c.Users.HasName(ctx, token.CID)
	return client, checkNotUser(named, err)
}

// recentActingClient is actingClient by recent answers of the sources. before is the
// client with which the token was checked before, or nil. That no user has the client's
// name is looked up each time: users come without a change of the client.
func (c *Checker) recentActingClient(ctx context.Context, keys *KeySet, token *AccessToken, before *directory.Client) (*directory.Client, error) {
	client, err := c.Clients.RecentByID(ctx, token.CID)
	if err := c.checkMayAct(client, err); err != nil {
		return nil, err
	}
	if client != before {
		if err := c.checkSecret(keys, client, token.CredentialVersion); err != nil {
			return nil, err
		}
	}
	named, err := c.Users.RecentlyHasName(ctx, token.CID)
	return client, checkNotUser(named, err)
}

// checkSecret refuses a token from before the client's secret was changed.
func (c *Checker) checkSecret(keys *KeySet, client *directory.Client, version string) error {
	current := secretVersion(keys.credentialVersion, c.Server, client)
	if subtle.ConstantTimeCompare([]byte(current), []byte(version)) != 1 {
		return Error("its client has another secret now")
	}
	return nil
}

// checkMayAct checks the client that a look-up found, without its secret.
func (c *Checker) checkMayAct(client *directory.Client, err error) error {
	if err := checkClient(client, err); err != nil {
		return err
	}
	if !c.MayAct(client) {
		return Error("its client may no longer act for itself")
	}
	return nil
}

// checkNotUser refuses a client that has the name of a user, given what a look-up of
// the users found.
func checkNotUser(named bool, err error) error {
	switch {
	case err != nil:
		return UncheckedError{"the users cannot be looked up", err}
	case named:
		return Error("its client has the name of a user")
	}
	return nil
}
