package configreview

import (
	"bytes"
	"encoding/json"
	"strconv"
)

// linesOf are the lines on which the values of a JSON text begin, by their paths, such
// as apps/http/servers/srv0.
func linesOf(data []byte) map[string]int {
	l := &liner{decoder: json.NewDecoder(bytes.NewReader(data)), data: data, line: 1, lines: make(map[string]int)}
	l.value("")
	return l.lines
}

// liner goes through a JSON text that is known to be valid.
type liner struct {
	decoder *json.Decoder
	data    []byte
	at      int // up to where lines are counted
	line    int
	lines   map[string]int
}

func (l *liner) value(path string) {
	token, err := l.decoder.Token()
	if err != nil {
		return
	}
	end := int(l.decoder.InputOffset())
	l.line += bytes.Count(l.data[l.at:end], []byte("\n"))
	l.at = end
	if len(l.lines) < manyLines {
		l.lines[path] = l.line
	}
	switch token {
	case json.Delim('{'):
		for l.decoder.More() {
			key, err := l.decoder.Token()
			if err != nil {
				return
			}
			name, _ := key.(string)
			l.value(join(path, name))
		}
	case json.Delim('['):
		for i := 0; l.decoder.More(); i++ {
			l.value(join(path, strconv.Itoa(i)))
		}
	default:
		return
	}
	_, _ = l.decoder.Token() // what closes it
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "/" + name
}

// manyLines is more than a config has that was written by hand.
const manyLines = 1_000_000
