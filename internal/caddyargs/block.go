package caddyargs

import (
	"slices"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

// Block keeps watch over the subdirectives of a block: which were there, and which was last.
type Block struct {
	of    string // the directive or subdirective that the block belongs to
	known []string
	seen  map[string]bool
	last  string
}

// NewBlock begins the block of a directive or subdirective, with the names of what can be
// in it.
func NewBlock(of string, known ...string) *Block {
	return &Block{of: of, known: known, seen: make(map[string]bool)}
}

// Enter takes the next subdirective. Only a repeatable one may be there more than once.
func (b *Block) Enter(d *caddyfile.Dispenser, repeatable ...string) error {
	name := d.Val()
	if name == "{" {
		return d.Errf("%s takes no block", b.last)
	}
	if b.seen[name] && !slices.Contains(repeatable, name) {
		return d.Errf("%s is there twice", name)
	}
	b.seen[name], b.last = true, name
	return nil
}

// Unrecognized is the error for a subdirective that the block does not have.
func (b *Block) Unrecognized(d *caddyfile.Dispenser) error {
	if meant := Suggestion(d.Val(), b.known); meant != "" {
		return d.Errf("unrecognized subdirective %s of %s: did you mean %s?", d.Val(), b.of, meant)
	}
	return d.Errf("unrecognized subdirective %s of %s", d.Val(), b.of)
}
