// Package passwordadvice says which passwords are easy to guess, as NIST SP 800-63B-4
// asks for where a password is chosen. It advises; no login depends on it.
package passwordadvice

import (
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/ccojocar/zxcvbn-go"
)

// MinLength is how many characters a password should have. NIST SP 800-63B-4 §3.1.1.2
// requires 15 where the password is the only factor, as it is here, and never fewer
// than 8.
const MinLength = 15

const leastLength = 8

const (
	remedy = "; four or five words chosen at random are long enough and easy to type"

	errTooShort = "it has fewer than 8 characters, which is never enough; use at least 15 (NIST SP 800-63B-4)" + remedy
	errShort    = "it has fewer than 15 characters, the least where a password is the only factor (NIST SP 800-63B-4)" + remedy
	errCommon   = "it is one of the most common passwords or words, which attackers try first" + remedy
	errPersonal = "it is made of the name of its user or of what belongs to the name" + remedy
	errGuessed  = "it is easy to guess: common passwords, words, names, dates, repeats or neighbouring keys" + remedy
)

// Weak tells whether a password is short or easy to guess, and why, in words that
// complete "the password is weak: ". The inputs are what an attacker knows of its user,
// such as the name and the email address. The reason is one of a fixed set of texts, so
// it never contains the password.
func Weak(password string, inputs ...string) (reason string, weak bool) {
	length := utf8.RuneCountInString(password)
	if length < leastLength {
		return errTooShort, true
	}
	personal := parts(inputs)
	if reason := guessed(beginning(password), personal); reason != "" {
		return reason, true
	}
	if length < MinLength {
		return errShort, true
	}
	return "", false
}

// guessed says why a password is easy to guess, or returns "".
func guessed(password string, personal []string) string {
	strength := zxcvbn.PasswordStrength(password, personal)
	if strength.Score > mostGuessed {
		return ""
	}
	for _, match := range strength.MatchSequence {
		if match.DictionaryName == "user_inputs" {
			return errPersonal
		}
	}
	if len(strength.MatchSequence) == 1 && strength.MatchSequence[0].Pattern == "dictionary" {
		return errCommon
	}
	return errGuessed
}

// mostGuessed is the highest score that counts as easy to guess: up to 10^6 seconds on
// 100 cores, at 10 ms for each guess.
const mostGuessed = 2

// beginning is as much of a password as is looked at: the time grows with the third
// power of the length.
func beginning(password string) string {
	seen := 0
	for at := range password {
		if seen == maxLooked {
			return password[:at]
		}
		seen++
	}
	return password
}

const maxLooked = 64

// parts are the inputs and the words in them, in lower case.
func parts(inputs []string) (all []string) {
	for _, input := range inputs {
		if len(input) > maxInput {
			continue
		}
		input = strings.ToLower(input)
		for _, part := range append(between.Split(input, -1), input) {
			if utf8.RuneCountInString(part) >= leastPart && len(all) < maxParts && !slices.Contains(all, part) {
				all = append(all, part)
			}
		}
	}
	return all
}

const (
	maxInput  = 255
	maxParts  = 100
	leastPart = 3
)

var between = regexp.MustCompile(`[^\pL\pN]+`)
