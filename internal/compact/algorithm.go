package compact

import (
	"slices"
	"strings"
)

// LooksLikeAlgorithm tells whether a text has the form of the name of an algorithm (RFC
// 7518 §3.1), such as ES257 or sha-256. No secret has it, so an error may repeat it.
func LooksLikeAlgorithm(text string) bool {
	text = strings.ToLower(text)
	family := strings.TrimSuffix(strings.TrimRight(strings.TrimSuffix(text, "k"), "0123456789"), "-")
	size := strings.TrimSuffix(strings.TrimPrefix(text[len(family):], "-"), "k")
	return slices.Contains(families, family) && len(size) >= 3 && len(size) <= 5
}

var families = []string{"hs", "rs", "ps", "es", "ed", "sha", "hmac", "rsa", "ecdsa"}
