package docs

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
	"github.com/caddygrant/caddy-grant/integration/internal/repo"
	"github.com/caddygrant/caddy-grant/internal/event"
)

var eventGroups = []group{
	{"a command runs on an event", []string{"events-exec", "events-build"}, testEventCommands},
}

const execPlugin = " --with github.com/mholt/caddy-events-exec"

// The commands of the recipe get what it says, when what it says happens.
func testEventCommands(t *testing.T, blocks map[string]block) {
	if build := strings.TrimSpace(blocks["events-build"].text); build != strings.TrimSpace(blocks["xcaddy"].text)+execPlugin {
		t.Errorf("the build command is %q", build)
	}
	r := newRecipe(t)
	command := func(name string) string {
		path := r.Path(name)
		if err := os.WriteFile(path, []byte("#!/bin/sh\nfor arg; do printf '%s\\n' \"$arg\"; done >"+path+".tmp\nmv "+path+".tmp "+path+".txt\n"), 0o700); err != nil {
			t.Fatal(err)
		}
		return path
	}
	onReuse, onBroken := command("on-reuse"), command("on-broken-file")
	r.serve(strings.NewReplacer("/usr/local/bin/on-reuse", onReuse, "/usr/local/bin/on-broken-file", onBroken).Replace(blocks["events-exec"].text))

	tokens := r.As("web").Login(t, "alice")
	r.As("web").Refreshed(t, tokens.Refresh)
	r.As("web").Refresh(tokens.Refresh).Want(t, 400, "invalid_grant")
	printed := func(command string) []string {
		harness.Eventually(t, command+" was run", func() bool { _, err := os.Stat(command + ".txt"); return err == nil })
		content, err := os.ReadFile(command + ".txt")
		if err != nil {
			t.Fatal(err)
		}
		return strings.Split(strings.TrimSpace(string(content)), "\n")
	}
	sid, _ := harness.Payload(t, tokens.Access)["sid"].(string)
	if got := printed(onReuse); len(got) != 5 || !slices.Equal(got[1:], []string{"alice", "web", "127.0.0.1", sid}) {
		t.Errorf("the command got %q", got)
	}
	users := filepath.Join(r.etc, "users.htpasswd")
	if err := os.WriteFile(users, []byte("alice\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := printed(onBroken); got[0] != users || !strings.Contains(got[1], "line 1") {
		t.Errorf("the command got %q", got)
	}
}

// The tables of docs/events.md are those of the code.
func TestDocsOfEvents(t *testing.T) {
	text := repo.Read(t, "docs/events.md")
	events, data, _ := strings.Cut(text, "### Data\n")
	names := func(cell string) (found []string) {
		for _, name := range regexp.MustCompile("`([a-z_]+)`").FindAllStringSubmatch(cell, -1) {
			found = append(found, name[1])
		}
		return found
	}
	rows := regexp.MustCompile("(?m)^\\| `(grant_[a-z_]+)` \\| [^|]+ \\|([^|]*)\\|([^|]*)\\|$").FindAllStringSubmatch(events, -1)
	if len(rows) != len(event.Kinds) {
		t.Fatalf("%d events are documented, there are %d", len(rows), len(event.Kinds))
	}
	used := make(map[string]bool)
	for i, kind := range event.Kinds {
		if row := rows[i]; row[1] != kind.Name || !slices.Equal(names(row[2]), kind.Always) || !slices.Equal(names(row[3]), kind.Sometimes) {
			t.Errorf("documented: %q\nemitted: %+v", row, kind)
		}
		for _, name := range slices.Concat(kind.Always, kind.Sometimes) {
			used[name] = true
		}
	}
	var described []string
	for _, row := range regexp.MustCompile(`(?m)^\|([^|]*)\| `).FindAllStringSubmatch(data, -1) {
		described = append(described, names(row[1])...)
	}
	for name := range used {
		if !slices.Contains(described, name) {
			t.Errorf("the data %s are not described", name)
		}
	}
	if len(described) != len(used) {
		t.Errorf("%q are described", described)
	}
	for _, values := range [][]string{
		{event.WhatSession, event.WhatUser, event.WhatClient, event.WhatServer},
		{event.ByClient, event.ByUser, event.ByLogin, event.ByServer, event.ByOperator},
	} {
		for _, value := range values {
			if !strings.Contains(data, "`"+value+"`") {
				t.Errorf("the value %s is not described", value)
			}
		}
	}
}

// examples/events runs a command, with the plugin of which a handler here has the name.
func TestExampleOfEvents(t *testing.T) {
	s := harness.NewSite(t)
	if err := os.CopyFS(filepath.Join(s.Dir, "examples", "events"), os.DirFS(repo.Path("examples/events"))); err != nil {
		t.Fatal(err)
	}
	const config = "examples/events/Caddyfile"
	text := repo.Read(t, config)
	for _, command := range []string{
		"go tool -modfile=tools/go.mod xcaddy $(grep -v '^#' xcaddy.txt)" + execPlugin + " --output caddy-events",
		"./caddy-events run --config " + config,
	} {
		if !strings.Contains(text, "#     "+command+"\n") {
			t.Errorf("%s does not say how to run it: %s", config, command)
		}
	}
	// the process does not run in the directory of the example
	path := s.Write(config, strings.NewReplacer("8080", strconv.Itoa(s.Port),
		"exec examples/", "exec "+s.Dir+"/examples/", " .caddy-grant-example", " "+s.Dir+"/.caddy-grant-example",
		"unix/.caddy", "unix/"+s.Dir+"/.caddy").Replace(text))
	p := harness.StartQuickProcess(t, path)
	e := &example{Site: s, Process: p}
	if printed := e.comments("events"); !strings.Contains(printed[len(printed)-1], "invalid_grant") {
		t.Errorf("the second use got %q", printed)
	}
	line := regexp.MustCompile(`^\S+Z user=alice client=cli from=127\.0\.0\.1 session=\d{8}-[0-9a-f]+\n$`)
	harness.Eventually(t, "the command was run", func() bool {
		content, err := os.ReadFile(s.Path(".caddy-grant-example/reused.txt"))
		return err == nil && line.Match(content)
	})
	for _, line := range harness.WarningsIn(p.Printed()) {
		if line["reason"] != "refresh_token_reused" {
			t.Errorf("it is warned of: %v", line)
		}
	}
}
