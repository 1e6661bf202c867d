package wire

import (
	"bytes"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/caddygrant/caddy-grant/internal/oauth"
)

// Params are the parameters of a form in their order. None is empty: that is the same as
// absent (RFC 6749 §3.2). None is repeated but resource (RFC 8707 §2). Names and values
// share the memory of one string, so whoever keeps one of them keeps the password too,
// unless it is cloned.
type Params []param

type param struct{ name, value string }

// Get returns the value of a parameter, the first one of resource, or the empty string.
func (p Params) Get(name string) string {
	for i := range p {
		if p[i].name == name {
			return p[i].value
		}
	}
	return ""
}

// ParseForm decodes a form. A parameter must not be repeated, and an empty one counts
// as absent (RFC 6749 §3.2); only resource may be repeated (RFC 8707 §2). The body is
// decoded where it is: it is of no use afterwards.
func ParseForm(body []byte) (Params, error) {
	if bytes.Count(body, []byte("&")) >= maxParameters {
		return nil, oauth.TooManyParameters() // before any work is done for each of them
	}
	params, ok := decodeForm(body)
	switch {
	case !ok:
		return nil, oauth.InvalidRequest("form_malformed", "the body is not well-formed: percent-encode all but letters and digits")
	case params.repeat():
		return nil, oauth.InvalidRequest("parameter_repeated", "a parameter is repeated")
	case slices.ContainsFunc(params, func(p param) bool { return !validText(p.name) || !validText(p.value) }):
		return nil, oauth.InvalidRequest("form_malformed", "the body has a parameter that is not UTF-8 or holds a NUL character")
	}
	return slices.DeleteFunc(params, func(p param) bool { return p.value == "" }), nil
}

// decodeForm decodes all parameters, empty and repeated ones too, as [net/url.ParseQuery]
// does. What is decoded is never longer than what it was decoded from, so it takes its
// place, and becomes one string.
func decodeForm(body []byte) (Params, bool) {
	var ends [maxParameters]struct{ name, value int } // of each in the decoded text
	n, decoded, ok := 0, body[:0], true
	for len(body) > 0 {
		var pair []byte
		pair, body, _ = bytes.Cut(body, []byte("&"))
		if len(pair) == 0 {
			continue
		}
		if bytes.IndexByte(pair, ';') >= 0 {
			return nil, false
		}
		name, value, _ := bytes.Cut(pair, []byte("="))
		if decoded, ok = appendDecoded(decoded, name); !ok {
			return nil, false
		}
		ends[n].name = len(decoded)
		if decoded, ok = appendDecoded(decoded, value); !ok {
			return nil, false
		}
		ends[n].value = len(decoded)
		n++
	}
	text, begin := string(decoded), 0
	params := make(Params, n)
	for i := range params {
		params[i] = param{text[begin:ends[i].name], text[ends[i].name:ends[i].value]}
		begin = ends[i].value
	}
	return params, true
}

// appendDecoded decodes a name or a value of a form.
func appendDecoded(to, encoded []byte) ([]byte, bool) {
	for i := 0; i < len(encoded); i++ {
		c := encoded[i]
		switch c {
		case '+':
			c = ' '
		case '%':
			if i+2 >= len(encoded) {
				return nil, false
			}
			high, low := hexDigit(encoded[i+1]), hexDigit(encoded[i+2])
			if high < 0 || low < 0 {
				return nil, false
			}
			c = byte(high<<4 | low)
			i += 2
		}
		to = append(to, c)
	}
	return to, true
}

// hexDigit is the value of a digit in either case, or negative.
func hexDigit(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= c && c <= 'f':
		return int(c-'a') + 10
	case 'A' <= c && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}

// repeat tells whether a parameter is there more than once, empty or not.
func (p Params) repeat() bool {
	if len(p) > fewParameters {
		seen := make(map[string]bool, len(p))
		for i := range p {
			if name := p[i].name; name != "resource" {
				if seen[name] {
					return true
				}
				seen[name] = true
			}
		}
		return false
	}
	for i := range p {
		if p[i].name != "resource" && slices.ContainsFunc(p[:i], func(before param) bool { return before.name == p[i].name }) {
			return true
		}
	}
	return false
}

func validText(s string) bool {
	return utf8.ValidString(s) && strings.IndexByte(s, 0) < 0
}

const (
	maxParameters = 100

	// fewParameters are compared with each other faster than they are put into a map.
	fewParameters = 16
)
