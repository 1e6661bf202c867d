package passwordadvice

import (
	"cmp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// parts are the inputs and the words in them, in lower case, the longest first.
func parts(inputs []string) (all []string) {
	for _, input := range inputs {
		if len(input) > maxInput {
			continue
		}
		input = strings.ToLower(input)
		for _, part := range append(strings.FieldsFunc(input, isBetween), input) {
			if utf8.RuneCountInString(part) >= leastPart && len(all) < maxParts && !slices.Contains(all, part) {
				all = append(all, part)
			}
		}
	}
	slices.SortStableFunc(all, func(a, b string) int { return cmp.Compare(len(b), len(a)) })
	return all
}

const (
	maxInput  = 255
	maxParts  = 100
	leastPart = 3
)

func isBetween(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsNumber(r) }

func withoutParts(rest string, parts []string) string {
	for _, part := range parts {
		rest = strings.ReplaceAll(rest, part, gap)
	}
	return rest
}
