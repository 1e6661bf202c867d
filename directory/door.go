package directory

import (
	"errors"
	"fmt"
	"slices"
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

// equalLists tells no list from an empty one, which means none.
func equalLists(a, b []string) bool {
	return (a == nil) == (b == nil) && slices.Equal(a, b)
}

var errUnchecked = errors.New("it has no password_hash, and its source does not check passwords")
