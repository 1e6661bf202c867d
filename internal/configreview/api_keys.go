package configreview

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/caddygrant/caddy-grant/directory"
	"github.com/caddygrant/caddy-grant/internal/apikey"
	"github.com/caddygrant/caddy-grant/internal/clock"
)

// ofAPIKeys is about a file of API keys: who can read it, and keys that say by themselves
// that they are of no use, or for ever. Whether their owners are there, start-up says.
func (r *review) ofAPIKeys(e *endpoint, format, path string) {
	path = resolved(path)
	r.ofPermissions(path, "its API keys, their hashes and owners", Warning)
	keys := readAPIKeys(format, path)
	if keys == nil {
		return
	}
	needed := r.scopesNeededByKeys(e)
	for key := range keys.All() {
		at, name := position{path, keys.Line(key)}, directory.Shown(key.Name)
		switch {
		case key.Expired(clock.Now()):
			r.at(at, "expired-key", fmt.Sprintf("the API key %s expired at %s", name, key.Expires), fmt.Sprintf("\"caddy grant key revoke %s --file %s\"; make another one if it is needed", wordOr(key.Name, "NAME"), wordOr(path, "FILE")))
			continue // whatever else it has
		case key.Expires == "":
			r.at(at, "endless-key", fmt.Sprintf("the API key %s never expires: if it leaks, it is good until someone removes it", name), "")
		}
		if len(key.Scopes) > 0 {
			continue
		}
		if needed {
			r.at(at, "scopeless-key", fmt.Sprintf("the API key %s has no scopes, and each bearer_auth that takes keys asks for some: it is always refused", name), "")
		} else {
			r.note(at, "scopeless-key", fmt.Sprintf("the API key %s has no scopes: it passes only where none are asked for", name), "")
		}
	}
}

// readAPIKeys reads a file of keys, nil if it cannot be read: Caddy says so.
func readAPIKeys(format, path string) *apikey.Set {
	parse := apikey.Formats[format]
	if parse == nil {
		return nil
	}
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() || info.Size() > maxList {
		return nil
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil
	}
	keys, err := parse(data)
	if err != nil {
		return nil
	}
	return keys
}

// ofKey is the place of a key in a file.
func (r *review) ofKey(path, name string) position {
	for _, e := range r.config.endpoints {
		for _, file := range e.APIKeys {
			if absolute, err := filepath.Abs(resolved(file.Path)); err != nil || absolute != path {
				continue
			}
			if keys := readAPIKeys(file.Source, path); keys != nil {
				for key := range keys.All() {
					if key.Name == name {
						return position{path, keys.Line(key)}
					}
				}
			}
		}
	}
	return position{file: path}
}

// scopesNeededByKeys tells whether a key of a server without scopes passes nowhere.
func (r *review) scopesNeededByKeys(e *endpoint) bool {
	taken := false
	for _, c := range r.config.checks {
		if c.takes(e) && c.Keys != nil {
			if len(c.Scopes) == 0 {
				return false
			}
			taken = true
		}
	}
	return taken
}

// wordOr leaves what a shell takes as it is.
func wordOr(text, otherwise string) string {
	if isWord.MatchString(text) {
		return text
	}
	return otherwise
}
