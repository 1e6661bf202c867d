package passwordadvice

import (
	"regexp"
	"strings"
	"sync"
	"unicode/utf8"
)

// unrepeated is what a text repeats, which may end in part of it, or the text itself.
func unrepeated(text string) string {
	for n := 1; n <= len(text)/2; n++ {
		if text[n:] == text[:len(text)-n] {
			return text[:n]
		}
	}
	return text
}

// dates is compiled at its first use, as a server never needs it.
var dates = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`\d{1,4}[-./ ]\d{1,2}[-./ ]\d{1,4}|(19|20)\d\d`)
})

func withoutDates(rest string) string { return dates().ReplaceAllString(rest, gap) }

// rows are characters in an order that everyone knows: the alphabet and the digits, and
// the keys of keyboards along their rows and columns.
var rows = []string{
	"abcdefghijklmnopqrstuvwxyz", "zyxwvutsrqponmlkjihgfedcba",
	"01234567890", "09876543210",
	"qwertyuiopasdfghjklzxcvbnm", "poiuytrewqlkjhgfdsamnbvcxz",
	"qwertzuiopü", "azertyuiopqsdfghjklmwxcvbn", "yxcvbnm,.-",
	"йцукенгшщзхъфывапролджэячсмитьбю", "абвгдеёжзийклмнопрстуфхцчшщъыьэюя",
	"1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik,9ol.0p;/", "qazwsxedcrfvtgbyhnujmik,ol.p;/",
	"1qazxsw23edcvfr45tgbnhy67ujm,ki89ol./;p0",
	"q1w2e3r4t5y6u7i8o9p0", "1q2w3e4r5t6y7u8i9o0p", "1a2b3c4d5e6f7g8h9i0j", "a1b2c3d4e5f6g7h8i9j0",
	"!@#$%^&*()_+", `!"§$%&/()=`, `!"£$%^&*()_+`,
}

// withoutRuns takes out the runs of at least 3 characters: neighbours in a row, or the
// same character.
func withoutRuns(rest string) string {
	var left strings.Builder
	for rest != "" {
		n, characters := run(rest)
		if characters < leastRun {
			_, n = utf8.DecodeRuneInString(rest)
			left.WriteString(rest[:n])
		} else {
			left.WriteString(gap)
		}
		rest = rest[n:]
	}
	return left.String()
}

const leastRun = 3

// run is the longest run that a text begins with, in bytes and characters.
func run(text string) (n, characters int) {
	first, size := utf8.DecodeRuneInString(text)
	n = len(text) - len(strings.TrimLeft(text, string(first)))
	characters = n / size
	for end, seen := size, 1; inRow(text[:end]); seen++ {
		n, characters = max(n, end), max(characters, seen)
		if end == len(text) {
			break
		}
		_, size = utf8.DecodeRuneInString(text[end:])
		end += size
	}
	return n, characters
}

func inRow(text string) bool {
	for _, row := range rows {
		if strings.Contains(row, text) {
			return true
		}
	}
	return false
}
