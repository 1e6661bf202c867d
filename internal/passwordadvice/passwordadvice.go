// Package passwordadvice says which passwords are easy to guess, as NIST SP 800-63B-4
// asks for where a password is chosen. It advises; no login depends on it.
package passwordadvice

import (
	"strings"
	"unicode/utf8"
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
	errCommon   = "it is one of the most common passwords, or one of them with digits or signs added, which attackers try first" + remedy
	errPersonal = "it is made of the name of its user or of what belongs to the name" + remedy
	errGuessed  = "it is easy to guess: common passwords, names, dates, repeats or neighbouring keys" + remedy
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
	if reason := guessed(strings.ToLower(beginning(password)), parts(inputs)); reason != "" {
		return reason, true
	}
	if length < MinLength {
		return errShort, true
	}
	return "", false
}

// guessed says why a password in lower case is easy to guess, or returns "". What
// attackers expect is taken out of it, and fewer than 8 other characters are never
// enough, as for a whole password. NIST wants only whole passwords to be refused for
// being in a list; here there is only a warning, so it looks inside them.
func guessed(password string, personal []string) string {
	all := unrepeated(password)
	unnamed := withoutParts(all, personal)
	undated := withoutDates(unnamed)
	switch {
	case unnamed != all && !enough(withoutRuns(undated)):
		return errPersonal
	case enough(withoutRuns(withoutCommon(undated))): // in this order: liberty has "erty"
		return ""
	case isCommon(strings.TrimFunc(all, isAffix)):
		return errCommon
	default:
		return errGuessed
	}
}

// gap is left where something was taken out, so that its neighbours are not read as one.
const gap = "\x00"

func enough(rest string) bool {
	return utf8.RuneCountInString(strings.ReplaceAll(rest, gap, "")) >= leastLength
}

// beginning is as much of a password as is looked at: the time grows with the square of
// the length.
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
