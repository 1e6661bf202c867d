package main

import (
	"bufio"
	"crypto/rand"
	"crypto/sha512"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"

	"github.com/go-crypt/x/crypt"
	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/bcrypt"
)

// thePassword is that of every user who has a right one.
const thePassword = "correct-horse"

// bcrypted is the hash of a password.
func bcrypted(password string, cost int) string {
	hash, err := bcrypt.GenerateFromPassword([]byte(password), cost)
	if err != nil { // the cost is out of bcrypt's range, or the password too long
		panic(err)
	}
	return string(hash)
}

// argon2ided is the hash of thePassword, with a memory in KiB.
func argon2ided(memory, time uint32) string {
	salt := make([]byte, 16)
	rand.Read(salt) // never fails: it crashes the program instead
	key := argon2.IDKey([]byte(thePassword), salt, time, memory, 1, 32)
	encode := base64.RawStdEncoding.EncodeToString
	return fmt.Sprintf("$argon2id$v=19$m=%d,t=%d,p=1$%s$%s", memory, time, encode(salt), encode(key))
}

// sha512crypted is the hash of thePassword, with the default rounds.
func sha512crypted() string {
	salt := rand.Text()[:16]
	return "$6$" + salt + "$" + string(crypt.KeySHACrypt(sha512.New, []byte(thePassword), []byte(salt), 5000))
}

// theAPR1 is the hash of thePassword, by openssl passwd -apr1: no library that is kept makes one.
const theAPR1 = "$apr1$saltsalt$hFKskmgy0iTNFL.qVaLk.0"

// path is that of something in the directory of the run.
func (b *bench) path(name string) string { return filepath.Join(b.dir, name) }

// writeLines writes a file of that many lines.
func writeLines(path string, n int, line func(i int) string) error {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	defer file.Close()
	w := bufio.NewWriter(file)
	for i := range n {
		w.WriteString(line(i))
		w.WriteByte('\n')
	}
	if err := w.Flush(); err != nil { // of the first error too
		return err
	}
	return file.Close()
}

// writeUsers writes an htpasswd file in which user0, user1 … have the same hash.
func writeUsers(path string, n int, hash string) error {
	return writeLines(path, n, func(i int) string { return fmt.Sprintf("user%d:%s", i, hash) })
}

const (
	// Where passwords are remembered there are this many users, whose hash is the
	// cheapest, since it is made once.
	manyUsers = 1000
	cheapCost = bcrypt.MinCost
)
