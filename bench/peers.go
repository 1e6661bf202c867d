package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// peer is a token server of another library, to compare with. What favours it is said at the top of its program, in
// the directory peers.
type peer struct {
	name    string
	program string // its directory there
	flags   []string
	alg     string // what signs its access tokens; none if they are no JWTs
	fixed   bool   // it answers every request alike

	command []string // what starts it, once it is built
	dir     string   // where
}

// newPeers are all of them. Where a library has a fast way that is not what its documentation shows, both are there.
func newPeers() []*peer {
	return []*peer{
		{name: "net/http", program: "nethttp", fixed: true},
		{name: "go-oauth2 HS256", program: "go-oauth2", flags: []string{"-alg", "HS256"}, alg: "HS256"},
		{name: "go-oauth2 ES256", program: "go-oauth2", flags: []string{"-alg", "ES256"}, alg: "ES256"},
		{name: "go-oauth2 ES256, fast", program: "go-oauth2", flags: []string{"-alg", "ES256", "-key", "parsed"}, alg: "ES256"},
		{name: "fosite opaque", program: "fosite", flags: []string{"-alg", "HMAC"}},
		{name: "fosite ES256", program: "fosite", flags: []string{"-alg", "ES256"}, alg: "ES256"},
		{name: "jmondi HS256", program: "jmondi", alg: "HS256"},
		{name: "jmondi HS256, key object", program: "jmondi", flags: []string{"--key", "keyobject"}, alg: "HS256"},
		{name: "jmondi HS256, fast", program: "jmondi", flags: []string{"--http", "node", "--key", "keyobject"}, alg: "HS256"},
		{name: "node-oauth HS256", program: "node-oauth", alg: "HS256"},
		{name: "node-oauth HS256, fast", program: "node-oauth", flags: []string{"--key", "keyobject"}, alg: "HS256"},
	}
}

// peers builds those that this machine can run. It needs the network, unless their modules have been downloaded before.
func (b *bench) peers(ctx context.Context) ([]*peer, error) {
	source, err := sourceDir(ctx)
	if err != nil {
		return nil, err
	}
	builds := peerBuilds{
		source: filepath.Join(source, "peers"),
		target: b.path("peers"),
		done:   make(map[string]bool),
	}
	node, npm := find("node"), find("npm")
	var built []*peer
	var left []string
	for _, p := range newPeers() {
		switch _, err := os.Stat(filepath.Join(builds.source, p.program, "package.json")); {
		case err != nil: // it is in Go
			binary, err := builds.compile(ctx, p.program)
			if err != nil {
				return nil, err
			}
			p.command, p.dir = []string{binary, "-listen"}, b.dir
		case node == "" || npm == "":
			left = append(left, p.name)
			continue
		default:
			if p.dir, err = builds.install(ctx, npm, p.program); err != nil {
				return nil, err
			}
			p.command = []string{node, "server.mjs", "--listen"}
		}
		built = append(built, p)
	}
	if len(left) > 0 {
		fmt.Fprintf(os.Stderr, "left out, as node or npm is missing: %s\n", strings.Join(left, "; "))
	}
	return built, nil
}

// find is the path of a program, or nothing.
func find(program string) string {
	path, err := exec.LookPath(program)
	if err != nil {
		return ""
	}
	return path
}

// peerBuilds builds each program once, in the directory of the run.
type peerBuilds struct {
	source, target string
	done           map[string]bool
}

// compile is for a program in Go, which may be a module of its own.
func (p peerBuilds) compile(ctx context.Context, program string) (binary string, err error) {
	binary = filepath.Join(p.target, program+".bin")
	if p.done[program] {
		return binary, nil
	}
	p.done[program] = true
	return binary, compile(ctx, filepath.Join(p.source, program), ".", binary)
}

// install is for a program in JavaScript. It works on a copy, so that the checkout stays as it is.
func (p peerBuilds) install(ctx context.Context, npm, program string) (dir string, err error) {
	dir = filepath.Join(p.target, program)
	if p.done[program] {
		return dir, nil
	}
	p.done[program] = true
	for _, name := range []string{program, "shared"} {
		if err := p.copy(name); err != nil {
			return "", err
		}
	}
	ci := exec.CommandContext(ctx, npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund")
	ci.Dir = dir
	return dir, combined(ci, "installing the peer "+program)
}

// copy leaves out what npm has installed there.
func (p peerBuilds) copy(name string) error {
	if err := os.MkdirAll(filepath.Join(p.target, name), 0o700); err != nil {
		return err
	}
	entries, err := os.ReadDir(filepath.Join(p.source, name))
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if !entry.Type().IsRegular() {
			continue
		}
		content, err := os.ReadFile(filepath.Join(p.source, name, entry.Name()))
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(p.target, name, entry.Name()), content, 0o600); err != nil {
			return err
		}
	}
	return nil
}
