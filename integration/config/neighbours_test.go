package config

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
	"github.com/caddygrant/caddy-grant/internal/caddyargs"
)

const (
	someClient = "client first {\npublic\n}\n"
	someUser   = "user first " + harness.HashBcrypt + "\n"
)

// frames are Caddyfiles with a gap in each block, or in the site. A line can be written
// in a block if it fits into one of its frames.
var frames = map[string][]string{
	"site":            {"%s"},
	"token_endpoint":  {"token_endpoint {\n%s\n" + someClient + someUser + "}"},
	"user":            {"token_endpoint {\n" + someClient + "user alice " + harness.HashBcrypt + " {\n%s\n}\n}"},
	"client":          {"token_endpoint {\n" + someUser + "client app {\n%s\n}\n}", "token_endpoint {\n" + someUser + "client app {\nsecret s3cret-of-the-app\n%s\n}\n}"},
	"login_page":      {"token_endpoint {\n" + someUser + "login_page {\n%s\n}\n}"},
	"password_checks": {"token_endpoint {\n" + someClient + someUser + "password_checks {\n%s\n}\n}"},
	"throttle":        {"token_endpoint {\n" + someClient + someUser + "throttle {\n%s\n}\n}"},
	"bearer_auth":     {"bearer_auth {\n%s\n}"},
	"issuer": {
		"bearer_auth {\nissuer https://id.example.com {\naudience contacts\n%s\n}\n}",
		"bearer_auth {\nissuer https://id.example.com {\n%s\n}\n}",
	},
}

func canBeWritten(line, block string) bool {
	return slices.ContainsFunc(frames[block], func(frame string) bool {
		_, err := harness.Adapt("http://localhost {\n" + fmt.Sprintf(frame, line) + "\n}\n")
		return err == nil
	})
}

// What the error for a word of another program says to write can be written, in the
// block at hand or in one that the error names.
func TestWhatAWordOfANeighbourPointsToIsThere(t *testing.T) {
	lines := 0
	for of, rows := range caddyargs.Neighbours {
		for _, row := range rows {
			lines += checkLines(t, row, of)
			refusedWith(t, of, strings.Fields(row.Words)[0]+" x", " of "+of+": "+row.Says+", at Caddyfile:")
		}
	}
	for _, row := range caddyargs.Everywhere {
		lines += checkLines(t, row)
	}
	for _, row := range caddyargs.GrantTypes {
		lines += checkLines(t, row, "token_endpoint")
		for _, of := range []string{"token_endpoint", "client"} {
			refusedWith(t, of, "grants "+strings.Fields(row.Words)[0], ": "+row.Says+", at Caddyfile:")
		}
	}
	if lines < 100 {
		t.Errorf("only %d lines were found in the tables", lines)
	}
}

func refusedWith(t *testing.T, block, line, want string) {
	t.Helper()
	_, err := harness.Adapt("http://localhost {\n" + fmt.Sprintf(frames[block][0], line) + "\n}\n")
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("%s: %v, want %q", line, err, want)
	}
}

// checkLines checks the lines that advice quotes, and returns how many there are.
func checkLines(t *testing.T, row caddyargs.Neighbour, blocks ...string) int {
	t.Helper()
	for _, name := range regexp.MustCompile(`\w+`).FindAllString(quoted.ReplaceAllString(row.Says, ""), -1) {
		if _, there := frames[name]; there {
			blocks = append(blocks, name)
		}
	}
	quotes := quoted.FindAllString(row.Says, -1)
	for _, quote := range quotes {
		line := exampleOf.Replace(strings.Trim(quote, `"`))
		if !slices.ContainsFunc(blocks, func(block string) bool { return canBeWritten(line, block) }) {
			t.Errorf("%q says to write %s, which is refused in %q", row.Says, quote, blocks)
		}
	}
	return len(quotes)
}

var (
	quoted    = regexp.MustCompile(`"[^"]*"`)
	exampleOf = strings.NewReplacer(
		" { ", " {\n", " }", "\n}", // a block on one line
		"<id>", "web", "<username>", "alice", "<name>", "theirs", "<hash>", harness.HashBcrypt,
		"<secret>", "s3cret-of-32-bytes-or-more-as-it-should-be", "<path>", "/etc/caddy/file", "<audience>", "contacts", "<claim>", "name", "<scopes...>", "read write",
	)
)

func TestALineThatCannotBeWrittenIsNoticed(t *testing.T) {
	for block, line := range map[string]string{
		"site": "token_endpoint *", "token_endpoint": "grant_types password", "client": "client_secret s3cret",
		"user": "role admin", "bearer_auth": "roles admin", "password_checks": "workers 2", "throttle": "max_failures 5",
	} {
		if canBeWritten(line, block) {
			t.Errorf("%s can be written in %s", line, block)
		}
	}
}
