package configreview

import (
	"encoding/json"
	"strconv"
	"strings"
)

// at is the place of a handler that says where it is defined, or of another by its path.
func (s *source) at(definedAt, path string) position {
	if file, line, ok := splitPlace(definedAt); ok {
		return position{file, line}
	}
	return s.position(path)
}

// ofHandler is the place of a handler.
func (s *source) ofHandler(h *handler) position {
	var says struct {
		DefinedAt string `json:"defined_at"`
	}
	_ = json.Unmarshal(h.raw, &says)
	return s.at(says.DefinedAt, h.path)
}

// position is the place of a path in the config: the line itself or that of the part
// around it. It has no line if none is known.
func (s *source) position(path string) position {
	for path != "" {
		if at, marked := s.marks[path]; marked {
			return at
		}
		if line, there := s.lines["apps/"+path]; there {
			return position{s.file, line}
		}
		i := strings.LastIndexByte(path, '/')
		path = path[:max(i, 0)]
	}
	return position{file: s.file}
}

// splitPlace splits the place of a handler, such as Caddyfile:12.
func splitPlace(place string) (file string, line int, ok bool) {
	i := strings.LastIndexByte(place, ':')
	if i <= 0 {
		return "", 0, false
	}
	line, err := strconv.Atoi(place[i+1:])
	return place[:i], line, err == nil
}

// endpoint is the line of a token_endpoint in a Caddyfile, or nil.
func (s *source) endpoint(definedAt string) *node { return s.endpoints[definedAt] }

// endpointsOf are the token_endpoints of a Caddyfile, by where they are defined.
func endpointsOf(tree []*node, all map[string]*node) map[string]*node {
	for _, n := range tree {
		if n.is("token_endpoint") && all[n.String()] == nil {
			all[n.String()] = n
		}
		endpointsOf(n.block, all)
	}
	return all
}

// setting is the place of a setting of a server, or of the server if it has none.
func (s *source) setting(e *endpoint, names ...string) position {
	if s.lines != nil {
		return s.position(e.path + "/" + strings.Join(names, "/"))
	}
	n := s.endpoint(e.DefinedAt)
	for _, name := range names {
		if child := n.child(name); child != nil {
			n = child
		}
	}
	if n == nil {
		return s.at(e.DefinedAt, e.path)
	}
	return n.position
}

// in is the place of a user or a client that the config itself has, in a source of it.
func (s *source) in(e *endpoint, sources string, source int, directive, name string) position {
	if s.lines != nil {
		return s.position(e.path + "/" + sources + "/" + strconv.Itoa(source) + "/" + sources)
	}
	if n := s.endpoint(e.DefinedAt).child(directive, name); n != nil {
		return n.position
	}
	return s.at(e.DefinedAt, e.path)
}
