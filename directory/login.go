package directory

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
	"strings"

	"github.com/caddygrant/caddy-grant/internal/mac"
	"github.com/caddygrant/caddy-grant/internal/password"
)

// Check is what the password of a name is checked with: a hash, or the source itself.
// For an unknown name it takes as long and never matches.
type Check struct {
	// Hash is compared with, unless BySource.
	Hash password.Hash

	source *userSource // that checks; nil where Hash is compared
	user   *User       // nil for an unknown name
}

// BySource tells whether the source checks the password: see Password and Remembered.
func (c Check) BySource() bool { return c.source != nil }

// Remembered is what an accepted password is remembered under, along with the server
// and the password itself: the source, the subject and the credential version. It is
// nil for an unknown name, of which nothing is accepted.
func (c Check) Remembered() []string {
	if c.user == nil {
		return nil
	}
	return []string{c.source.identity, c.user.Subject(), c.user.CredentialVersion}
}

// Password asks the source whether that is the password. An error says that it cannot
// tell. What no hash would match is never asked, for any user: a bind without a
// password succeeds (RFC 4513 §5.1.2).
func (c Check) Password(ctx context.Context, plaintext string) (bool, error) {
	if plaintext == "" || len(plaintext) > password.MaxLength || strings.IndexByte(plaintext, 0) >= 0 {
		return false, nil
	}
	var user *User
	if c.user != nil {
		user = c.user.clone() // whatever the source does to it reaches no token
	}
	right, err := call(ctx, c.source.checks, func(ctx context.Context) (bool, error) {
		return c.source.checker.CheckPassword(ctx, user, plaintext)
	})
	return right && c.user != nil && err == nil, err
}

// ForLogin returns the user of a name that was typed, or nil, and what the password is
// checked with in either case. The key is for decoys, see [password.Decoy]. The error
// is a DuplicateSubject, with a Check as for an unknown name, or says that a source
// cannot tell.
func (d *UserDirectory) ForLogin(ctx context.Context, username string, decoys mac.Key) (*User, Check, error) {
	user, source, err := d.login(ctx, username)
	if _, clash := errors.AsType[DuplicateSubject](err); err != nil && !clash {
		return nil, Check{}, err
	}
	if user == nil {
		return nil, d.decoy(username, decoys), err
	}
	if user.PasswordHash == "" {
		if source.checker == nil {
			return nil, Check{}, fmt.Errorf("%s: user %s: %w", source.name, Shown(user.Username), errUnchecked)
		}
		return user, Check{source: source, user: user}, nil
	}
	hash, err := password.Parse(user.PasswordHash, d.settings.AllowWeakHashes)
	if err != nil {
		return nil, Check{}, fmt.Errorf("parsing a password hash that was accepted before: %w", err)
	}
	return user, Check{Hash: hash}, nil
}

// decoy draws what the password of an unknown name is checked with, in the proportions
// of the users that there are.
func (d *UserDirectory) decoy(username string, key mac.Key) Check {
	mixes := d.Hashes()
	if own, hashed := d.weigh(mixes); own != nil {
		total := hashed
		for _, n := range own {
			total += n
		}
		drawn := key.Append(nil, []byte("caddy-grant source of a decoy\x00"), []byte(username))
		at, _ := bits.Mul64(binary.BigEndian.Uint64(drawn), uint64(total))
		for i, source := range d.sources {
			n := uint64(own[i])
			if at < n {
				return Check{source: source}
			}
			at -= n
		}
	}
	return Check{Hash: password.Decoy(key, "user:"+username, mixes...)}
}

// login finds the user of a name and the source that has it. All sources that have to
// be asked are asked at the same time, twice: for the name, and for the subject of the
// user, which may belong to another. For an unknown name the name stands for the
// subject, and so it takes as long.
func (d *UserDirectory) login(ctx context.Context, username string) (*User, *userSource, error) {
	if !d.live {
		return d.fromMemory(username)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // what is still under way is not waited for
	names := askAll(ctx, d.sources, func(ctx context.Context, s *userSource) (*User, error) { return s.loginName(ctx, username) })
	found, user, err := firstOf(ctx, names)
	if err != nil {
		return nil, nil, err
	}
	subject := username
	if user != nil {
		subject = user.Subject()
	}
	subjects := askAll(ctx, d.sources, func(ctx context.Context, s *userSource) (*User, error) { return s.loginSubject(ctx, subject) })
	owner, other, err := firstOf(ctx, subjects)
	switch {
	case err != nil && owner <= found: // or there is no user
		return nil, nil, err
	case user == nil:
		return nil, nil, nil
	case other == nil || owner > found:
		return nil, nil, fmt.Errorf("%s: user %s: %w", d.sources[found].name, Shown(user.Username), errNoSubject)
	case other.Username != user.Username:
		err := duplicate(user, d.sources[found], d.sources[owner])
		d.logClash(err)
		return nil, nil, err
	}
	return other, d.sources[owner], nil
}

// fromMemory is login where no source has to be asked.
func (d *UserDirectory) fromMemory(username string) (*User, *userSource, error) {
	for i, source := range d.sources {
		set, err := source.snapshot()
		if err != nil {
			return nil, nil, err
		}
		user := set.byUsername[username]
		if user == nil {
			continue
		}
		for _, owner := range d.sources[:i] {
			set, err := owner.snapshot()
			if err != nil {
				return nil, nil, err
			}
			if set.withSubject(user.Subject()) != nil {
				return nil, nil, duplicate(user, source, owner)
			}
		}
		return user, source, nil
	}
	return nil, nil, nil
}

var errNoSubject = errors.New("its source has the user by name, but not by subject")
