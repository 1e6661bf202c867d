package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// peer is a token server of another library, to compare with. What favours it is said at the top of its program, in
// the directory peers.
type peer struct {
	name    string
	program string // its directory there
	node    bool   // it is in JavaScript, and not in Go
	flags   []string
	alg     string // what signs its access tokens; empty if they are not JWTs
	fixed   bool   // it answers all requests the same

	procs   int      // of Go, see withProcs; 0: as many as it has cores
	command []string // what starts it, once it is built
	dir     string   // where
}

// newPeers returns all of them. Where a library has a faster way than its documentation
// shows, both are there.
func newPeers() []*peer {
	return []*peer{
		{name: "net/http", program: "nethttp", fixed: true},
		{name: "go-oauth2 HS256", program: "go-oauth2", flags: []string{"-alg", "HS256"}, alg: "HS256"},
		{name: "go-oauth2 ES256", program: "go-oauth2", flags: []string{"-alg", "ES256"}, alg: "ES256"},
		{name: "go-oauth2 ES256, fast", program: "go-oauth2", flags: []string{"-alg", "ES256", "-key", "parsed"}, alg: "ES256"},
		{name: "fosite opaque", program: "fosite", flags: []string{"-alg", "HMAC"}},
		{name: "fosite ES256", program: "fosite", flags: []string{"-alg", "ES256"}, alg: "ES256"},
		{name: "jmondi HS256", program: "jmondi", node: true, alg: "HS256"},
		{name: "jmondi HS256, key object", program: "jmondi", node: true, flags: []string{"--key", "keyobject"}, alg: "HS256"},
		{name: "jmondi HS256, fast", program: "jmondi", node: true, flags: []string{"--http", "node", "--key", "keyobject"}, alg: "HS256"},
		{name: "node-oauth HS256", program: "node-oauth", node: true, alg: "HS256"},
		{name: "node-oauth HS256, fast", program: "node-oauth", node: true, flags: []string{"--key", "keyobject"}, alg: "HS256"},
	}
}

// peers builds the peers that this machine can run, each program once. It needs the
// network, unless their modules have been downloaded before.
func (b *bench) peers(ctx context.Context) ([]*peer, error) {
	source, err := sourceDir(ctx)
	if err != nil {
		return nil, err
	}
	source, copied := filepath.Join(source, "peers"), b.path("peers")
	// npm works on a copy, so that the checkout stays as it is
	if err := os.CopyFS(copied, os.DirFS(source)); err != nil {
		return nil, err
	}
	node, _ := exec.LookPath("node") // nothing, if there is none
	npm, _ := exec.LookPath("npm")
	var built []*peer
	var left []string
	done := make(map[string]bool)
	for _, p := range newPeers() {
		if p.node && (node == "" || npm == "") {
			left = append(left, p.name)
			continue
		}
		p.dir = filepath.Join(copied, p.program)
		p.command = []string{filepath.Join(p.dir, p.program), "-listen"}
		if p.node {
			p.command = []string{node, "server.mjs", "--listen"}
		}
		if !done[p.program] {
			done[p.program] = true
			if err := p.build(ctx, npm, filepath.Join(source, p.program)); err != nil {
				return nil, err
			}
		}
		built = append(built, p)
	}
	if len(left) > 0 {
		fmt.Fprintf(os.Stderr, "left out, as node or npm is missing: %s\n", strings.Join(left, "; "))
	}
	return built, nil
}

func (p *peer) build(ctx context.Context, npm, source string) error {
	if !p.node {
		return compile(ctx, source, ".", p.command[0])
	}
	ci := exec.CommandContext(ctx, npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund")
	ci.Dir = p.dir
	return combined(ci, "installing the peer "+p.program)
}

// start runs a peer on loopback, on the core that is for servers, and waits until it
// answers.
func (p *peer) start(ctx context.Context, b *bench) (*process, error) {
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	args := slices.Concat(p.command[1:], []string{address}, p.flags)
	running := &process{name: "the peer " + p.name, address: address, cmd: exec.Command(p.command[0], args...)}
	running.cmd.Dir = p.dir
	running.cmd.Env = append(withProcs(p.procs), "NODE_ENV=production")
	return running, running.start(ctx, b, b.cores.server, nil)
}
