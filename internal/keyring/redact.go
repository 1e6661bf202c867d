package keyring

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
)

// sealed keeps a value in a function, where code that walks a struct by reflection does
// not find it. Methods alone do not hide an unexported field: fmt does not call them
// there, and a verb that does not suit a pointer, such as %s of a struct with a *Key in
// it, prints what it points to.
type sealed[T any] func() T

func seal[T any](value T) sealed[T] {
	return func() T { return value }
}

// Code that prints a value looks for one of these methods first: fmt for Format (with
// every verb, %d and %x too), zap for String, encoding/json for MarshalJSON, slog for
// LogValue. Their receivers are values, so that a copy prints like a pointer to it.

const redactedSecret = "server secret (redacted)"

// String is the algorithm and the ID, both of which every token shows.
func (k Key) String() string { return string(k.algorithm) + " key " + k.id }

// GoString is the same as String.
func (k Key) GoString() string { return k.String() }

// Format writes String whatever the verb.
func (k Key) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, k.String()) }

// MarshalJSON is String as a JSON string.
func (k Key) MarshalJSON() ([]byte, error) { return json.Marshal(k.String()) }

// LogValue is String.
func (k Key) LogValue() slog.Value { return slog.StringValue(k.String()) }

// String is a fixed text.
func (s Secret) String() string { return redactedSecret }

// GoString is the same as String.
func (s Secret) GoString() string { return redactedSecret }

// Format writes String whatever the verb.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redactedSecret) }

// MarshalJSON is String as a JSON string.
func (s Secret) MarshalJSON() ([]byte, error) { return json.Marshal(redactedSecret) }

// LogValue is String.
func (s Secret) LogValue() slog.Value { return slog.StringValue(redactedSecret) }
