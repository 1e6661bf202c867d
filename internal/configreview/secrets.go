package configreview

import (
	"bufio"
	"fmt"
	"os"
	"regexp"
	"strings"

	"github.com/caddygrant/caddy-grant/directory"
)

// ofSecrets is about secrets that the config itself has. It prints none of them.
func (r *review) ofSecrets() {
	for _, e := range r.config.endpoints {
		for i, source := range e.ClientSources {
			for _, client := range source.Clients {
				if isPlain(client.Secret) {
					at := r.in(e, "clients", i, "client", client.ID)
					if n := r.endpoint(e.DefinedAt).child("client", client.ID).child("secret"); n != nil {
						at = n.position
					}
					r.ofPlainSecret(at, "the secret of client "+directory.Shown(client.ID), "secret {file./path/to/secret}")
				}
			}
		}
		for i, key := range e.SigningKeys {
			if isPlain(key.Secret) {
				at := r.setting(e, "signing_key")
				if n := r.endpoint(e.DefinedAt).nth("signing_key", i); n != nil {
					at = n.position
				}
				r.ofPlainSecret(at, "the secret that signs tokens", "signing_key <algorithm> {file./path/to/secret}")
			}
		}
		for _, engine := range append([]engine{e.Sessions}, e.AlsoSessions...) {
			inURL := passwordInURL.FindStringSubmatch(engine.text("url"))
			if isPlain(engine.text("password")) || inURL != nil && isPlain(inURL[1]) {
				r.ofPlainSecret(r.setting(e, "sessions"), "the password for the sessions in "+directory.Shown(engine.text("engine")), "password {file./path/to/password}")
			}
		}
	}
}

func (r *review) ofPlainSecret(at position, what, example string) {
	remedy := fmt.Sprintf("make a new one, write it to a file that only Caddy can read, and name the file: %q; or {env.NAME} for a variable", example)
	if strings.Contains(lineOf(at), "{$") {
		r.add(Finding{Rule: "plaintext-secret", Severity: Warning, File: at.file, Line: at.line,
			Message: what + " is put in by {$…} when the Caddyfile is adapted: Caddy keeps it in autosave.json, and its admin endpoint shows it",
			Remedy:  "write {env.NAME} in place of {$NAME}: Caddy then reads the variable at start"})
		return
	}
	r.at(at, "plaintext-secret", what+" is written in the config, and so it is in each copy of it, in autosave.json and at the admin endpoint", remedy)
}

// isPlain tells whether a secret is in the config, and not only where to find it.
func isPlain(secret string) bool {
	return secret != "" && !placeholder.MatchString(secret)
}

var passwordInURL = regexp.MustCompile(`^[a-z0-9+]+://[^/@:]*:([^/@]+)@`)

var placeholder = regexp.MustCompile(`(^|[^\\])\{[A-Za-z_]+\.[^{}]+\}`)

// lineOf is a line as the file has it.
func lineOf(at position) string {
	file, err := os.Open(at.file)
	if err != nil {
		return ""
	}
	defer file.Close()
	if info, err := file.Stat(); err != nil || !info.Mode().IsRegular() {
		return "" // what was a pipe has been read
	}
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, maxConfig)
	for n := 1; lines.Scan(); n++ {
		if n == at.line {
			return lines.Text()
		}
	}
	return ""
}
