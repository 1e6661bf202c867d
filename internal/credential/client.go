package credential

import (
	"cmp"
	"context"

	"github.com/caddygrant/caddy-grant/directory"
	"github.com/caddygrant/caddy-grant/internal/mac"
	"github.com/caddygrant/caddy-grant/internal/password"
	"github.com/caddygrant/caddy-grant/internal/throttle"
)

// ClientSecret is an id with a secret, as a request presents them.
type ClientSecret struct{ ID, Secret string }

// CheckedClient is what a check of a client secret found.
type CheckedClient struct {
	Accepted *directory.Client // nil if the secret is not accepted
	Found    *directory.Client // the client of that id, whatever the result
	Reason   string            // why it is not accepted, for the log
	Repeated bool              // the secret was wrong a moment ago
}

// CheckClient compares a secret, which a request may present in one reading or in two.
// Unknown clients cost the same as known ones: two readings are compared with two
// clients, whether these exist or not. It is one attempt, for the id of the first
// reading. A client has no ceiling of its own, or a stranger could lock out all its
// users.
func (c *Checker) CheckClient(ctx context.Context, decoy mac.Key, first ClientSecret, or *ClientSecret, sender Sender) (CheckedClient, error) {
	attempt := throttle.Attempt{
		Account:     clientAccount(first.ID),
		Source:      sender.Source,
		Secret:      first.Secret,
		SkipAccount: true,
	}
	if or != nil {
		attempt.Secret = throttle.Join(first.Secret, or.ID, or.Secret)
	}
	reserved, err := c.reserveFirst(KindClient, c.Clients.IsLive(), attempt)
	if err != nil {
		return CheckedClient{}, err
	}
	asking := paidFor(ctx, reserved)
	client, orClient, err := c.clientsOf(asking, first, or)
	if err != nil {
		if reserved != nil {
			reserved.Cancel()
		}
		return CheckedClient{}, unavailable(ctx, err)
	}
	hash, known := c.clientHash(decoy, first.ID, client)
	presented := credential{
		kind: KindClient, name: first.ID, hash: hash, plaintext: first.Secret,
		usable: known,
		sender: sender, attempt: attempt, reserved: reserved,
	}
	if or != nil {
		orHash, orKnown := c.clientHash(decoy, or.ID, orClient)
		presented.or = &password.Attempt{Kind: KindClient, Name: or.ID, Hash: orHash, Password: or.Secret, Keep: orKnown}
		presented.usable = known || orKnown // a reading that is compared with a decoy never matches
	}
	checked := CheckedClient{Found: cmp.Or(client, orClient)}
	result, err := c.check(asking, presented)
	if result.Or || client == nil {
		client = orClient
	}
	checked.Repeated = result.repeated
	switch {
	case err != nil:
		return checked, err
	case client == nil:
		checked.Reason = "unknown_client"
	case result.Matches:
		checked.Accepted = client
	case client.Public:
		checked.Reason = "public_client_with_secret"
	default:
		checked.Reason = "wrong_client_secret"
	}
	return checked, nil
}

// clientsOf looks up the client of each reading.
func (c *Checker) clientsOf(ctx context.Context, first ClientSecret, or *ClientSecret) (client, orClient *directory.Client, err error) {
	if client, err = c.Clients.ByID(ctx, first.ID); err == nil && or != nil {
		orClient, err = c.Clients.ByID(ctx, or.ID)
	}
	return client, orClient, err
}

// clientHash is what a secret is compared with for an id: the hash of the client with
// that id, or a decoy if there is none.
func (c *Checker) clientHash(decoy mac.Key, id string, client *directory.Client) (hash password.Hash, known bool) {
	if client != nil && !client.Public {
		return client.CheckHash(), true
	}
	return password.Decoy(decoy, "client:"+id, c.Clients.Hashes()...), false
}
