package userimport

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"sync"

	"go.yaml.in/yaml/v3"

	"github.com/caddygrant/caddy-grant/directory"
	"github.com/caddygrant/caddy-grant/internal/userfile"
)

var errNoUsers = errors.New(`it has no "users:" with names below it, as Authelia's users_database.yml has`)

// authelia reads Authelia's users_database.yml. It walks the tree of nodes, in which an
// alias is not replaced, so that aliases of aliases stay as small as they are written.
func (r *reader) authelia(data []byte) error {
	data, err := userfile.Unmark(data)
	if err != nil {
		return err
	}
	if len(data) > maxAuthelia {
		return fmt.Errorf("it is larger than %d MiB", maxAuthelia>>20)
	}
	var document yaml.Node
	if err := yaml.Unmarshal(data, &document); err != nil {
		return yamlError(err)
	}
	if document.Kind != yaml.DocumentNode || len(document.Content) != 1 || document.Content[0].Kind != yaml.MappingNode {
		return errNoUsers
	}
	users, err := usersOf(document.Content[0])
	if err != nil {
		return err
	}
	for pair := range slices.Chunk(users.Content, 2) {
		if err := r.autheliaUser(pair[0], pair[1]); err != nil {
			return err
		}
	}
	return nil
}

// yamlError leaves out what is in a file: an unquoted password that begins with * or &
// is the name of an anchor to YAML.
func yamlError(err error) error {
	if text := err.Error(); plainWords().MatchString(text) {
		return errors.New(text)
	}
	const advice = "not valid YAML; a value that begins with a special character needs quotes"
	if line := yamlLine.FindString(err.Error()); line != "" {
		return errors.New(line + ": " + advice)
	}
	return errors.New(advice)
}

// plainWords is compiled at its first use, as a server never needs it.
var plainWords = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^yaml: line \d+: (mapping values are not allowed in this context|did not find expected [a-z' ,\[\]{}:-]{1,40}|` +
		`could not find expected ':'|found a tab character [a-z ]{1,60}|block sequence entries are not allowed in this context)$`)
})

var yamlLine = regexp.MustCompile(`line \d+`)

// usersOf is the mapping of names to users.
func usersOf(root *yaml.Node) (users *yaml.Node, err error) {
	for pair := range slices.Chunk(root.Content, 2) {
		if pair[0].Kind != yaml.ScalarNode || pair[0].Value != "users" {
			continue
		}
		if users != nil {
			return nil, fmt.Errorf(`line %d: a second "users:"`, pair[0].Line)
		}
		users = pair[1]
	}
	if users == nil || users.Kind != yaml.MappingNode || len(users.Content) == 0 {
		return nil, errNoUsers
	}
	return users, nil
}

// autheliaUser takes one user. What would be another user than Authelia sees is skipped.
func (r *reader) autheliaUser(name, details *yaml.Node) error {
	if name.Kind != yaml.ScalarNode || name.ShortTag() == "!!merge" || name.ShortTag() == "!!null" {
		return r.skip(name.Line, "", errors.New("the name of a user must be text"))
	}
	if details.Kind != yaml.MappingNode {
		return r.skip(name.Line, name.Value, errors.New("it has no password"))
	}
	c := candidate{line: name.Line, user: directory.User{Username: name.Value}, attributes: make(map[string]any)}
	seen := make(map[string]bool)
	for pair := range slices.Chunk(details.Content, 2) {
		key, value := pair[0], pair[1]
		if value.Kind == yaml.AliasNode || key.Kind != yaml.ScalarNode || key.ShortTag() == "!!merge" {
			return r.skip(name.Line, name.Value, errors.New("it has an alias (* or <<); write the value itself"))
		}
		if seen[key.Value] {
			return r.skip(name.Line, name.Value, errors.New("it has a duplicate key"))
		}
		seen[key.Value] = true
		switch key.Value {
		case "password":
			if value.Kind != yaml.ScalarNode || value.ShortTag() != "!!str" {
				return r.skip(name.Line, name.Value, errors.New("its password is not a text"))
			}
			c.secret = value.Value
		case "disabled":
			if value.Kind != yaml.ScalarNode || value.Decode(&c.user.Disabled) != nil {
				return r.skip(name.Line, name.Value, errors.New("disabled must be true or false"))
			}
		case "displayname":
			attribute(c.attributes, "name", value)
		case "extra":
			for pair := range slices.Chunk(value.Content, 2) {
				if value.Kind == yaml.MappingNode {
					attribute(c.attributes, pair[0].Value, pair[1])
				}
			}
		default:
			attribute(c.attributes, key.Value, value)
		}
	}
	if c.secret == "" {
		return r.skip(name.Line, name.Value, errors.New("it has no password"))
	}
	return r.take(c)
}

// attribute keeps a text, a truth value, or a list of them.
func attribute(attributes map[string]any, name string, value *yaml.Node) {
	switch {
	case name == "" || len(name) > directory.MaxNameLength:
	case value.Kind == yaml.SequenceNode:
		list := []any{}
		for _, element := range value.Content {
			if element.Kind == yaml.ScalarNode {
				list = append(list, scalar(element))
			}
		}
		attributes[name] = list
	case value.Kind == yaml.ScalarNode && value.Value != "":
		attributes[name] = scalar(value)
	}
}

// scalar is a text as it is written, so that no number loses a digit.
func scalar(node *yaml.Node) any {
	var truth bool
	if node.ShortTag() == "!!bool" && node.Decode(&truth) == nil {
		return truth
	}
	return node.Value
}
