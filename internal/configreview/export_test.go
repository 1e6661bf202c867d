package configreview

// MarkedAt is where the proxies and file servers of a Caddyfile are, by the paths of
// their handlers, and what other handlers the adapted config has. ok is false if the
// marks keep it from being adapted.
func MarkedAt(caddyfile string, adapted []byte) (marked map[string]int, unmarked []string, ok bool) {
	s := &source{file: "Caddyfile"}
	s.readCaddyfile([]byte(caddyfile))
	c, err := read(adapted)
	if err != nil || s.marks == nil {
		return nil, nil, false
	}
	marked = make(map[string]int)
	for path, at := range s.marks {
		marked[path] = at.line
	}
	for _, h := range c.handlers {
		if _, there := marked[h.path]; !there && (h.name == "reverse_proxy" || h.name == "file_server") {
			unmarked = append(unmarked, h.path)
		}
	}
	return marked, unmarked, true
}

// LinesOf is linesOf.
var LinesOf = linesOf
