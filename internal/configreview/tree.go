package configreview

import (
	"fmt"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

// position is a place of the config that was written by hand.
type position struct {
	file string
	line int
}

// node is a line of a Caddyfile, with the lines of its block. Imports are resolved, and
// a line knows the file that it is from.
type node struct {
	position
	words []string
	block []*node
}

// treeOf are the blocks of a Caddyfile.
func treeOf(blocks []caddyfile.ServerBlock) []*node {
	var tree []*node
	for _, block := range blocks {
		site := &node{words: block.GetKeysText()}
		if len(block.Keys) > 0 {
			site.position = position{block.Keys[0].File, block.Keys[0].Line}
		}
		for _, segment := range block.Segments {
			parents := []*node{site}
			for i, token := range segment {
				inner := parents[len(parents)-1]
				switch begins := beginsLine(segment, i); {
				case begins && token.Text == "}" && !token.Quoted():
					if len(parents) > 1 {
						parents = parents[:len(parents)-1]
					}
				case begins:
					inner.block = append(inner.block, &node{position: position{token.File, token.Line}, words: []string{token.Text}})
				case len(inner.block) == 0: // cannot be
				case token.Text == "{" && !token.Quoted():
					parents = append(parents, inner.block[len(inner.block)-1])
				default:
					last := inner.block[len(inner.block)-1]
					last.words = append(last.words, token.Text)
				}
			}
		}
		tree = append(tree, site)
	}
	return tree
}

// beginsLine tells whether a token is the first of its line.
func beginsLine(tokens []caddyfile.Token, i int) bool {
	if i == 0 {
		return true
	}
	before, token := tokens[i-1], tokens[i]
	return before.File != token.File || before.Line+before.NumLineBreaks() != token.Line
}

// find returns the first line that is wanted, of a tree in the order of the file.
func find(tree []*node, wanted func(*node) bool) *node {
	for _, n := range tree {
		if wanted(n) {
			return n
		}
		if found := find(n.block, wanted); found != nil {
			return found
		}
	}
	return nil
}

// is tells whether a line begins with a word. Global options have none.
func (n *node) is(word string) bool { return len(n.words) > 0 && n.words[0] == word }

// child is the line of a block that begins with some words.
func (n *node) child(words ...string) *node {
	if n == nil {
		return nil
	}
	i := slices.IndexFunc(n.block, func(c *node) bool {
		return len(c.words) >= len(words) && slices.Equal(c.words[:len(words)], words)
	})
	if i < 0 {
		return nil
	}
	return n.block[i]
}

// nth is the nth line of a block, from 0, that begins with a word.
func (n *node) nth(word string, nth int) *node {
	if n == nil {
		return nil
	}
	for _, c := range n.block {
		if c.words[0] != word {
			continue
		}
		if nth == 0 {
			return c
		}
		nth--
	}
	return nil
}

// mentions tells whether a line or its block has a text, in any case.
func (n *node) mentions(text string) bool {
	return slices.ContainsFunc(n.words, func(word string) bool {
		return strings.Contains(strings.ToLower(word), strings.ToLower(text))
	}) || slices.ContainsFunc(n.block, func(c *node) bool { return c.mentions(text) })
}

// String is as handlers say where they are defined.
func (p position) String() string { return fmt.Sprintf("%s:%d", p.file, p.line) }
