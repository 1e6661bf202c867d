package userfile

import (
	"bytes"
	"errors"
	"regexp"
)

// Errors for a file in another format than expected: one error in place of one for each
// line.
var (
	ErrJSON     = errors.New("it is JSON, not the htpasswd format")
	ErrHtpasswd = errors.New("it has the htpasswd format, not JSON")
	ErrYAML     = errors.New("it is YAML, which is not supported; write JSON or the htpasswd format")
)

// notHtpasswd returns what a file looks like if it is not in the htpasswd format, or
// nil.
func notHtpasswd(data []byte) error {
	line, text := begins(data)
	switch {
	case likeJSON.Match(text):
		return ErrJSON
	case likeYAML.Match(line):
		return ErrYAML
	}
	return nil
}

// notJSON returns what a file looks like if it is not JSON, or nil.
func notJSON(data []byte) error {
	line, _ := begins(data)
	if len(line) == 0 || bytes.IndexByte([]byte(`{["`), line[0]) >= 0 {
		return nil
	}
	if likeYAML.Match(line) {
		return ErrYAML
	}
	if _, _, err := split(string(line)); err == nil || errors.Is(err, errHtdigest) {
		return ErrHtpasswd
	}
	return nil
}

// begins returns the first line that is neither blank nor a comment, without the blanks
// around it, and the text that begins with it.
func begins(data []byte) (line, text []byte) {
	text = data
	for line := range bytes.Lines(data) {
		if short := bytes.TrimSpace(line); len(short) > 0 && short[0] != '#' {
			return short, bytes.TrimSpace(text)
		}
		text = text[len(line):]
	}
	return nil, nil
}

var (
	// likeJSON is an object with a member or without, or a list of objects or strings.
	// A name that begins with a brace continues differently.
	likeJSON = regexp.MustCompile(`^(\[\s*[\[{"\]]|\{\s*["}]|\{\s*[A-Za-z_]+\s*:\s*[\[{"]|\{\s*\n|\[\s*\n)`)

	// likeYAML is the start of a document, an element of a list that has keys, or a key
	// without a value.
	likeYAML = regexp.MustCompile(`^(---(\s.*)?|%YAML .*|-\s+["']?[A-Za-z_]+["']?:(\s.*)?|-|["']?(users|clients)["']?:(\s.*)?)$`)
)
