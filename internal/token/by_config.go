package token

import (
	"context"

	"github.com/caddygrant/caddy-grant/internal/keyring"
)

// CheckByConfig is [Checker.Check] without all that only storage has: it cannot tell
// whether a server with the same signing key issued the token, whether the password was
// changed, and whether the session was revoked. It is for those who look into a token,
// and must let no request pass.
func (c *Checker) CheckByConfig(ctx context.Context, ring *keyring.Ring, raw string) (*AccessToken, error) {
	token, err := readSigned(ring, raw)
	if err != nil {
		return nil, err
	}
	if err := c.checkIssuer(token); err != nil {
		return nil, err
	}
	if err := c.CheckTimes(token); err != nil {
		return token, err
	}
	if token.IsClient() {
		client, err := c.Clients.OfToken(ctx, token.CID)
		if err := c.checkMayAct(client, err); err != nil {
			return token, err
		}
		named, err := c.Users.HasName(ctx, token.CID)
		return c.Narrowed(token, nil, client), checkNotUser(named, err)
	}
	user, err := c.Users.BySubject(ctx, token.Subject)
	if err := checkExists(user, err); err != nil {
		return token, err
	}
	client, err := c.Clients.OfToken(ctx, token.CID)
	if err := checkClient(client, err); err != nil {
		return token, err
	}
	return c.Narrowed(token, user, client), nil
}
