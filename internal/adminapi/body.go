package adminapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"reflect"
	"strings"
	"unicode/utf8"

	"github.com/caddygrant/caddy-grant/internal/suggestion"
)

// readBody reads a request's JSON into what to points at, a struct of strings and
// booleans. It is strict, since a field that is misspelled or empty because of a
// variable without a value must not change whose sessions are revoked: encoding/json
// alone ignores the case of names, takes the last of duplicates, and null for nothing.
// Messages name fields, never their values, which may be tokens.
func readBody(w http.ResponseWriter, r *http.Request, to any) error {
	if r.URL.RawQuery != "" {
		return refused(http.StatusBadRequest, "a POST takes no query: the fields are JSON in the body")
	}
	mediaType, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || mediaType != "application/json" {
		return refused(http.StatusUnsupportedMediaType, "a POST needs the header Content-Type: application/json")
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return refused(http.StatusRequestEntityTooLarge, "the body is longer than %d bytes", maxBody)
	case err != nil:
		return refused(http.StatusBadRequest, "the body did not arrive whole")
	}
	return decode(body, to)
}

// decode is the part of readBody that knows JSON. An empty body is one without fields.
func decode(body []byte, to any) error {
	names := fieldNames(to)
	if len(bytes.TrimSpace(body)) == 0 {
		body = []byte("{}")
	}
	if !utf8.Valid(body) {
		return refused(http.StatusBadRequest, "the body is not UTF-8")
	}
	decoder := json.NewDecoder(bytes.NewReader(body))
	if start, err := decoder.Token(); err != nil || start != json.Delim('{') {
		return refused(http.StatusBadRequest, "the body must be a JSON object%s", listed(names))
	}
	seen := make(map[string]bool)
	for decoder.More() {
		token, err := decoder.Token()
		name, ok := token.(string)
		var value any
		if err != nil || !ok || decoder.Decode(&value) != nil {
			return errNotJSON
		}
		kind, known := kindOf(names, name)
		switch {
		case !known:
			return unknownField(name, names)
		case seen[name]:
			return refused(http.StatusBadRequest, "duplicate field %s", name)
		case value == "" || value == false || value == nil:
			return refused(http.StatusBadRequest, "%s is empty: leave it out, or set it", name)
		case reflect.TypeOf(value).Kind() != kind:
			return refused(http.StatusBadRequest, "%s must be %s", name, map[reflect.Kind]string{reflect.Bool: "true", reflect.String: "a string"}[kind])
		}
		seen[name] = true
	}
	if _, err := decoder.Token(); err != nil { // }
		return errNotJSON
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return refused(http.StatusBadRequest, "there is something after the JSON object")
	}
	if err := json.Unmarshal(body, to); err != nil {
		return errNotJSON
	}
	return nil
}

// field is a field of a request, by its name in JSON.
type field struct {
	name string
	kind reflect.Kind
}

// fieldNames are those of the struct that to points at.
func fieldNames(to any) (fields []field) {
	for _, f := range reflect.VisibleFields(reflect.TypeOf(to).Elem()) {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		fields = append(fields, field{name, f.Type.Kind()})
	}
	return fields
}

func kindOf(fields []field, name string) (reflect.Kind, bool) {
	for _, f := range fields {
		if f.name == name {
			return f.kind, true
		}
	}
	return 0, false
}

// listed says which fields there are.
func listed(fields []field) string {
	if len(fields) == 0 {
		return " without fields"
	}
	var names []string
	for _, f := range fields {
		names = append(names, f.name)
	}
	return " with " + strings.Join(names, " or ")
}

// unknownField does not repeat the name: with a missing quote it can be anything.
func unknownField(name string, fields []field) error {
	var names []string
	for _, f := range fields {
		names = append(names, f.name)
		if strings.EqualFold(f.name, name) {
			return refused(http.StatusBadRequest, "the field is written %s", f.name)
		}
	}
	if meant := suggestion.Nearest(name, names); meant != "" {
		return refused(http.StatusBadRequest, "unknown field: did you mean %s?", meant)
	}
	return refused(http.StatusBadRequest, "unknown field: the body must be a JSON object%s", listed(fields))
}

// refused is an answer to a request that cannot be granted as it is.
func refused(status int, format string, args ...any) *Error {
	return &Error{Status: status, Message: fmt.Sprintf(format, args...)}
}

var errNotJSON = refused(http.StatusBadRequest, "the body is not valid JSON")

// maxBody is much longer than the longest token.
const maxBody = 64 << 10
