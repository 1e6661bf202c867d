package caddygrant

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"strings"

	"github.com/caddygrant/caddy-grant/directory"
	"github.com/caddygrant/caddy-grant/internal/oauth"
	"github.com/caddygrant/caddy-grant/internal/password"
	"github.com/caddygrant/caddy-grant/internal/throttle"
	"github.com/caddygrant/caddy-grant/internal/wire"
)

// This file is the one way of every password and every client secret: count the attempt,
// look whether the same was right a moment ago, take a turn at hashing, compare, and say
// how it ended. What differs between known and unknown names is which hash is compared
// with, never what it costs.

// credential is a password or client secret as a request presents it.
type credential struct {
	kind      string // kindUser or kindClient
	name      string
	hash      password.Hash // of the name, or a decoy
	plaintext string
	usable    bool              // whether a match counts: not for a decoy, nor for who is disabled
	or        *password.Attempt // another reading of what was presented
	attempt   throttle.Attempt  // without its fingerprints
}

// authenticateUser checks the username and password of a request. Unknown and disabled
// users cost the same and get the same answer as a wrong password.
func (s *Server) authenticateUser(ctx context.Context, keys *keySet, req *tokenRequest) (*directory.User, error) {
	username := req.params.Get("username")
	user, err := s.users.ByUsername(ctx, username)
	duplicate, isDuplicate := errors.AsType[directory.DuplicateSubject](err)
	if err != nil && !isDuplicate {
		return nil, oauth.SourceUnavailable(err)
	}
	req.user = user

	var hash password.Hash
	if user != nil {
		if hash, err = password.Parse(user.PasswordHash, s.AllowWeakHashes); err != nil {
			return nil, fmt.Errorf("parsing a password hash that was accepted before: %w", err)
		}
	} else {
		hash = password.Decoy(keys.decoy, "user:"+username, s.users.Hashes()...)
	}
	result, err := s.check(ctx, req, credential{
		kind: kindUser, name: username, hash: hash, plaintext: req.params.Get("password"),
		usable: user != nil && !user.Disabled,
		attempt: throttle.Attempt{
			Account: throttle.Join(kindUser, username),
			Source:  req.source(userSource(req)),
			Secret:  req.params.Get("password"),
		},
	})
	switch {
	case err != nil:
		return nil, err
	case isDuplicate:
		refusal := oauth.InvalidGrant("duplicate_subject")
		refusal.Remedy = duplicate.Error()
		return nil, refusal
	case user == nil:
		return nil, oauth.InvalidGrant("unknown_user")
	case user.Disabled && (result.Matches || req.repeated): // which says no more than that it was refused before
		return nil, oauth.InvalidGrant("user_disabled")
	case !result.Matches:
		return nil, oauth.InvalidGrant("wrong_password")
	}
	return user, nil
}

// userSource is who tries a password. The users of a client that has authenticated may all
// have its address, so that one is not counted: the address of the user is, where the
// client names it, or else the client itself.
func userSource(req *tokenRequest) throttle.Source {
	switch {
	case req.endUserIP.IsValid():
		return throttle.Address(req.endUserIP)
	case req.client.Public:
		return addressOf(req.address)
	}
	return throttle.Party(req.client.ID)
}

// checkClientSecret compares a secret and returns why it is not accepted, or "". Unknown
// clients cost what the known ones do: a header that has two readings is compared with two
// clients, whether there are any. It is one attempt, of the id that RFC 6749 reads in it. A
// client has no ceiling of its own, or a stranger could close it for all its users.
func (s *Server) checkClientSecret(ctx context.Context, keys *keySet, req *tokenRequest, presented wire.PresentedClient) (string, error) {
	id, secret := presented.Readings[0].ID, presented.Readings[0].Secret
	client, err := s.clients.ByID(ctx, id)
	if err != nil {
		return "", oauth.SourceUnavailable(err)
	}
	hash, known := s.clientHash(keys, id, client)
	c := credential{
		kind: kindClient, name: id, hash: hash, plaintext: secret,
		usable: known,
		attempt: throttle.Attempt{
			Account:     throttle.Join(kindClient, id),
			Source:      req.source(addressOf(req.address)),
			Secret:      secret,
			SkipAccount: true,
		},
	}
	var orClient *directory.Client
	if len(presented.All()) == 2 {
		or := presented.Readings[1]
		if orClient, err = s.clients.ByID(ctx, or.ID); err != nil {
			return "", oauth.SourceUnavailable(err)
		}
		orHash, orKnown := s.clientHash(keys, or.ID, orClient)
		c.or = &password.Attempt{Kind: kindClient, Name: or.ID, Hash: orHash, Password: or.Secret, Keep: orKnown}
		c.usable = known || orKnown // of two readings a decoy's matches nothing
		c.attempt.Secret = throttle.Join(secret, or.ID, or.Secret)
	}
	result, err := s.check(ctx, req, c)
	if result.Or || client == nil {
		client = orClient
	}
	switch {
	case err != nil:
		return "", err
	case client == nil:
		return "unknown_client", nil
	case result.Matches:
		req.client = client
		return "", nil
	case client.Public:
		return "public_client_with_secret", nil
	}
	return "wrong_client_secret", nil
}

// clientHash is what a secret is compared with for an id: the hash of the client with that
// id, or a decoy where it has none.
func (s *Server) clientHash(keys *keySet, id string, client *directory.Client) (hash password.Hash, known bool) {
	if client != nil && !client.Public {
		return client.CheckHash(), true
	}
	return password.Decoy(keys.decoy, "client:"+id, s.clients.Hashes()...), false
}

// check says whether a credential matches, unless there were too many failures before or
// too many are being checked. What was wrong a moment ago is wrong, and neither counted nor
// hashed again.
func (s *Server) check(ctx context.Context, req *tokenRequest, c credential) (password.Result, error) {
	attempt := password.Attempt{Kind: c.kind, Name: c.name, Hash: c.hash, Password: c.plaintext, Keep: c.usable, Or: c.or}
	var result password.Result
	settlement, refused := s.throttle.settle(c.attempt, func() (o throttle.Outcome) {
		result, o.Known = s.verifier.AtOnce(attempt)
		if o.Right = result.Matches && c.usable; !o.Right {
			o.Fingerprint, o.Also = s.fingerprints(attempt)
		}
		return o
	})
	switch {
	case settlement == throttle.Settled:
		observeCheck(c, result)
		return result, refused.OrNil()
	case settlement == throttle.Repeated:
		return password.Result{}, repeated(req, c, refused)
	case refused != nil:
		passwordChecks.WithLabelValues(c.kind, checkThrottled).Inc()
		return password.Result{}, refused
	}
	return s.hash(ctx, req, c, attempt)
}

// hash is check for what has to be hashed, which others may be waiting for: the attempt is
// counted as long as that takes.
func (s *Server) hash(ctx context.Context, req *tokenRequest, c credential, attempt password.Attempt) (password.Result, error) {
	c.attempt.Fingerprint, c.attempt.Also = s.fingerprints(attempt)
	reserved, refused := s.throttle.reserve(c.attempt)
	if refused != nil {
		passwordChecks.WithLabelValues(c.kind, checkThrottled).Inc()
		return password.Result{}, refused
	}
	if reserved.Repeated() { // an equal one has ended since check looked
		return password.Result{}, repeated(req, c, answerAsStranger(reserved.AsStranger()))
	}
	attempt.Key, attempt.First = req.network(), reserved.KnownGood()
	result, err := s.verifier.Verify(ctx, attempt)
	if err != nil {
		reserved.Cancel()
		return password.Result{}, checkFailed(ctx, c, err)
	}
	observeCheck(c, result)
	if result.Matches && c.usable {
		reserved.Succeed()
		return result, nil
	}
	reserved.Fail()
	return result, answerAsStranger(reserved.AsStranger()).OrNil()
}

// fingerprints are that of an attempt and, where it has two readings, that of the first one
// alone: where both are wrong, so is the one, which some libraries send next in the body.
func (s *Server) fingerprints(attempt password.Attempt) (whole, first throttle.Fingerprint) {
	whole = s.verifier.Fingerprint(attempt)
	if attempt.Or != nil {
		attempt.Or = nil
		first = s.verifier.Fingerprint(attempt)
	}
	return whole, first
}

// repeated is for a credential that was wrong a moment ago.
func repeated(req *tokenRequest, c credential, refused *oauth.Error) error {
	passwordChecks.WithLabelValues(c.kind, checkRepeated).Inc()
	req.repeated = true
	return refused.OrNil()
}

// checkFailed says why there is no result.
func checkFailed(ctx context.Context, c credential, err error) error {
	switch {
	case errors.Is(err, password.ErrBusy):
		passwordChecks.WithLabelValues(c.kind, checkShed).Inc()
		return oauth.Busy()
	case ctx.Err() != nil:
		passwordChecks.WithLabelValues(c.kind, checkGone).Inc()
		return oauth.Gone()
	}
	return err
}

// endUserIP is the address that a client names as its user's, if it may and does.
func endUserIP(c *directory.Client, header http.Header) netip.Addr {
	values := header.Values(c.EndUserIP)
	if c.EndUserIP == "" || len(values) != 1 {
		return netip.Addr{}
	}
	ip, _ := netip.ParseAddr(strings.TrimSpace(values[0]))
	return ip.Unmap().WithZone("")
}

// hashMemory is the most memory that one comparison takes, in bytes.
func (s *Server) hashMemory() uint64 {
	return max(s.users.HashMemory(), s.clients.HashMemory())
}

const (
	kindUser   = "user"
	kindClient = "client"
)
