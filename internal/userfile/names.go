package userfile

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode"
)

var (
	errNameBlank     = errors.New("a blank before or after the name; remove it")
	errNameListed    = errors.New(`a mark of a list before the name, as YAML has it; remove it`)
	errNameQuoted    = errors.New("quotes around the name; remove them")
	errNameInvisible = errors.New("an invisible character in the name, shown here as its code; remove it")
	errNameLost      = errors.New("the name has a character that an earlier conversion lost; save the file as UTF-8 and enter the name again")
)

// OddName says why a name is clearly a mistake: each byte of it counts at a login. It
// returns nil for all other names, whatever their script. A space at either end of a
// quoted name, as in JSON, may be intended; [Htpasswd] refuses it.
func OddName(name string) error {
	if ordinary(name) {
		return nil
	}
	switch {
	case strings.TrimFunc(name, func(r rune) bool { return unicode.IsSpace(r) && r > 0x7f }) != name, strings.TrimSpace(name) == "":
		return errNameBlank
	case listed.MatchString(name):
		return errNameListed
	case inQuotes.MatchString(name) && strings.Count(name, `"`) <= 2: // with more of them it is something else
		return errNameQuoted
	case strings.ContainsRune(name, unicode.ReplacementChar):
		return errNameLost
	}
	runes := []rune(name)
	for i, r := range runes {
		if hides(r) && !joins(runes, i) {
			return errNameInvisible
		}
	}
	return nil
}

// ordinary quickly clears most names: a file may have a million.
func ordinary(name string) bool {
	for i := range len(name) {
		c := name[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '.' && c != '_' && c != '@' && c != '+' && c != '-' {
			return false
		}
	}
	return true
}

var (
	listed   = regexp.MustCompile(`^[-*+•‣–—]\s`)
	inQuotes = regexp.MustCompile("^[\"`“”„«»]|[\"`“”„«»]$|^'.*'$|^[‘‚].*[’‘]$")
)

// hides tells whether a character is invisible, or a blank that no keyboard has, or
// changes the direction of others.
func hides(r rune) bool {
	switch {
	case r < 0x80, r == '\u3000': // that is the blank of East Asian keyboards
		return false
	case r == '\u2800': // a Braille pattern without dots
		return true
	}
	return unicode.In(r, unicode.Cf, unicode.Zs, unicode.Zl, unicode.Zp, unicode.Variation_Selector, unicode.Other_Default_Ignorable_Code_Point)
}

// joins tells whether an invisible character has a meaning where it is: the joiners
// between letters of scripts that are written with them and between pictures, and a
// variation selector after its character.
func joins(runes []rune, i int) bool {
	if i == 0 {
		return false
	}
	before := runes[i-1]
	if unicode.Is(unicode.Variation_Selector, runes[i]) {
		if i+1 < len(runes) && runes[i+1] == '\u20e3' { // a key, as in 1️⃣
			return true
		}
		return unicode.In(before, unicode.So, unicode.Sm, unicode.Han, unicode.Mongolian, unicode.Myanmar)
	}
	if runes[i] != '\u200c' && runes[i] != '\u200d' || i == len(runes)-1 {
		return false
	}
	after := runes[i+1]
	picture := func(r rune) bool { return unicode.In(r, unicode.So, unicode.Sk) || r == '\ufe0f' }
	return unicode.In(before, joined...) && unicode.In(after, joined...) || runes[i] == '\u200d' && picture(before) && picture(after)
}

// joined are the scripts whose letters a joiner connects or keeps apart.
var joined = []*unicode.RangeTable{
	unicode.Arabic, unicode.Syriac, unicode.Nko, unicode.Mongolian, unicode.Devanagari, unicode.Bengali, unicode.Gurmukhi,
	unicode.Gujarati, unicode.Oriya, unicode.Tamil, unicode.Telugu, unicode.Kannada, unicode.Malayalam, unicode.Sinhala,
	unicode.Tibetan, unicode.Myanmar, unicode.Khmer, unicode.Balinese, unicode.Javanese,
}

// Quote writes a name in double quotes, with invisible characters as their codes.
func Quote(name string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range name {
		switch {
		case r > 0xFFFF && hides(r):
			fmt.Fprintf(&b, `\U%08x`, r)
		case hides(r) || r == unicode.ReplacementChar:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			shown := strconv.Quote(string(r))
			b.WriteString(shown[1 : len(shown)-1])
		}
	}
	b.WriteByte('"')
	return b.String()
}
