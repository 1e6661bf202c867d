package statusview

import (
	"reflect"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// longest is how many bytes of a text are shown: an error may quote a whole file.
const longest = 400

// Printable is a text that cannot do anything to a terminal, or turn a line around: what
// is not printable is written as in Go source. Paths, names and errors come from files
// that others may write.
func Printable(text string) string {
	cut := len(text) > longest
	if cut {
		end := longest
		for longest-end < utf8.UTFMax && !utf8.RuneStart(text[end]) {
			end--
		}
		text = text[:end]
	}
	if strings.ContainsFunc(text, isHidden) || !utf8.ValidString(text) {
		var safe strings.Builder
		for len(text) > 0 {
			r, size := utf8.DecodeRuneInString(text)
			switch {
			case r == utf8.RuneError && size == 1:
				safe.WriteString(`\x` + strconv.FormatUint(uint64(text[0]), 16))
			case isHidden(r):
				safe.WriteString(strings.Trim(strconv.QuoteRuneToASCII(r), "'"))
			default:
				safe.WriteRune(r)
			}
			text = text[size:]
		}
		text = safe.String()
	}
	if cut {
		text += "…"
	}
	return text
}

func isHidden(r rune) bool { return !unicode.IsPrint(r) }

// makePrintable does so with every text in a value, so that none can be forgotten.
func makePrintable(value reflect.Value) {
	switch value.Kind() {
	case reflect.String:
		value.SetString(Printable(value.String()))
	case reflect.Pointer:
		if !value.IsNil() && value.Elem().Kind() == reflect.Struct && value.Elem().Type().PkgPath() != "time" {
			makePrintable(value.Elem())
		}
	case reflect.Slice:
		for i := range value.Len() {
			makePrintable(value.Index(i))
		}
	case reflect.Struct:
		if value.Type().PkgPath() == "time" {
			return
		}
		for i := range value.NumField() {
			makePrintable(value.Field(i))
		}
	}
}
