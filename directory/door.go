package directory

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/caddygrant/caddy-grant/internal/password"
)

// door is what every user and client of a source that is asked comes through: it is
// checked as one in a file is, and copied, so that nothing that the source does later
// changes it. What is in memory came through [UserSet.Add] or [ClientSet.Add].
type door struct {
	name    string // of the source
	options Options
	checks  bool // the source checks passwords itself
}

// user admits a user. The errors name the source, and hold no hash.
func (d *door) user(raw *User) (*User, error) {
	u := raw.clone()
	err := u.Validate()
	if err == nil {
		_, err = u.prepare(d.options)
	}
	if err == nil && u.PasswordHash == "" && !d.checks {
		err = errUnchecked
	}
	if err != nil {
		return nil, fmt.Errorf("%s: user %s: %w", d.name, Shown(raw.Username), err)
	}
	return u, nil
}

// client admits a client. The errors name the source, and hold no secret.
func (d *door) client(raw *Client) (*Client, error) {
	c := raw.clone()
	if err := c.Prepare(d.options); err != nil {
		return nil, fmt.Errorf("%s: client %s: %w", d.name, Shown(raw.ID), err)
	}
	return c, nil
}

func (u *User) clone() *User {
	clone := *u
	clone.Scopes = slices.Clone(u.Scopes)
	clone.Claims = maps.Clone(u.Claims)
	for name, value := range clone.Claims {
		clone.Claims[name] = bytes.Clone(value)
	}
	return &clone
}

// equal tells whether a user that a source returned is still the one that was admitted.
func (u *User) equal(raw *User) bool {
	return u.Username == raw.Username && u.ID == raw.ID && u.Disabled == raw.Disabled &&
		u.PasswordHash == password.Unprefixed(raw.PasswordHash) && u.CredentialVersion == raw.CredentialVersion &&
		equalLists(u.Scopes, raw.Scopes) &&
		maps.EqualFunc(u.Claims, raw.Claims, func(a, b json.RawMessage) bool { return bytes.Equal(a, b) })
}

func (c *Client) clone() *Client {
	clone := *c
	for _, list := range clone.lists() {
		*list = slices.Clone(*list)
	}
	return &clone
}

// equal tells whether a client that a source returned is still the one that was admitted.
func (c *Client) equal(raw *Client) bool {
	if c.ID != raw.ID || c.Secret != raw.Secret || c.SecretHash != raw.SecretHash || c.Public != raw.Public ||
		c.AccessTokenTTL != raw.AccessTokenTTL || c.RefreshTokenTTL != raw.RefreshTokenTTL || c.EndUserIP != raw.EndUserIP {
		return false
	}
	lists := raw.lists()
	for i, list := range c.lists() {
		if !equalLists(*list, *lists[i]) {
			return false
		}
	}
	return true
}

// lists are the settings of a client that are lists.
func (c *Client) lists() [5]*[]string {
	return [...]*[]string{&c.Scopes, &c.DefaultScopes, &c.Grants, &c.Audience, &c.Introspect}
}

// equalLists tells no list from an empty one, which means none.
func equalLists(a, b []string) bool {
	return (a == nil) == (b == nil) && slices.Equal(a, b)
}

var errUnchecked = errors.New("it has no password_hash, and its source does not check passwords")
