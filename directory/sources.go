// Package directory says who exists: users, clients, and the sources that know them.
package directory

import (
	"iter"

	"github.com/caddygrant/caddy-grant/internal/oauth"
	"github.com/caddygrant/caddy-grant/internal/password"
)

// UserSource is a guest module in the namespace grant.users: it knows users and never
// changes one that it has handed out. Look-ups are called at every request and from
// many goroutines; they must be quick and must not block.
type UserSource interface {
	// Open gets the source ready. It is called once, before all else.
	Open(SourceOptions) error

	// ByUsername returns the user of that name, or nil.
	ByUsername(username string) *User

	// BySubject returns the user with that subject, or nil.
	BySubject(subject string) *User

	// All goes through all users in a stable order.
	All() iter.Seq[*User]

	// Hashes counts the users by what checking their passwords costs.
	Hashes() *password.Mix

	// String names the source for errors and logs.
	String() string
}

// SourceOptions is what a server asks of its sources.
type SourceOptions struct {
	// Accept unsalted and fast hashes.
	AllowWeakHashes bool

	// The grant types that a client may list.
	GrantTypes []string
}

// ClientSource is a guest module in the namespace grant.clients: it knows clients and
// never changes one that it has handed out. Look-ups are called at every request and
// from many goroutines; they must be quick and must not block.
type ClientSource interface {
	// Open gets the source ready. It is called once, before all else.
	Open(SourceOptions) error

	// ByID returns the client with that id, or nil.
	ByID(id string) *Client

	// All goes through all clients in a stable order.
	All() iter.Seq[*Client]

	// Hashes counts the confidential clients by what checking their secrets costs.
	Hashes() *password.Mix

	// String names the source for errors and logs.
	String() string
}

// validateGrantTypes checks a list of grant types. An empty one means none.
func (o SourceOptions) validateGrantTypes(grants []string) error {
	return oauth.ValidateGrantTypes(grants, o.GrantTypes)
}
