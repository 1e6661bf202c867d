package useredit

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/caddygrant/caddy-grant/directory"
	"github.com/caddygrant/caddy-grant/internal/oauth"
	"github.com/caddygrant/caddy-grant/internal/userfile"
)

// FormatOf tells the format of a file by its content, or by its name if there is none.
func FormatOf(path string, data []byte) Format {
	err := userfile.Htpasswd(data, func(int, string, string) error { return nil })
	switch {
	case errors.Is(err, userfile.ErrJSON):
		return JSON
	case errors.Is(err, userfile.ErrEmpty) && strings.EqualFold(filepath.Ext(path), ".json"):
		return JSON
	}
	return Htpasswd
}

// options are the most that a server can allow: whether it does is said in its config.
var options = directory.Options{
	AllowWeakHashes: true,
	GrantTypes:      []string{oauth.GrantTypePassword, oauth.GrantTypeRefreshToken, oauth.GrantTypeClientCredentials},
}

var errPlainSecret = errors.New("secret: secrets in plaintext are not accepted in a file")

// Check reads a file as the server does.
func Check(data []byte, format Format, list List) error {
	if list == Keys {
		_, err := ReadKeys(data, format)
		return err
	}
	users, clients := directory.NewUserSet(options), directory.NewClientSet(options)
	switch {
	case format == JSON && list == Users:
		return userfile.List(data, string(list), func(u *directory.User) string { return u.Username }, func(line int, u *directory.User) error { return users.Add(u, line) })
	case format == JSON:
		return userfile.List(data, string(list), func(c *directory.Client) string { return c.ID }, func(line int, c *directory.Client) error {
			if c.Secret != "" {
				return errPlainSecret
			}
			return clients.Add(c, line)
		})
	case list == Users:
		return userfile.Htpasswd(data, func(line int, name, hash string) error {
			return users.Add(&directory.User{Username: name, PasswordHash: hash}, line)
		})
	}
	return userfile.Htpasswd(data, func(line int, id, hash string) error {
		return clients.Add(&directory.Client{ID: id, SecretHash: hash}, line)
	})
}

// EntryError is an error of a new entry, whatever the file is.
type EntryError struct{ error }

// checkEntry finds what is wrong with a new entry alone, in a file that has only this one.
func checkEntry(list List, name, hash string, members []Member) error {
	if len(members) == 0 {
		return nil // the name is checked already, and what the format can have depends on it
	}
	alone, err := parseJSON(nil, list)
	if err != nil {
		return err
	}
	if err := alone.add(name, hash, members); err != nil {
		return err
	}
	var problems *userfile.Problems
	if err := Check(alone.bytes(), JSON, list); !errors.As(err, &problems) {
		return err
	}
	return EntryError{fmt.Errorf("%s %s: %w", list.one(), directory.Shown(name), errors.Unwrap(problems.Unwrap()[0]))}
}

// checkName refuses what cannot be a name, before there is a hash.
func checkName(name string, list List) error {
	if list == Clients {
		return (&directory.Client{ID: name, Public: true}).Validate(options)
	}
	return (&directory.User{Username: name, CredentialVersion: "-"}).Validate()
}
