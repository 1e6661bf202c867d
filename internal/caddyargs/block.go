package caddyargs

import (
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddygrant/caddy-grant/internal/suggestion"
)

// Block keeps track of the subdirectives of a block: which were there, and which was
// last.
type Block struct {
	of   string // the directive or subdirective that the block belongs to
	seen map[string]bool
	last string
}

// NewBlock begins the block of a directive or subdirective.
func NewBlock(of string) *Block {
	return &Block{of: of, seen: make(map[string]bool)}
}

// Enter takes the next subdirective. Only a repeatable one may occur more than once.
func (b *Block) Enter(d *caddyfile.Dispenser, repeatable ...string) error {
	name := d.Val()
	if name == "{" {
		return d.Errf("%s takes no block", b.last)
	}
	if b.seen[name] && !slices.Contains(repeatable, name) {
		return d.Errf("duplicate subdirective %s", name)
	}
	b.seen[name], b.last = true, name
	return nil
}

// Unrecognized is the error for a subdirective that the block does not have. It says
// what was meant, if that can be told: a word of another program, a user of basic_auth,
// a word with typos, or one of another block.
func (b *Block) Unrecognized(d *caddyfile.Dispenser) error {
	word := d.Val()
	what := "unrecognized subdirective " + word + " of " + b.of
	if !isWord(word) {
		what = "unrecognized subdirective of " + b.of + ", which is not shown since it may contain a password"
	}
	if says := neighbour(b.of, word); says != "" {
		return d.Errf("%s: %s", what, says)
	}
	if args := d.RemainingArgs(); len(args) == 1 && isHash(args[0]) {
		return d.Errf("%s: %s", what, hashLine(b.of))
	}
	var known, owners []string
	for _, block := range subdirectives {
		if block.of == b.of {
			known = block.have
		} else if slices.Contains(block.have, word) {
			owners = append(owners, block.of)
		}
	}
	if len(owners) > 0 {
		return d.Errf("%s: it belongs to %s", what, strings.Join(owners, ", or to "))
	}
	if slices.Contains(directives, word) {
		return d.Errf("%s: it is a directive: is a } missing before it?", what)
	}
	if meant := suggestion.Nearest(word, known); meant != "" {
		return d.Errf("%s: did you mean %s?", what, meant)
	}
	return d.Err(what)
}

// isWord tells whether a subdirective may be shown: a URL, or what else has a password in
// it, may have been written in its place.
func isWord(word string) bool {
	return len(word) <= longestWord && !strings.ContainsAny(word, ":@/")
}

const longestWord = 40
