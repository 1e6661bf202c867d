package caddygrant

import (
	"context"
	"errors"
	"fmt"
	"net/netip"

	"github.com/caddygrant/caddy-grant/internal/password"
)

// This file is the one way of every password and every client secret: take a turn at the
// hashing gate, then compare. What differs between known and unknown names is which hash
// is compared with, never what it costs.

// authenticateUser checks the username and password of a request. Unknown and disabled
// users cost the same and get the same answer as a wrong password.
func (s *Server) authenticateUser(ctx context.Context, keys *keySet, req *tokenRequest) (*User, error) {
	username := req.params["username"]
	user, duplicate := s.users.byUsername(username)
	req.user = user

	var hash password.Hash
	if user != nil {
		var err error
		if hash, err = password.Parse(user.PasswordHash, s.AllowWeakHashes); err != nil {
			return nil, fmt.Errorf("parsing a password hash that was accepted before: %w", err)
		}
	} else {
		hash = password.Decoy(keys.decoy, "user:"+username, s.users.hashes()...)
	}
	matches, busy := s.compare(ctx, req.address, hash, req.params["password"])
	switch {
	case busy != nil:
		return nil, busy
	case duplicate != nil:
		refusal := errInvalidGrant("duplicate_subject")
		refusal.remedy = duplicate.Error()
		return nil, refusal
	case user == nil:
		return nil, errInvalidGrant("unknown_user")
	case !matches:
		return nil, errInvalidGrant("wrong_password")
	case user.Disabled:
		return nil, errInvalidGrant("user_disabled")
	}
	return user, nil
}

// checkClientSecret compares a secret and returns why it is not accepted, or "". Unknown
// clients cost what the known ones do.
func (s *Server) checkClientSecret(ctx context.Context, keys *keySet, address, id string, client *Client, secret string) (string, error) {
	known := client != nil && !client.Public
	var hash password.Hash
	if known {
		hash = client.hash
	} else {
		hash = password.Decoy(keys.decoy, "client:"+id, s.clients.hashes()...)
	}
	matches, err := s.compare(ctx, address, hash, secret)
	switch {
	case err != nil:
		return "", err
	case client == nil:
		return "unknown_client", nil
	case client.Public:
		return "public_client_with_secret", nil
	case !matches:
		return "wrong_client_secret", nil
	}
	return "", nil
}

// compare waits for a turn, if the hash needs one, and compares.
func (s *Server) compare(ctx context.Context, address string, hash password.Hash, plaintext string) (bool, error) {
	if !hash.Params().Cheap() {
		release, err := s.gate.Acquire(ctx, network(address))
		if errors.Is(err, password.ErrBusy) {
			return false, errBusy()
		}
		if err != nil {
			return false, errGone()
		}
		defer release()
	}
	return hash.Matches(plaintext), nil
}

// network is whose turn it is at the gate: an IPv4 address, or the /64 of an IPv6 address,
// within which a host can have as many addresses as it likes.
func network(address string) string {
	ip, err := netip.ParseAddr(address)
	if err != nil || ip.Unmap().Is4() {
		return address
	}
	prefix, err := ip.WithZone("").Prefix(64)
	if err != nil {
		return address
	}
	return prefix.String()
}

// hashMemory is the most memory that one comparison takes, in bytes.
func (s *Server) hashMemory() uint64 {
	var most uint64
	for _, mix := range append(s.users.hashes(), s.clients.hashes()...) {
		for params := range mix.All() {
			most = max(most, params.Memory())
		}
	}
	return most
}

// secretDigestKey is the key under which plaintext client secrets are compared. It is new
// in every process, so the digests in its memory are of no use elsewhere.
var secretDigestKey = randomBytes(32)
