// Command hash is what limits a cold login: it makes one password hash after the other
// and prints how many there were a second. It is a separate process, so that it can be
// given the core that a server has, including its garbage collector.
//
//	hash <duration> bcrypt <cost>
//	hash <duration> argon2id <KiB> <time>
package main

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/bcrypt"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "hash:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) < 3 {
		return errors.New("usage: hash <duration> bcrypt <cost> | hash <duration> argon2id <KiB> <time>")
	}
	duration, err := time.ParseDuration(args[0])
	if err != nil {
		return err
	}
	hash, err := hashOf(args[1], args[2:])
	if err != nil {
		return err
	}
	begun := time.Now()
	for n := 1; ; n++ {
		if err := hash(); err != nil {
			return err
		}
		if elapsed := time.Since(begun); elapsed >= duration {
			_, err := fmt.Println(float64(n) / elapsed.Seconds())
			return err
		}
	}
}

func hashOf(scheme string, params []string) (func() error, error) {
	var numbers []int
	for _, param := range params {
		number, err := strconv.Atoi(param)
		if err != nil {
			return nil, err
		}
		numbers = append(numbers, number)
	}
	password := []byte("correct-horse")
	switch {
	case scheme == "bcrypt" && len(numbers) == 1:
		hash, err := bcrypt.GenerateFromPassword(password, numbers[0])
		return func() error { return bcrypt.CompareHashAndPassword(hash, password) }, err
	case scheme == "argon2id" && len(numbers) == 2:
		return func() error {
			argon2.IDKey(password, make([]byte, 16), uint32(numbers[1]), uint32(numbers[0]), 1, 32)
			return nil
		}, nil
	}
	return nil, fmt.Errorf("unknown scheme %s with %d numbers", scheme, len(numbers))
}
