package passwordadvice

import (
	"bytes"
	"compress/gzip"
	_ "embed"
	"io"
	"strings"
	"sync"
	"unicode"
)

// packedCommon is a list of common passwords in lower case, one a line, in the order of
// their bytes. Where it comes from is said in common.txt.LICENSE.
//
//go:embed common.txt.gz
var packedCommon []byte

// common is unpacked at its first use: a server never needs it.
var common = sync.OnceValue(func() map[string]struct{} {
	var all strings.Builder
	unpacked, err := gzip.NewReader(bytes.NewReader(packedCommon))
	if err == nil {
		_, err = io.Copy(&all, unpacked)
	}
	if err != nil {
		panic(err) // the list is part of the program
	}
	passwords := make(map[string]struct{}, strings.Count(all.String(), "\n"))
	for password := range strings.Lines(all.String()) {
		passwords[strings.TrimSuffix(password, "\n")] = struct{}{}
	}
	return passwords
})

func isCommon(password string) bool {
	_, is := common()[password]
	return is
}

// isAffix tells whether a character is among those that people put before or after a
// common password.
func isAffix(r rune) bool { return !unicode.IsLetter(r) }

// withoutCommon takes the two longest common passwords out. It leaves a third: words
// chosen at random are all in the list, and enough of them are good.
func withoutCommon(rest string) string {
	for range mostCommon {
		rest = strings.Replace(rest, longestCommon(rest), gap, 1)
	}
	return rest
}

const (
	mostCommon  = 2
	leastCommon = 4
)

// longestCommon is the longest common password within a text, or what stands for none.
func longestCommon(text string) string {
	for n := len(text); n >= leastCommon; n-- {
		for at := 0; at+n <= len(text); at++ {
			if isCommon(text[at : at+n]) {
				return text[at : at+n]
			}
		}
	}
	return gap
}
