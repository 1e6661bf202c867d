package useredit

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"github.com/tailscale/hujson"

	"github.com/caddygrant/caddy-grant/directory"
)

// object is a JSON file: a tree that has the white space, too.
type object struct {
	list List
	mark string // of the byte order, if there is one
	file hujson.Value
}

// newFile is how a new file begins.
const newFile = "{\n}\n"

func parseJSON(data []byte, list List) (*object, error) {
	text, marked := bytes.CutPrefix(data, []byte(byteOrderMark))
	if len(bytes.TrimSpace(text)) == 0 {
		text = []byte(newFile)
	}
	file, err := hujson.Parse(bytes.Clone(text))
	if err != nil {
		return nil, errors.New("it is not valid JSON")
	}
	o := &object{list: list, file: file}
	if marked {
		o.mark = byteOrderMark
	}
	root, ok := file.Value.(*hujson.Object)
	if !ok {
		return nil, errors.New("it is not a JSON object")
	}
	for i := range root.Members {
		if name(root.Members[i]) == string(list) {
			if _, ok := root.Members[i].Value.Value.(*hujson.Array); !ok {
				return nil, errors.New("it has no list of " + string(list))
			}
		}
	}
	return o, nil
}

func (o *object) bytes() []byte { return append([]byte(o.mark), o.file.Pack()...) }

// keys are the names of the members that every entry has.
func (o *object) keys() (name, hash string) {
	switch o.list {
	case Clients:
		return "id", "secret_hash"
	case Keys:
		return "name", "hash"
	}
	return "username", "password_hash"
}

// array is the list, or nil if the file has none.
func (o *object) array() *hujson.Array {
	root := o.file.Value.(*hujson.Object)
	for i := range root.Members {
		if name(root.Members[i]) == string(o.list) {
			return root.Members[i].Value.Value.(*hujson.Array)
		}
	}
	return nil
}

func (o *object) entries() (all []Entry) {
	array := o.array()
	if array == nil {
		return nil
	}
	for _, element := range array.Elements {
		element.BeforeExtra, element.AfterExtra = nil, nil
		var e Entry
		if o.list == Clients {
			c := new(directory.Client)
			if json.Unmarshal(element.Pack(), c) != nil {
				continue // the file is refused later
			}
			e = Entry{Name: c.ID, Hash: c.SecretHash, Client: c}
		} else {
			u := new(directory.User)
			if json.Unmarshal(element.Pack(), u) != nil {
				continue
			}
			e = Entry{Name: u.Username, Hash: u.PasswordHash, Disabled: u.Disabled, User: u}
		}
		if name, found := o.nameOf(element); !found || name != e.Name {
			continue // a member Username, which json.Unmarshal takes and the server refuses
		}
		all = append(all, e)
	}
	return all
}

// place is where an entry is.
func (o *object) place(wanted string) int {
	return slices.IndexFunc(o.array().Elements, func(element hujson.Value) bool {
		name, found := o.nameOf(element)
		return found && name == wanted
	})
}

// nameOf is the name of an element that is an entry.
func (o *object) nameOf(element hujson.Value) (string, bool) {
	key, _ := o.keys()
	entry, ok := element.Value.(*hujson.Object)
	if !ok {
		return "", false
	}
	for _, m := range entry.Members {
		if value, ok := m.Value.Value.(hujson.Literal); ok && name(m) == key {
			return value.String(), true
		}
	}
	return "", false
}

func (o *object) entry(name string) *hujson.Object {
	return o.array().Elements[o.place(name)].Value.(*hujson.Object)
}

func (o *object) add(entry, hash string, members []Member) error {
	key, hashKey := o.keys()
	all := []Member{{key, json.RawMessage(hujson.String(entry))}}
	if hash != "" {
		all = append(all, Member{hashKey, json.RawMessage(hujson.String(hash))})
	}
	return o.appendEntry(append(all, members...))
}

func (o *object) setHash(name, hash string) {
	_, key := o.keys()
	set(o.entry(name), key, hujson.String(hash))
}

func (o *object) setDisabled(name string, disabled bool) error {
	if disabled {
		set(o.entry(name), "disabled", hujson.Bool(true))
	} else {
		unset(o.entry(name), "disabled")
	}
	return nil
}

func (o *object) rename(from, to string) error {
	set(o.entry(from), "username", hujson.String(to))
	return nil
}

func (o *object) setID(name, id string) error {
	set(o.entry(name), "id", hujson.String(id))
	return nil
}

func (o *object) remove(name string) {
	array, i := o.array(), o.place(name)
	before := array.Elements[i].BeforeExtra
	array.Elements = slices.Delete(array.Elements, i, i+1)
	switch last := len(array.Elements) - 1; {
	case last < 0:
		array.AfterExtra = nil
	case i == 0:
		array.Elements[0].BeforeExtra = before
	case i > last:
		array.Elements[last].AfterExtra = nil // or it would end with a comma
	}
}

func name(m hujson.ObjectMember) string {
	literal, _ := m.Name.Value.(hujson.Literal)
	return literal.String()
}

// set gives a member of an object a value, adding it at the end if it is missing.
func set(entry *hujson.Object, key string, value hujson.ValueTrimmed) {
	for i := range entry.Members {
		if name(entry.Members[i]) == key {
			entry.Members[i].Value.Value = value
			return
		}
	}
	like := styleOf(entry)
	m := hujson.ObjectMember{Name: hujson.Value{Value: hujson.String(key)}, Value: hujson.Value{Value: value}}
	m.Name.BeforeExtra, m.Value.BeforeExtra = like.between, like.value
	entry.Members = append(entry.Members, m)
}

// unset removes a member of an object.
func unset(entry *hujson.Object, key string) {
	i := slices.IndexFunc(entry.Members, func(m hujson.ObjectMember) bool { return name(m) == key })
	if i < 0 {
		return
	}
	before := entry.Members[i].Name.BeforeExtra
	entry.Members = slices.Delete(entry.Members, i, i+1)
	switch last := len(entry.Members) - 1; {
	case last < 0:
	case i == 0:
		entry.Members[0].Name.BeforeExtra = before
	case i > last:
		entry.Members[last].Value.AfterExtra = nil
	}
}

// parseValue reads the value of a member as it is to be written.
func parseValue(raw json.RawMessage) (hujson.ValueTrimmed, error) {
	value, err := hujson.Parse([]byte(strings.TrimSpace(string(raw))))
	if err != nil || !value.IsStandard() {
		return nil, errors.New("it is not JSON")
	}
	return value.Value, nil
}
