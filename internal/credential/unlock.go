package credential

import (
	"net/netip"
	"net/url"
	"time"

	"github.com/caddygrant/caddy-grant/internal/throttle"
)

// userAccount is what the attempts on the password of a username are counted for, at
// the token endpoint and on the login page, whether there is such a user or not.
func userAccount(username string) string { return throttle.Join(KindUser, username) }

// clientAccount is what the attempts on the secret of a client_id are counted for.
func clientAccount(id string) string { return throttle.Join(KindClient, id) }

// UnlockUser forgets the failures of a username, spelled as at the login, from whatever
// source: see [throttle.Throttle.Forgive], also for within. Those of addresses stay. It
// does not tell whether there is such a user.
func (c *Checker) UnlockUser(username string, within time.Duration) {
	if c.Throttle != nil {
		c.Throttle.Forgive(userAccount(username), within)
	}
}

// UnlockClient forgets the failures of a client_id, from whatever source. Those of the
// users that log in through the client stay, as do those of addresses.
func (c *Checker) UnlockClient(id string, within time.Duration) {
	if c.Throttle == nil {
		return
	}
	c.Throttle.Forgive(clientAccount(id), within)
	// Where the client does not escape its id in the header, its attempts are counted
	// for what the id would be if it did.
	if unescaped, err := url.QueryUnescape(id); err == nil && unescaped != id {
		c.Throttle.Forgive(clientAccount(unescaped), within)
	}
}

// UnlockAddress forgets the failures from an address, whatever the username or
// client_id: see [throttle.Throttle.ForgiveAddress].
func (c *Checker) UnlockAddress(address netip.Addr, within time.Duration) {
	if c.Throttle != nil {
		c.Throttle.ForgiveAddress(address, within)
	}
}

// Waiting counts the usernames, the pairs of a name and a source, and the addresses
// that are refused now because of failures.
func (c *Checker) Waiting() (accounts, pairs, addresses int) {
	if c.Throttle == nil {
		return 0, 0, 0
	}
	return c.Throttle.Waiting()
}
