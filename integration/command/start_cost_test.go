package command

import (
	"net/url"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
	"github.com/caddygrant/caddy-grant/integration/internal/repo"
)

// mostAtStart is what this module may add, in bytes, to what Caddy allocates before main
// begins.
const mostAtStart = 1 << 20

// Every Caddy with this module starts with the packages of its commands, and most never
// run one.
func TestCommandsCostTheStartOfAServerLittle(t *testing.T) {
	t.Parallel()
	list := exec.Command("go", "list", "-deps", "github.com/caddyserver/caddy/v2/modules/standard")
	list.Dir = repo.Path(".")
	standard, err := list.Output()
	if err != nil {
		t.Fatal(err)
	}
	ofCaddy := strings.Fields(string(standard))

	cmd := harness.CaddyCommand(t.Context(), t, t.TempDir(), "version")
	cmd.Env = append(cmd.Env, "GODEBUG=inittrace=1")
	var traced strings.Builder
	cmd.Stderr = &traced
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	total, own := 0, false
	for line := range strings.Lines(traced.String()) {
		// init <package> @1.0 ms, 0.1 ms clock, 100 bytes, 2 allocs
		words := strings.Fields(line)
		if len(words) != 11 || words[0] != "init" {
			continue
		}
		name, err := url.PathUnescape(words[1])
		if err != nil {
			t.Fatal(err)
		}
		if slices.Contains(ofCaddy, name) {
			continue
		}
		bytes, err := strconv.Atoi(words[7])
		if err != nil {
			t.Fatal(err)
		}
		total, own = total+bytes, own || strings.HasSuffix(name, "/internal/password")
		t.Logf("%7d bytes: %s", bytes, name)
	}
	if !own || total > mostAtStart {
		t.Errorf("packages that are not Caddy's allocate %d bytes before main begins, want at most %d", total, mostAtStart)
	}
}
