package apikey

import (
	"errors"
	"slices"
	"strings"
)

// Line writes a valid key as [ParseLines] reads it, without a line end. It is an error
// if a line cannot hold one of its values.
func (k *Key) Line() (string, error) {
	owner, name := k.Owner()
	parts := []string{k.Name, k.Hash, owner + "=" + name}
	add := func(field, value string) {
		if value != "" {
			parts = append(parts, field+"="+value)
		}
	}
	add("scopes", strings.Join(k.Scopes, ","))
	add("audience", strings.Join(k.Audience, ","))
	add("expires", string(k.Expires))
	add("note", k.Note)
	line := strings.Join(parts, " ")
	if read, err := parseLine(line); err != nil || strings.TrimSpace(line) != line || !k.same(read) {
		return "", errors.New("a blank in the owner, or a blank or a comma in a scope or an audience, is not possible in the format of lines; use a JSON file")
	}
	return line, nil
}

// same tells whether two keys are written alike.
func (k *Key) same(other *Key) bool {
	return k.Name == other.Name && k.Hash == other.Hash &&
		k.User == other.User && k.UserID == other.UserID && k.Client == other.Client &&
		slices.Equal(k.Scopes, other.Scopes) &&
		slices.Equal(k.Audience, other.Audience) && (k.Audience == nil) == (other.Audience == nil) &&
		k.Expires == other.Expires && k.Note == other.Note
}
