package password

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/go-crypt/x/crypt"
	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/bcrypt"
)

// MakeArgon2id hashes a password with the parameters of Caddy's hash-password.
func MakeArgon2id(password string) (string, error) {
	if err := checkNew(Argon2id, password); err != nil {
		return "", err
	}
	p := caddyDefault
	salt := make([]byte, 16)
	_, _ = rand.Read(salt) // it never fails
	key := argon2.IDKey([]byte(password), salt, p.cost, p.memory, p.threads, 32)
	encode := base64.RawStdEncoding.EncodeToString
	return fmt.Sprintf("$argon2id$v=19$m=%d,t=%d,p=%d$%s$%s", p.memory, p.cost, p.threads, encode(salt), encode(key)), nil
}

// MakeBcrypt hashes a password at a cost from 10 to 16.
func MakeBcrypt(password string, cost int) (string, error) {
	if cost < adviseBcryptCost || cost > bcryptMaxCost {
		return "", fmt.Errorf("the cost of bcrypt must be from %d to %d", adviseBcryptCost, bcryptMaxCost)
	}
	if err := checkNew(Bcrypt, password); err != nil {
		return "", err
	}
	hash, err := bcrypt.GenerateFromPassword([]byte(password), cost)
	return string(hash), err
}

// MakeSHA256Crypt hashes a secret that is long and random, which a hash need not make
// slow to guess.
func MakeSHA256Crypt(secret string) (string, error) {
	if err := checkNew(SHA256Crypt, secret); err != nil {
		return "", err
	}
	salt := rand.Text()[:shaMaxSalt]
	return prefixSHA256 + salt + "$" + string(crypt.KeySHACrypt(sha256.New, []byte(secret), []byte(salt), shaDefaultRounds)), nil
}

// checkNew refuses a password that would match nothing.
func checkNew(scheme Scheme, password string) error {
	switch {
	case password == "":
		return errors.New("the password is empty")
	case strings.IndexByte(password, 0) >= 0:
		return errors.New("the password has a NUL character in it")
	case !utf8.ValidString(password): // the form of a login must be
		return errors.New("the password is not UTF-8 text, and no login can send it")
	case len(password) > scheme.maxLength():
		return fmt.Errorf("the password has %d bytes, and the maximum with %s is %d", len(password), scheme, scheme.maxLength())
	}
	return nil
}
