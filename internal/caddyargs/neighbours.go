package caddyargs

import (
	"slices"
	"strings"
)

// Neighbour is words by which other programs know something, and what does it here.
type Neighbour struct {
	// Words with blanks between them. Case does not count, and neither do _ and -, so
	// that grant_types stands for grantTypes and grant-types too. A word that ends in *
	// stands for all words that begin with it.
	Words string

	// Says is what to write instead, or that there is nothing of the kind. What is in
	// quotes can be written as it is, in the block at hand or in one that is named.
	Says string
}

// has tells whether a word is one of the neighbour's, by name or by how it begins.
func (n Neighbour) has(word string) (named, begins bool) {
	word = fold(word)
	for _, known := range strings.Fields(n.Words) {
		known = fold(known)
		start, open := strings.CutSuffix(known, "*")
		named = named || known == word
		begins = begins || open && start != "" && strings.HasPrefix(word, start)
	}
	return named, begins
}

// fold makes grantTypes, grant-types and GRANT_TYPES one word.
func fold(word string) string {
	return strings.ToLower(separators.Replace(word))
}

var separators = strings.NewReplacer("_", "", "-", "")

// neighbour says what does here what a word of another program does there, or is empty.
func neighbour(of, word string) string {
	return inTables(word, Neighbours[of], Everywhere)
}

// inTables looks for the word itself first, and then for how it begins.
func inTables(word string, tables ...[]Neighbour) string {
	var byBeginning string
	for _, table := range tables {
		for _, n := range table {
			named, begins := n.has(word)
			if named {
				return n.Says
			}
			if begins && byBeginning == "" {
				byBeginning = n.Says
			}
		}
	}
	return byBeginning
}

// isHash tells whether an argument looks like the hash of a password.
func isHash(arg string) bool {
	return slices.ContainsFunc([]string{"$", "{SHA}", "{SSHA}", "{CRYPT}", bcryptInBase64}, func(start string) bool {
		return len(arg) > len(start) && strings.HasPrefix(arg, start)
	})
}

// bcryptInBase64 is how a hash of Caddy's basicauth began before Caddy 2.5.
const bcryptInBase64 = "JDJ"

// hashLine says where a line of basic_auth belongs, which is a name and a hash.
func hashLine(of string) string {
	switch of {
	case "token_endpoint":
		return `write a user of basic_auth as "user <username> <hash>"`
	case "client":
		return `the hash of the client's secret is "secret_hash <hash>"`
	}
	return `if this is a user, it belongs to token_endpoint: "user <username> <hash>"`
}
