package useredit

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/tailscale/hujson"

	"github.com/caddygrant/caddy-grant/internal/apikey"
)

// Keys is the list of API keys. A JSON file may have it beside users and clients.
const Keys List = apikey.Section

// Lines is the format of API keys that has one on each line.
const Lines Format = "lines"

// KeyFormatOf is [FormatOf] for a file of API keys.
func KeyFormatOf(path string, data []byte) Format {
	if FormatOf(path, data) == JSON {
		return JSON
	}
	return Lines
}

// ReadKeys reads a file of API keys as the server does.
func ReadKeys(data []byte, format Format) (*apikey.Set, error) {
	if format == JSON {
		return apikey.ParseJSON(data)
	}
	return apikey.ParseLines(data)
}

// EditKeys is [Edit] for a file of API keys. Unlike one of users in the htpasswd format,
// it may be left without an entry: the last key can be revoked.
func EditKeys(data []byte, format Format, change func(*KeyFile) error) ([]byte, error) {
	f := new(KeyFile)
	if format == JSON {
		object, err := parseJSON(data, Keys)
		if err != nil {
			return nil, unusable(data, format, Keys, err)
		}
		f.content = object
	} else {
		f.content = &records{parseLines(data, Keys)}
	}
	if err := change(f); err != nil {
		return nil, err
	}
	edited := f.content.bytes()
	if err := Check(edited, format, Keys); err != nil {
		return nil, unusable(data, format, Keys, err)
	}
	return edited, nil
}

// KeyFile is a file of API keys that is being edited.
type KeyFile struct{ content keyContent }

// keyContent is such a file in one of the formats.
type keyContent interface {
	names() []string
	addKey(*apikey.Key) error
	remove(name string) // of a key that there is
	bytes() []byte
}

// Add adds a key at the end.
func (f *KeyFile) Add(k *apikey.Key) error {
	if err := k.Validate(); err != nil {
		return err
	}
	if slices.Contains(f.content.names(), k.Name) {
		return nameError{fmt.Sprintf("it has a key %q already", k.Name), ErrExists}
	}
	return f.content.addKey(k)
}

// Remove removes a key, also one that is there several times.
func (f *KeyFile) Remove(name string) error {
	if err := apikey.ValidateKeyName(name); err != nil {
		return err
	}
	if !slices.Contains(f.content.names(), name) {
		return nameError{fmt.Sprintf("it has no key %q", name), ErrNone}
	}
	for slices.Contains(f.content.names(), name) {
		f.content.remove(name)
	}
	return nil
}

// names are those of the entries of a JSON list.
func (o *object) names() (all []string) {
	if array := o.array(); array != nil {
		for _, element := range array.Elements {
			if name, found := o.nameOf(element); found {
				all = append(all, name)
			}
		}
	}
	return all
}

func (o *object) addKey(k *apikey.Key) error {
	owner, name := k.Owner()
	members := []Member{{owner, text(name)}}
	if len(k.Scopes) > 0 {
		members = append(members, Member{"scopes", texts(k.Scopes)})
	}
	if k.Audience != nil {
		members = append(members, Member{"audience", texts(k.Audience)})
	}
	if k.Expires != "" {
		members = append(members, Member{"expires", text(string(k.Expires))})
	}
	if k.Note != "" {
		members = append(members, Member{"note", text(k.Note)})
	}
	return o.add(k.Name, k.Hash, members)
}

func text(value string) json.RawMessage { return json.RawMessage(hujson.String(value)) }

func texts(values []string) json.RawMessage {
	var all []string
	for _, value := range values {
		all = append(all, string(text(value)))
	}
	return json.RawMessage("[" + strings.Join(all, ", ") + "]")
}

// records is a file with one API key a line.
type records struct{ *lines }

// nameOn is the name of the key on a line, if it has one.
func nameOn(line string) string {
	if fields := strings.Fields(line); len(fields) > 0 && fields[0][0] != '#' {
		return fields[0]
	}
	return ""
}

func (r *records) names() (all []string) {
	for _, line := range r.text {
		if name := nameOn(line); name != "" {
			all = append(all, name)
		}
	}
	return all
}

func (r *records) addKey(k *apikey.Key) error {
	line, err := k.Line()
	if err == nil {
		r.append(line)
	}
	return err
}

func (r *records) remove(name string) {
	r.text = slices.DeleteFunc(r.text, func(line string) bool { return nameOn(line) == name })
}
