package configreview

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
)

// The adapted JSON does not say which line of the Caddyfile a handler is from. So the
// Caddyfile is adapted once more, with a number in each proxy and file server, only to
// find the numbers in what comes out.

// readCaddyfile finds out where the directives of a Caddyfile are, which has been
// adapted without an error.
func (s *source) readCaddyfile(data []byte) {
	blocks, err := caddyfile.Parse(s.file, bytes.Clone(data))
	if err != nil {
		return
	}
	s.tree = treeOf(blocks)
	s.endpoints = endpointsOf(s.tree, make(map[string]*node))
	var positions []position
	for i := range blocks {
		for j, segment := range blocks[i].Segments {
			blocks[i].Segments[j], positions = mark(segment, positions)
		}
	}
	marked, _, err := httpcaddyfile.ServerType{}.Setup(blocks, map[string]any{"filename": s.file})
	if err != nil {
		return
	}
	encoded, err := json.Marshal(marked)
	if err != nil {
		return
	}
	c, err := read(encoded)
	if err != nil {
		return
	}
	s.marks = make(map[string]position)
	for _, h := range c.handlers {
		if i, ok := h.mark(); ok && i < len(positions) {
			s.marks[h.path] = positions[i]
		}
	}
}

// mark puts numbers into a segment.
func mark(segment caddyfile.Segment, positions []position) (caddyfile.Segment, []position) {
	var out caddyfile.Segment
	for i := 0; i < len(segment); i++ {
		first := segment[i]
		out = append(out, first)
		words := marks[first.Text]
		if words == nil || first.Quoted() || !beginsLine(segment, i) {
			continue
		}
		for i+1 < len(segment) && !beginsLine(segment, i+1) {
			i++
			out = append(out, segment[i])
		}
		last := segment[i]
		opened := last.Text == "{" && !last.Quoted()
		if !opened {
			brace := first.Clone()
			brace.Text, brace.Line = "{", last.Line+last.NumLineBreaks()
			out = append(out, brace)
		}
		// another file is another line, both before and after
		for _, text := range append(slices.Clone(words), markPrefix+strconv.Itoa(len(positions))) {
			out = append(out, caddyfile.Token{File: markPrefix, Line: 1, Text: text})
		}
		if !opened {
			out = append(out, caddyfile.Token{File: markPrefix, Line: 2, Text: "}"})
		}
		positions = append(positions, position{first.File, first.Line})
	}
	return out, positions
}

// mark is the number in a handler.
func (h *handler) mark() (int, bool) {
	var has struct {
		Hide    []string
		Headers struct {
			Request struct{ Set map[string][]string }
		}
	}
	if json.Unmarshal(h.raw, &has) != nil {
		return 0, false
	}
	for _, value := range append(has.Hide, has.Headers.Request.Set[markHeader]...) {
		if _, number, ok := strings.Cut(value, markPrefix); ok {
			i, err := strconv.Atoi(number)
			return i, err == nil
		}
	}
	return 0, false
}

// marks are the words before a number, by the directive whose block they are in.
var marks = map[string][]string{
	"reverse_proxy": {"header_up", markHeader},
	"php_fastcgi":   {"header_up", markHeader},
	"file_server":   {"hide"},
}

const (
	markHeader = "Caddy-Grant-Check"
	markPrefix = "caddy-grant-check-"
)
