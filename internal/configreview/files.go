package configreview

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddygrant/caddy-grant/internal/livefile"
)

// ofFiles is about the files that a config names, and about its own: who else can read
// and write them.
func (r *review) ofFiles() {
	for _, e := range r.config.endpoints {
		for i, source := range e.UserSources {
			if source.Source == "inline" && len(source.Users) > 0 {
				r.ofOwnFile(r.in(e, "users", i, "user", source.Users[0].Username), "password hashes")
			}
			if isFile(source.Source) {
				r.ofList(e, "users", source.Source, source.Path)
			}
		}
		for i, source := range e.ClientSources {
			for _, client := range source.Clients {
				if client.SecretHash != "" {
					r.ofOwnFile(r.in(e, "clients", i, "client", client.ID), "hashes of secrets")
				}
				for _, path := range secretFiles(client.Secret) {
					r.ofPermissions(path, fmt.Sprintf("the secret of client %s", client.ID), Error)
				}
			}
			if isFile(source.Source) {
				r.ofList(e, "clients", source.Source, source.Path)
			}
		}
		for _, file := range e.APIKeys {
			r.ofAPIKeys(e, file.Source, file.Path)
		}
		for _, key := range e.SigningKeys {
			for _, path := range secretFiles(key.Secret) {
				r.ofPermissions(path, "the secret that signs tokens", Error)
			}
			if key.File != "" {
				r.ofPermissions(resolved(key.File), "the private key that signs tokens", Error)
			}
		}
	}
}

func isFile(source string) bool { return source == "htpasswd" || source == "json" }

// ofOwnFile is about a file of the config itself that has hashes in it.
func (r *review) ofOwnFile(at position, what string) {
	if info, err := os.Stat(at.file); err != nil || !readableByOthers(at.file, info) {
		return
	}
	r.add(Finding{Rule: "file-readable", File: at.file,
		Message: "every user of this machine can read this file, which has " + what + " in it",
		Remedy:  fmt.Sprintf("\"chmod o-r %s\", and give the file the group that Caddy runs as; or move the hashes to a file of their own", at.file)})
}

func (r *review) ofPermissions(path, what string, readable Severity) {
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() {
		return // Caddy says so
	}
	if changed, why := livefile.Writable(path); why != "" {
		r.add(Finding{Rule: "file-writable", File: path, Message: why + ": " + what, Remedy: fmt.Sprintf("\"chmod go-w %s\"", changed)})
	}
	if readableByOthers(path, info) {
		r.add(Finding{Rule: "file-readable", Severity: readable, File: path,
			Message: "every user of this machine can read this file: " + what,
			Remedy:  fmt.Sprintf("\"chmod o-r %s\", and give the file the group that Caddy runs as: mode 0640 is enough", path)})
	}
}

// readableByOthers tells whether users who are neither the owner nor in the group can
// read a file, and get to it.
func readableByOthers(path string, info fs.FileInfo) bool {
	if runtime.GOOS == "windows" || info.Mode().Perm()&0o004 == 0 {
		return false // on Windows a mode does not say who may
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return true
	}
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target
	}
	for path != filepath.Dir(path) {
		path = filepath.Dir(path)
		if directory, err := os.Stat(path); err == nil && directory.Mode().Perm()&0o001 == 0 {
			return false
		}
	}
	return true
}

// secretFiles are the files of the placeholders of a secret.
func secretFiles(secret string) (paths []string) {
	for _, placeholder := range filePlaceholder.FindAllStringSubmatch(secret, -1) {
		paths = append(paths, placeholder[1])
	}
	return paths
}

var filePlaceholder = regexp.MustCompile(`\{file\.([^{}]+)\}`)

// resolved is a path with its placeholders replaced.
func resolved(text string) string {
	if !strings.Contains(text, "{") {
		return text
	}
	return caddy.NewReplacer().ReplaceKnown(text, "")
}
