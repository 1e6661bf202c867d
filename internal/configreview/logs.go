package configreview

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
)

// log is one of Caddy's logs.
type log struct {
	Writer  struct{ Output string }
	Encoder encoder
	Include []string
	Exclude []string
}

// encoder is the format of a log.
type encoder struct {
	Format string
	Wrap   *encoder
	Fields map[string]struct{ Filter string }
}

// ofLogs is about logs that get API keys. Caddy hides no header in them but those that all
// servers know, such as Authorization. Errors of a server have the headers too, so also a
// config without an access log has them in its default log.
func (r *review) ofLogs() {
	logs := maps.Clone(r.config.logs)
	if _, there := logs[caddy.DefaultLoggerName]; !there {
		if logs == nil {
			logs = make(map[string]log)
		}
		logs[caddy.DefaultLoggerName] = log{}
	}
	for _, c := range r.config.checks {
		if c.Off || c.Keys == nil || c.Keys.Header == "" {
			continue
		}
		field := "request>headers>" + http.CanonicalHeaderKey(c.Keys.Header)
		for _, name := range slices.Sorted(maps.Keys(logs)) {
			if l := logs[name]; l.getsRequests() && !l.Encoder.hides(field) {
				r.at(r.ofHandler(c.handler), "logged-key", fmt.Sprintf("the log %q gets the API keys of requests in the header %s", name, c.Keys.Header),
					fmt.Sprintf("give this log \"format filter\" with a block that has the line %q; the log \"default\" is \"log\" in the global options", field+" delete"))
			}
		}
	}
}

// getsRequests tells whether a log gets requests, or errors of a server with the request.
func (l log) getsRequests() bool {
	whole := func(name string) bool { return strings.HasPrefix("http.log.", name+".") }
	part := func(name string) bool { return whole(name) || strings.HasPrefix(name, "http.log.") }
	return l.Writer.Output != "discard" && !slices.ContainsFunc(l.Exclude, whole) &&
		(len(l.Include) == 0 || slices.ContainsFunc(l.Include, part))
}

// hides tells whether a format leaves out a field, or what it has. What formats of plugins
// do is not known.
func (e encoder) hides(field string) bool {
	switch e.Format {
	case "", "json", "console":
		return false
	case "filter":
		for path := field; path != ""; path = path[:max(strings.LastIndexByte(path, '>'), 0)] {
			if f, there := e.Fields[path]; there && f.Filter != "rename" {
				return true
			}
		}
	case "append":
	default:
		return true
	}
	return e.Wrap != nil && e.Wrap.hides(field)
}
