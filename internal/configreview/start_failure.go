package configreview

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// ofFailure is about a config that Caddy refuses.
func (r *review) ofFailure(err error) {
	text := err.Error()
	if all := ofModule.FindAllStringIndex(text, -1); all != nil {
		text = text[all[len(all)-1][1]:]
	}
	finding := Finding{Rule: "config-refused", Message: "Caddy refuses this config: " + text}
	if found := inFile.FindStringSubmatch(text); found != nil {
		finding.File = found[1]
		finding.Line, _ = strconv.Atoi(found[2])
	} else if h := r.refused(err.Error()); h != nil {
		at := r.ofHandler(h)
		finding.File, finding.Line = at.file, at.line
	} else if found := ofNamed.FindStringSubmatch(text); found != nil {
		if e := r.config.server(found[1]); e != nil {
			at := r.setting(e)
			finding.File, finding.Line = at.file, at.line
		}
	}
	if found := ofFile.FindStringSubmatch(text); found != nil && hashAdvice.MatchString(text) {
		finding.Message = hashAdvice.ReplaceAllString(finding.Message, "")
		named := nameOfEntry.FindStringSubmatch(text)
		switch {
		case strings.Contains(text, "no entries in it"):
			finding.Remedy = fmt.Sprintf("add one with \"caddy grant %s add\"", strings.TrimSuffix(found[1], "s"))
		case named != nil:
			finding.Remedy = newHash(found[1], named[1], found[2])
		default:
			finding.Remedy = newHash(found[1], "", found[2])
		}
	}
	if strings.Contains(text, "no such file") {
		finding.Remedy = "correct the path or create the file; a relative path counts from the directory in which Caddy is started, here from that of this command"
	}
	r.add(finding)
}

// refused is the handler that an error is about, as far as Caddy says where it is: in
// which server, in which of its routes, and at which position there.
func (r *review) refused(text string) *handler {
	_, text, named := strings.Cut(text, "server ")
	server, text, cut := strings.Cut(text, ": setting up ")
	if !named || !cut {
		return nil
	}
	path := "http/servers/" + server
	var last *handler
	for _, step := range stepTo.FindAllStringSubmatch(text, -1) {
		switch {
		case step[1] == "error":
			path += "/errors"
		case step[2] == "route":
			number, _ := strconv.Atoi(step[3])
			if strings.HasSuffix(path, server+"/errors") && len(r.config.checks) > 0 {
				number-- // the listener guard has a route before those of the config
			}
			path += fmt.Sprintf("/routes/%d", number)
		default:
			path += "/handle/" + step[3]
		}
		if i := slices.IndexFunc(r.config.handlers, func(h *handler) bool { return h.path == path && h.name == step[4] }); i >= 0 {
			last = r.config.handlers[i]
		}
	}
	return last
}

var (
	// stepTo is a step from an HTTP server to one of its handlers.
	stepTo = regexp.MustCompile(`\b(error) (?:handling routes|subroutes)|\b(route|position) (\d+): (?:loading module '([^']+)')?`)

	// ofModule is how Caddy begins the error of a module, within those around it.
	ofModule = regexp.MustCompile(`loading module '[^']+': (?:provision [\w.]+: |[\w.]+: invalid configuration: )?`)

	inFile = regexp.MustCompile(`(?:users|clients|api_keys) file (.+?): line (\d+)`)

	// of a file, and of an entry in it, with the advice at the end
	ofFile      = regexp.MustCompile(`(users|clients) file (.+?): `)
	nameOfEntry = regexp.MustCompile(`: line \d+: "([^"\\]+)": `)
	hashAdvice  = regexp.MustCompile(`; (?:make a new one with "caddy hash-password|(?:set one|set a password) with: htpasswd|add one with "caddy grant)[^;\n]*$`)

	ofNamed = regexp.MustCompile(`server "([a-z0-9_-]+)": `)
)
