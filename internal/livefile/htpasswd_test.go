package livefile

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/caddygrant/caddy-grant/internal/standin"
)

// Apache's htpasswd copies the file beside it, truncates it and writes it anew:
// a reader in between finds it empty, then cut at the end of some line.
func TestAFileThatIsRewrittenInStepsIsUsedWhenItIsComplete(t *testing.T) {
	const before, after = "alice:1\nbob:2\n", "alice:1\nbob:3\ncarol:4\n"
	steps := []string{"", "alice:1\n", "alice:1\nbob:3\n", after}
	for _, polls := range []int{1, 2, 5} { // while the file is in each state
		x := newFixture(t, before)
		for _, content := range steps {
			x.write(content)
			for range polls {
				x.clock = x.clock.Add(Rest / 10)
				x.file.poll()
				x.want(before, "")
			}
		}
		x.polls(2)
		x.want(after, "")
		if len(x.loaded) != 2 || x.logs.FilterLevelExact(zap.ErrorLevel).Len() != 0 {
			t.Errorf("loaded %q, logged %v", x.loaded, x.logs.All())
		}
	}
}

func TestNoPartOfAFileIsActiveWhileHtpasswdRewritesIt(t *testing.T) {
	tool := standin.Path(t, "htpasswd")
	x := prepare(t)
	now = time.Now
	rest := Rest
	t.Cleanup(func() { Rest = rest })
	Rest = 5 * time.Second // a busy disk holds a write up for longer than the product waits
	const users, added = 2000, 30
	var start strings.Builder
	for i := range users {
		fmt.Fprintf(&start, "user%04d:$apr1$x$%030d\n", i, i)
	}
	x.must(os.WriteFile(x.path, []byte(start.String()), 0o600))
	x.open()

	writer := make(chan error, 1)
	go func() {
		for i := range added {
			out, err := exec.Command(tool, "-b", x.path, fmt.Sprintf("added%02d", i), "password").CombinedOutput()
			if err != nil {
				writer <- fmt.Errorf("htpasswd: %w: %s", err, out)
				return
			}
		}
		writer <- nil
	}()

	lines := func() int { return strings.Count(x.file.Current(), "\n") }
	for done := false; !done || lines() != users+added; {
		select {
		case err := <-writer:
			x.must(err)
			done = true
		default:
		}
		x.file.poll()
		if got := lines(); got < users {
			t.Fatalf("a version with %d of %d users is active", got, users)
		}
		time.Sleep(time.Millisecond)
	}
	x.want(x.file.Current(), "")
	x.wantLogged(zap.ErrorLevel, 0)
}
