package apikey

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/caddygrant/caddy-grant/internal/userfile"
)

// Section is the list of keys in a JSON file, and the directive that names the file.
const Section = "api_keys"

// Formats are the parsers of files, by the names of the formats in a config.
var Formats = map[string]func([]byte) (*Set, error){
	"json":  ParseJSON,
	"lines": ParseLines,
}

// Errors for a file in another format than expected.
var (
	ErrJSON  = errors.New("it is JSON, not one key a line")
	ErrLines = errors.New("it has one key a line, and is not JSON")
)

// ParseJSON reads {"api_keys":[{"name":…,"hash":…,"user":…},…]}. The file may also hold
// users and clients.
func ParseJSON(data []byte) (*Set, error) {
	if likeLines(data) {
		return nil, ErrLines
	}
	set := NewSet()
	err := userfile.List(data, Section, shownName, func(line int, k *Key) error { return set.Add(k, line) })
	switch {
	case errors.Is(err, userfile.ErrHtpasswd):
		return nil, errNotJSON
	case errors.Is(err, userfile.ErrYAML):
		return nil, errYAML
	case err != nil:
		return nil, err
	}
	return set, nil
}

// ParseLines reads one key a line, as in
//
//	deploy sha256:… user=alice scopes=contacts.read,contacts.write expires=2027-01-31 note=the rest of the line
//
// Blank lines and lines that begin with # are left out. A file without a key is valid:
// it is what is left when the last one is revoked.
func ParseLines(data []byte) (*Set, error) {
	set := NewSet()
	err := userfile.Records(data, parseLine, shownName, func(line int, k *Key) error { return set.Add(k, line) })
	switch {
	case errors.Is(err, userfile.ErrJSON):
		return nil, ErrJSON
	case errors.Is(err, userfile.ErrYAML):
		return nil, errYAML
	case err != nil:
		return nil, err
	}
	return set, nil
}

var (
	errNotJSON = errors.New(`it is not JSON; such a file starts with {"` + Section + `": [`)
	errYAML    = errors.New("it is YAML, which is not supported; write JSON, or one key a line")
)

// shownName is the name of a key for errors.
func shownName(k *Key) string {
	if isSecret(k.Name) {
		return ""
	}
	return k.Name
}

// likeLines tells whether the first line that is not a comment is that of a key.
func likeLines(data []byte) bool {
	all, err := userfile.Lines(data)
	if err != nil {
		return false
	}
	for _, line := range all {
		return firstFields.MatchString(line)
	}
	return false
}

var firstFields = regexp.MustCompile(`^[^\s{\["]\S*[ \t]+sha256:`)

// parseLine reads a line. Its errors quote nothing of it but the name of a field.
func parseLine(text string) (*Key, error) {
	k := new(Key)
	k.Name, text = field(text)
	if isSecret(k.Name) {
		return nil, errors.New("a line begins with the name of the key: write <name> sha256:<hash> user=<owner>")
	}
	k.Hash, text = field(text)
	if strings.Contains(k.Hash, "=") {
		return nil, errors.New("the hash comes after the name: write <name> sha256:<hash> user=<owner>")
	}
	seen := make(map[string]bool)
	for text != "" {
		if note, found := strings.CutPrefix(text, "note="); found {
			if k.Note = note; note == "" {
				return nil, errEmpty("note")
			}
			return k, nil
		}
		var one string
		one, text = field(text)
		name, value, found := strings.Cut(one, "=")
		switch {
		case !found && one[0] == '#':
			return nil, errors.New("a comment has a line of its own: write it as note=, which is the last field")
		case !found:
			return nil, errors.New("a field after the hash has no =; a name with a blank needs the JSON format")
		case seen[name]:
			return nil, fmt.Errorf("duplicate field %s", name)
		case fields[name] == nil:
			return nil, unknownField(name)
		case value == "":
			return nil, errEmpty(name)
		}
		seen[name] = true
		if err := fields[name](k, value); err != nil {
			return nil, err
		}
	}
	return k, nil
}

// fields are what a line may have after the hash, apart from the note.
var fields = map[string]func(k *Key, value string) error{
	"user":    func(k *Key, value string) error { k.User = value; return nil },
	"user_id": func(k *Key, value string) error { k.UserID = value; return nil },
	"client":  func(k *Key, value string) error { k.Client = value; return nil },
	"expires": func(k *Key, value string) error { k.Expires = End(value); return nil },
	"scopes": func(k *Key, value string) (err error) {
		k.Scopes, err = list("scopes", value)
		return err
	},
	"audience": func(k *Key, value string) (err error) {
		k.Audience, err = list("audience", value)
		return err
	},
}

// field cuts off the first field of a text, which has no blank before it.
func field(text string) (first, rest string) {
	if end := strings.IndexAny(text, " \t"); end >= 0 {
		return text[:end], strings.TrimLeft(text[end:], " \t")
	}
	return text, ""
}

// list splits a value at its commas.
func list(name, value string) ([]string, error) {
	all := strings.Split(value, ",")
	for _, one := range all {
		if one == "" {
			return nil, fmt.Errorf("%s: there is nothing beside a comma: write %s=a,b", name, name)
		}
	}
	return all, nil
}

func errEmpty(name string) error { return fmt.Errorf("%s= has no value: remove it", name) }

func unknownField(name string) error {
	const known = "those of a line are user, user_id, client, scopes, audience, expires and note, which is the last one"
	if !likeField.MatchString(name) {
		return errors.New("unknown field of odd form (not shown); " + known)
	}
	return fmt.Errorf("unknown field %q; %s", name, known)
}

var likeField = regexp.MustCompile(`^[A-Za-z_-]{1,20}$`)
