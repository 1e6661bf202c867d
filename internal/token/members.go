package token

import (
	"strconv"

	"github.com/caddygrant/caddy-grant/internal/buffer"
)

// The objects of tokens, and the answer that has the tokens, are written one member
// after the other by the functions below, byte for byte as encoding/json writes them.
// A member is a name as it is before its value, with the comma before it: `,"sub":`.
// The first comma of an object is overwritten with its brace. What is optional is left
// out if it is zero, as by omitempty.

func appendText(b []byte, member, value string) []byte {
	return buffer.AppendJSONString(append(b, member...), value)
}

func appendOptionalText(b []byte, member, value string) []byte {
	if value == "" {
		return b
	}
	return appendText(b, member, value)
}

func appendNumber(b []byte, member string, value int64) []byte {
	return strconv.AppendInt(append(b, member...), value, 10)
}

func appendOptionalNumber(b []byte, member string, value int64) []byte {
	if value == 0 {
		return b
	}
	return appendNumber(b, member, value)
}

func appendOptionalTexts(b []byte, member string, values []string) []byte {
	if len(values) == 0 {
		return b
	}
	b = append(b, member...)
	separator := byte('[')
	for _, value := range values {
		b = buffer.AppendJSONString(append(b, separator), value)
		separator = ','
	}
	return append(b, ']')
}
