package directory

import (
	"context"
	"iter"
)

// Clients is a source of clients: a Caddy module in the namespace grant.clients. All
// that [Users] says of results, errors, calls, contexts and names holds here as well,
// and so do the optional [Opener] and [Hashed].
//
// Who calls: every request at the token endpoint and at those for revocation and
// introspection, for an id that a stranger may have sent; and each request with an
// access token, as often as [Users.BySubject], for the id of the client that it was
// issued to.
//
// Look-ups of clients that were found before have 100 places of their own, which no
// stranger can hold by making up ids. Of these at most 4 are for one client: requests
// that come while there are 4 share the next look-up.
//
// A client has a Secret, a SecretHash or neither and is Public. It must never be
// changed once it was returned.
type Clients interface {
	// ByID returns the client with that id, byte for byte. nil and nil: there is no
	// such client; an error: the source cannot tell, which is answered with 503.
	ByID(ctx context.Context, id string) (*Client, error)
}

// ClientLister is a source that can go through its clients, as a [Lister] can through
// its users. Without it a generated key may be dropped before the last token that it
// signed for a client with a long access_token_ttl has expired.
type ClientLister interface {
	// All goes through all clients in any order. It is called when a config is loaded
	// and ends early when the context ends. An error ends it half way;
	// [errors.ErrUnsupported] says that this source cannot list.
	All(ctx context.Context) iter.Seq2[*Client, error]
}

// ClientSnapshot is a source that has all its clients in memory, such as one that reads
// a file. A [ClientSet] that is embedded is one.
type ClientSnapshot interface {
	Clients

	// Snapshot returns the current clients. It is called at every look-up and must be
	// as quick as reading a pointer. A set that was returned must not be added to.
	Snapshot() *ClientSet
}
