package credential

import (
	"context"
	"errors"
	"fmt"

	"github.com/caddygrant/caddy-grant/directory"
	"github.com/caddygrant/caddy-grant/internal/mac"
	"github.com/caddygrant/caddy-grant/internal/oauth"
	"github.com/caddygrant/caddy-grant/internal/password"
	"github.com/caddygrant/caddy-grant/internal/throttle"
)

// User is what a check of a password found.
type User struct {
	Found    *directory.User // the user of that name, whatever becomes of the check
	Repeated bool            // the password was wrong a moment ago
}

// CheckUser checks a username and password. Unknown and disabled users cost the same and get
// the same answer as a wrong password. decoy is the key by which unknown names get a hash.
func (c *Checker) CheckUser(ctx context.Context, decoy mac.Key, username, plaintext string, sender Sender) (User, error) {
	user, err := c.Users.ByUsername(ctx, username)
	duplicate, isDuplicate := errors.AsType[directory.DuplicateSubject](err)
	if err != nil && !isDuplicate {
		return User{}, oauth.SourceUnavailable(err)
	}
	checked := User{Found: user}

	var hash password.Hash
	if user != nil {
		if hash, err = password.Parse(user.PasswordHash, c.AllowWeakHashes); err != nil {
			return checked, fmt.Errorf("parsing a password hash that was accepted before: %w", err)
		}
	} else {
		hash = password.Decoy(decoy, "user:"+username, c.Users.Hashes()...)
	}
	result, err := c.check(ctx, credential{
		kind: KindUser, name: username, hash: hash, plaintext: plaintext,
		usable: user != nil && !user.Disabled,
		sender: sender,
		attempt: throttle.Attempt{
			Account: throttle.Join(KindUser, username),
			Source:  sender.Source,
			Secret:  plaintext,
		},
	})
	checked.Repeated = result.repeated
	switch {
	case err != nil:
		return checked, err
	case isDuplicate:
		refusal := oauth.InvalidGrant("duplicate_subject")
		refusal.Remedy = duplicate.Error()
		return checked, refusal
	case user == nil:
		return checked, oauth.InvalidGrant("unknown_user")
	case user.Disabled && (result.Matches || result.repeated): // which says no more than that it was refused before
		return checked, oauth.InvalidGrant("user_disabled")
	case !result.Matches:
		return checked, oauth.InvalidGrant("wrong_password")
	}
	return checked, nil
}
