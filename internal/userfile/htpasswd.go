// Package userfile holds the strict parsers of the files that name users, clients and
// API keys: Apache's htpasswd format ([Htpasswd]), a JSON list ([List]), and one entry
// a line in a format of the caller's ([Records]).
//
// All read a whole file that is already in memory, hand each entry to the caller as
// they find it, go on after a bad entry and report all errors at once ([Problems]).
// None keeps an index of names: the caller has one, so it returns [ErrDuplicate] and
// the parser finds where the name was first.
//
// No error contains a hash, a piece of one, or the text of a line that could not be
// split, which may be a password.
package userfile

import (
	"bytes"
	"errors"
	"fmt"
	"iter"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Bounds of an htpasswd file, in bytes.
const (
	maxLine = 4096
	maxName = 255
)

// ErrEmpty is returned by [Htpasswd] for a file without any entry: it is empty, or has
// only white space and comments.
var ErrEmpty = errors.New(`no entries in it; add one with "caddy grant user add", or with "caddy grant client add" in a file of clients`)

var (
	errNoColon  = errors.New(`no colon in it; a line is name:hash`)
	errLongLine = fmt.Errorf("longer than %d bytes; a line is name:hash", maxLine)
	errNoName   = errors.New("no name before the colon")
	errLongName = fmt.Errorf("the name is longer than %d bytes", maxName)
	errNameUTF8 = errors.New("the name is not valid UTF-8; save the file as UTF-8")
	errControl  = errors.New("the name has a control character in it; remove it")
	errNoHash   = errors.New("no hash after the colon; set one with: htpasswd -B -C 12 <file> <name>")
	errHtdigest = errors.New("it looks like a line of htdigest, name:realm:MD5, whose hashes depend on the realm and are guessed almost at once; set a password with: htpasswd -B -C 12 <file> <name>")
	errSamba    = errors.New("it looks like a line of smbpasswd, whose NT hashes are guessed almost at once; set a password with: htpasswd -B -C 12 <file> <name>")
	errUTF16    = errors.New("it is UTF-16; save it as UTF-8")
)

// Htpasswd reads Apache's format, one name:hash a line, and calls each for every entry
// with the number of its line, in order. Names are 1 to 255 bytes of UTF-8 without
// control characters; hashes are not empty and not judged here. Name and hash are
// substrings of one copy of data, which lives as long as any of them.
//
// As in Apache, blank lines and lines that start with # are ignored, and so is white
// space around a line; as in nginx, a second colon starts a comment. A byte order mark
// and CRLF line ends are accepted.
//
// each returns [ErrDuplicate] for a name it already has. Its errors and those of the
// lines themselves are collected in a [*Problems]. A file without an entry is
// [ErrEmpty], one in another format [ErrJSON] or [ErrYAML].
func Htpasswd(data []byte, each func(line int, name, hash string) error) error {
	text, err := htpasswdText(data)
	if err != nil {
		return err
	}
	var problems Problems
	empty := true
	for number, line := range lines(text) {
		empty = false
		name, hash, err := split(line)
		if err == nil {
			err = each(number, name, hash)
		}
		if err != nil {
			problems.add(place{line: number}, name, err)
		}
	}
	if empty {
		return ErrEmpty
	}

	problems.locate(func(found func(string, place)) {
		for number, line := range lines(text) {
			if name, _, err := split(line); err == nil {
				found(name, place{line: number})
			}
		}
	})
	return problems.err()
}

// HtpasswdLines reads the same format for a caller that has something to say about every
// line: visit gets each entry, or what is wrong with its line. The name comes with an
// error only where it certainly is a name.
func HtpasswdLines(data []byte, visit func(line int, name, hash string, err error)) error {
	text, err := htpasswdText(data)
	if err != nil {
		return err
	}
	empty := true
	for number, line := range lines(text) {
		empty = false
		name, hash, err := split(line)
		visit(number, name, hash, err)
	}
	if empty {
		return ErrEmpty
	}
	return nil
}

// htpasswdText is the text of a file that is not clearly of another format.
func htpasswdText(data []byte) (string, error) {
	data, err := unmark(data)
	if err != nil {
		return "", err
	}
	if err := notHtpasswd(data); err != nil {
		return "", err
	}
	return string(data), nil
}

// Lines yields the number and text of every line of a file that is neither blank nor a
// comment, without the blanks around it. A byte order mark and CRLF line ends are
// accepted.
func Lines(data []byte) (iter.Seq2[int, string], error) {
	data, err := unmark(data)
	if err != nil {
		return nil, err
	}
	return lines(string(data)), nil
}

// Unmark drops a byte order mark. UTF-16 is an error that says so.
func Unmark(data []byte) ([]byte, error) { return unmark(data) }

// lines yields the number and text of every line that should hold an entry.
func lines(text string) iter.Seq2[int, string] {
	return func(yield func(int, string) bool) {
		for number := 1; text != ""; number++ {
			var line string
			line, text, _ = strings.Cut(text, "\n")
			line = strings.Trim(strings.TrimSuffix(line, "\r"), " \t")
			if line == "" || line[0] == '#' {
				continue
			}
			if !yield(number, line) {
				return
			}
		}
	}
}

// split splits a line. The name is returned with an error only where it certainly is a
// name.
func split(line string) (name, hash string, err error) {
	if len(line) > maxLine {
		return "", "", errLongLine
	}
	name, rest, ok := strings.Cut(line, ":")
	switch {
	case !ok:
		return "", "", errNoColon
	case name == "":
		return "", "", errNoName
	case len(name) > maxName:
		return "", "", errLongName
	case !utf8.ValidString(name):
		return "", "", errNameUTF8
	case strings.ContainsFunc(name, unicode.IsControl):
		return "", "", errControl
	case strings.TrimSpace(name) != name:
		return name, "", errNameBlank
	}
	hash, after, _ := strings.Cut(rest, ":")
	switch {
	case htdigest.MatchString(rest):
		return name, "", errHtdigest
	case hash == "":
		return name, "", errNoHash
	case after != "" && smbpasswd.MatchString(rest):
		return name, "", errSamba
	}
	return name, hash, nil
}

var (
	// htdigest has a realm, which may be empty, and MD5 or SHA-256 in hex where a hash
	// would be, see RFC 7616.
	htdigest = regexp.MustCompile(`^([^:${][^:]*)?:([0-9A-Fa-f]{32}|[0-9A-Fa-f]{64})$`)

	// smbpasswd has a number, a LAN Manager hash and an NT hash.
	smbpasswd = regexp.MustCompile(`^[0-9]+:([0-9A-Fa-f]{32}|X{32}|\*+|NO PASSWORD[^:]*):`)
)

// unmark drops a byte order mark. UTF-16, which a redirect in PowerShell writes, gets
// its own error instead of one for each line, even without a mark, as iconv writes it:
// then its first characters, which are ASCII, have a NUL each.
func unmark(data []byte) ([]byte, error) {
	if bytes.HasPrefix(data, []byte{0xFF, 0xFE}) || bytes.HasPrefix(data, []byte{0xFE, 0xFF}) || halfNUL(data, 0) || halfNUL(data, 1) {
		return nil, errUTF16
	}
	return bytes.TrimPrefix(data, []byte{0xEF, 0xBB, 0xBF}), nil
}

// halfNUL tells whether, of the first four bytes, exactly every second one from first
// on is NUL.
func halfNUL(data []byte, first int) bool {
	return len(data) >= 4 && data[first] == 0 && data[first+2] == 0 && data[1-first] != 0 && data[3-first] != 0
}
