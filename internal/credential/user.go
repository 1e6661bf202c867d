package credential

import (
	"context"
	"errors"

	"github.com/caddygrant/caddy-grant/directory"
	"github.com/caddygrant/caddy-grant/internal/mac"
	"github.com/caddygrant/caddy-grant/internal/oauth"
	"github.com/caddygrant/caddy-grant/internal/password"
	"github.com/caddygrant/caddy-grant/internal/throttle"
)

// CheckedUser is what a check of a password found.
type CheckedUser struct {
	Found    *directory.User // the user of that name, whatever the result
	Repeated bool            // the password was wrong a moment ago
	Locked   bool            // it was the last wrong password before the account's ceiling
}

// CheckUser checks a username and password. Unknown and disabled users cost the same
// and get the same answer as a wrong password. decoy is the key that gives unknown
// names a hash.
func (c *Checker) CheckUser(ctx context.Context, decoy mac.Key, username, plaintext string, sender Sender) (CheckedUser, error) {
	attempt := throttle.Attempt{
		Account: userAccount(username),
		Source:  sender.Source,
		Secret:  plaintext,
	}
	reserved, err := c.reserveFirst(KindUser, c.Users.IsLive(), attempt)
	if err != nil {
		return CheckedUser{}, err
	}
	asking := paidFor(ctx, reserved)
	user, check, err := c.Users.ForLogin(asking, username, decoy)
	duplicate, isDuplicate := errors.AsType[directory.DuplicateSubject](err)
	if err != nil && !isDuplicate {
		if reserved != nil {
			reserved.Cancel()
		}
		return CheckedUser{}, unavailable(ctx, err)
	}
	checked := CheckedUser{Found: user}
	presented := credential{
		kind: KindUser, name: username, hash: check.Hash, plaintext: plaintext,
		usable: user != nil && !user.Disabled,
		sender: sender, attempt: attempt, reserved: reserved,
	}
	var result outcome
	if check.BySource() {
		result, err = c.ask(ctx, presented, check)
	} else {
		result, err = c.check(asking, presented)
	}
	checked.Repeated, checked.Locked = result.repeated, result.locked
	switch {
	case err != nil:
		return checked, err
	case isDuplicate:
		refusal := oauth.InvalidGrant("duplicate_subject")
		refusal.Remedy = duplicate.Error()
		return checked, refusal
	case user == nil:
		return checked, oauth.InvalidGrant("unknown_user")
	case user.Disabled && (result.Matches || result.repeated): // which reveals no more than that it was refused before
		return checked, oauth.InvalidGrant("user_disabled")
	case !result.Matches:
		return checked, oauth.InvalidGrant("wrong_password")
	}
	return checked, nil
}

// ask is check for a password that its source checks. What the source accepted is
// remembered, what it refused is not.
func (c *Checker) ask(ctx context.Context, presented credential, check directory.Check) (outcome, error) {
	reserved := presented.reserved
	if reserved == nil {
		var err error
		if reserved, err = c.reserveFirst(presented.kind, true, presented.attempt); err != nil {
			return outcome{}, err
		}
	}
	result, err := c.Verifier.VerifyOutside(paidFor(ctx, reserved), password.Outside{
		Under: append([]string{c.Server}, check.Remembered()...), Password: presented.plaintext, Keep: presented.usable,
		Compare: func(ctx context.Context) (bool, error) { return check.Password(ctx, presented.plaintext) },
	})
	if err != nil {
		reserved.Cancel()
		return outcome{}, unavailable(ctx, err)
	}
	c.observe(presented, result)
	return settled(result, presented.usable, reserved)
}
