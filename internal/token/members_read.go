package token

import (
	"bytes"
	"strconv"
)

// memberReader reads an object that the functions of members.go have written, as long as
// it is as they write it and no text in it has anything escaped. Anything else is for a
// JSON parser: other reports that.
type memberReader struct {
	rest  []byte
	begun bool
	other bool
}

// next tells whether the next member is the given one, written as in members.go, and
// moves on to its value.
func (r *memberReader) next(member string) bool {
	if r.other || len(r.rest) < len(member) || string(r.rest[1:len(member)]) != member[1:] {
		return false
	}
	begin := byte(',')
	if !r.begun {
		begin = '{'
	}
	if r.rest[0] != begin {
		return false
	}
	r.rest, r.begun = r.rest[len(member):], true
	return true
}

func (r *memberReader) text(member string) string {
	if !r.next(member) {
		r.other = true
		return ""
	}
	return r.quoted()
}

func (r *memberReader) optionalText(member string) string {
	if !r.next(member) {
		return ""
	}
	return r.quoted()
}

func (r *memberReader) quoted() string {
	if len(r.rest) == 0 || r.rest[0] != '"' {
		r.other = true
		return ""
	}
	end := bytes.IndexByte(r.rest[1:], '"')
	if end < 0 {
		r.other = true
		return ""
	}
	value := r.rest[1 : 1+end]
	for _, c := range value {
		if c == '\\' || c < ' ' {
			r.other = true
			return ""
		}
	}
	r.rest = r.rest[1+end+1:]
	return string(value)
}

func (r *memberReader) number(member string) int64 {
	if !r.next(member) {
		r.other = true
		return 0
	}
	return parsed(r, strconv.ParseInt)
}

func (r *memberReader) optionalNumber(member string) int64 {
	if !r.next(member) {
		return 0
	}
	return parsed(r, strconv.ParseInt)
}

func (r *memberReader) count(member string) uint64 {
	if !r.next(member) {
		r.other = true
		return 0
	}
	return parsed(r, strconv.ParseUint)
}

// parsed is a number. What JSON does not allow, such as a sign or a zero before it, is for
// the JSON parser.
func parsed[N int64 | uint64](r *memberReader, parse func(string, int, int) (N, error)) N {
	end := 0
	for end < len(r.rest) && (r.rest[end] == '-' || r.rest[end] >= '0' && r.rest[end] <= '9') {
		end++
	}
	digits := bytes.TrimPrefix(r.rest[:end], []byte("-"))
	value, err := parse(string(r.rest[:end]), 10, 64)
	if err != nil || len(digits) > 1 && digits[0] == '0' {
		r.other = true
		return 0
	}
	r.rest = r.rest[end:]
	return value
}

// ended tells whether the object ends there, and all was as members.go writes it.
func (r *memberReader) ended() bool {
	return !r.other && r.begun && len(r.rest) == 1 && r.rest[0] == '}'
}
