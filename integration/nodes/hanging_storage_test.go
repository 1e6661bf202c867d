//go:build linux

package nodes

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
)

// A file system that hangs is imitated by a named pipe in the place of a file: whatever
// process opens it for reading waits until there is a writer, and no context ends that.
// What is built on this needs mkfifo, and Linux is where it is tested.

// pipe is a named pipe in the place of a file.
type pipe struct {
	t          *testing.T
	path       string
	kept, away string // other names of the file that was there, if one was, and of the pipe
}

// pipeAt puts a pipe there in one step, so that no reader finds nothing.
func pipeAt(t *testing.T, path string) *pipe {
	t.Helper()
	dir := t.TempDir()
	p := &pipe{t: t, path: path, kept: dir + "/kept", away: dir + "/pipe"}
	if err := os.Link(path, p.kept); err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	p.must(syscall.Mkfifo(p.away, 0o600))
	p.must(os.Link(p.away, path+".pipe"))
	p.must(os.Rename(path+".pipe", path))
	return p
}

// remove puts the file back. Who waits at the pipe goes on waiting.
func (p *pipe) remove() {
	p.t.Helper()
	p.must(os.Rename(p.kept, p.path))
}

// writer waits until a process reads from the pipe. The reader gets what is written
// until the writer is closed.
func (p *pipe) writer() *os.File {
	p.t.Helper()
	var file *os.File
	harness.Eventually(p.t, "somebody reads "+p.path, func() bool {
		f, err := os.OpenFile(p.away, os.O_WRONLY|syscall.O_NONBLOCK, 0) // ENXIO if there is no reader
		file = f
		return err == nil
	})
	return file
}

// write gives a reader what it waits for, and then lets it go.
func (p *pipe) write(to *os.File, content []byte) {
	p.t.Helper()
	_, err := to.Write(content)
	p.must(err)
	p.must(to.Close())
}

func (p *pipe) must(err error) {
	p.t.Helper()
	if err != nil {
		p.t.Fatal(err)
	}
}

// C17, J10: the record of a session cannot be read, and the read does not come back.
// The session is answered 503 in bounded time, and nothing else notices.
func TestNodesStorageThatHangs(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "the app") }))
	t.Cleanup(app.Close)
	c.app = app.Listener.Addr().String()
	n := c.startNodes(1, "")[0]
	get := wanted(t)
	stuck := get(n.refresh(get(n.logIn())))
	other := get(n.refresh(get(n.logIn())))

	hanging := pipeAt(t, c.record(stuck))
	unavailable := map[string]func() (harness.Answer, error){
		"refresh":       func() (harness.Answer, error) { return n.tryRefresh(stuck.refresh) },
		"introspection": func() (harness.Answer, error) { return n.ask("/token/introspect", "token", stuck.access) },
	}
	ended := make(chan struct{})
	var wg sync.WaitGroup
	for name, ask := range unavailable {
		wg.Go(func() { // until the rest is done, and once at least
			for asked := 0; asked == 0 || !isClosed(ended); asked++ {
				begun := time.Now()
				a, err := ask() // the watchdog is the client's timeout, a minute
				if err != nil || a.Status != http.StatusServiceUnavailable || a.Header.Get("Retry-After") == "" || a.JSON["error"] != "temporarily_unavailable" {
					t.Errorf("%s of a session that hangs: %d %s, %v", name, a.Status, a.Body, err)
					return
				}
				if asked == 0 {
					t.Logf("%s: 503 after %v", name, time.Since(begun).Round(time.Millisecond))
				}
			}
		})
	}
	// everything else goes on while there are calls that hang
	for range 20 {
		other = get(n.refresh(other))
		get(n.logIn())
		edgesAccept(t, []*clusterNode{n}, other, stuck)
		time.Sleep(100 * time.Millisecond)
	}
	close(ended)
	wg.Wait()

	hanging.remove()
	stuck = get(n.refresh(stuck))
	if err := n.revoke(stuck.refresh); err != nil { // 503 was not the end of it
		t.Error(err)
	}
	if err := n.knowsEnd(stuck); err != nil {
		t.Error(err)
	}
	n.process.Stop() // though some calls still hang
}

// J10: a revocation whose marker cannot be looked for is answered 503, and the session
// lives until it succeeds.
func TestNodesRevocationThatHangs(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	n := c.startNodes(1, "")[0]
	get := wanted(t)
	tk := get(n.refresh(get(n.logIn())))
	marker := c.record(tk) + ".revoked"
	pipeAt(t, marker)
	a, err := n.ask("/token/revoke", "token", tk.refresh)
	if err != nil || a.Status != http.StatusServiceUnavailable || a.Header.Get("Retry-After") == "" {
		t.Fatalf("revoking: %d %s, %v", a.Status, a.Body, err)
	}
	if err := os.Remove(marker); err != nil {
		t.Fatal(err)
	}
	tk = get(n.refresh(tk))
	edgesAccept(t, []*clusterNode{n}, tk)
	if err := n.revoke(tk.refresh); err != nil {
		t.Fatal(err)
	}
	if err := n.knowsEnd(tk); err != nil {
		t.Error(err)
	}
}

// G11, without a grace: the storage hangs when a refresh takes its lock. The client
// gets 503, and whatever becomes of that exchange later, the client's retry is a
// success, and the only one.
func TestNodesLockThatHangs(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	n := c.startNodes(1, "refresh_grace 0s")[0]
	get := wanted(t)
	other := get(n.refresh(get(n.logIn()))) // makes the folder of locks
	// never locked before: certmagic looks at a lock again 5 seconds after it was taken
	tk := get(n.logIn())
	lock := pipeAt(t, c.lock(tk))
	a, err := n.tryRefresh(tk.refresh)
	if err != nil || a.Status != http.StatusServiceUnavailable {
		t.Fatalf("refresh: %d %s, %v", a.Status, a.Body, err)
	}
	other = get(n.refresh(other))
	// what the node reads at last is the lock of a process that is long gone
	writer := lock.writer()
	lock.write(writer, staleLock(t))
	next := get(n.refresh(tk)) // to the next generation, as refresh checks
	next = get(n.refresh(next))
	get(n.refresh(other))
	if err := n.refusesRefresh(tk); err != nil {
		t.Error(err)
	}
	if err := n.knowsEnd(next); err != nil {
		t.Error(err)
	}
}

// staleLock is the content of a lock file whose holder no longer runs.
func staleLock(t *testing.T) []byte {
	t.Helper()
	hourAgo := time.Now().Add(-time.Hour)
	content, err := json.Marshal(map[string]time.Time{"created": hourAgo, "updated": hourAgo})
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// G11, without a grace: a node is suspended while it holds the lock of a session,
// between reading the record and writing it. The other node answers 503 until the lock
// is stale, then it has the one success. The first node goes on then, and must not have
// a second.
func TestNodesSuspendedWithTheLock(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	nodes := c.startNodes(2, "refresh_grace 0s")
	a, b, get := nodes[0], nodes[1], wanted(t)
	tk := get(a.refresh(get(a.logIn())))
	record, err := os.ReadFile(c.record(tk))
	if err != nil {
		t.Fatal(err)
	}

	type result struct {
		answer harness.Answer
		err    error
	}
	fromA := make(chan result, 1)
	reads := pipeAt(t, c.record(tk))
	original := reads
	go func() {
		answer, err := a.tryRefresh(tk.refresh)
		fromA <- result{answer, err}
	}()
	// A reads the record some times before it takes the lock; let it
	writer := reads.writer()
	for !exists(c.lock(tk)) {
		next := pipeAt(t, c.record(tk)) // for the next read, before this one ends
		reads.write(writer, record)
		reads = next
		writer = reads.writer()
	}
	if err := a.process.Cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	original.remove()

	var statuses []int
	success, err := settled(func() (harness.Answer, error) {
		answer, err := b.tryRefresh(tk.refresh)
		statuses = append(statuses, answer.Status)
		return answer, err
	})
	if err != nil {
		t.Fatal(err)
	}
	next := get(tokensIn(success))
	if next.generation != tk.generation+1 {
		t.Fatalf("generation %d after %d", next.generation, tk.generation)
	}
	next = get(b.refresh(next)) // what A would write now would take the record back
	t.Logf("B, while A stands still: %v", statuses)

	reads.write(writer, record) // what A waits for is there before its timers are
	if err := a.process.Cmd.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	r := <-fromA // the client waits for a minute at most
	t.Logf("A, later: %d %s, %v", r.answer.Status, strings.TrimSpace(string(r.answer.Body)), r.err)
	if r.err == nil && r.answer.Status != http.StatusServiceUnavailable {
		t.Errorf("A: %d %s, want 503", r.answer.Status, r.answer.Body)
	}
	// what B wrote stands, and the session lives; A first, since it has a turn to end
	for i, n := range []*clusterNode{a, b, a} {
		if next, err = n.refresh(next); err != nil {
			t.Fatalf("refresh %d after it: %v", i, err)
		}
	}
}

// G21: a node is killed while it has the lock of a session which another node had just
// before. The session goes on when the lock is stale, though the other node still runs.
func TestNodesLockOfADeadNode(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	nodes := c.startNodes(2, "refresh_grace 30s")
	a, b, get := nodes[0], nodes[1], wanted(t)
	tk := get(a.refresh(get(a.logIn())))
	now := time.Now() // as a third node writes it, which is killed
	content, err := json.Marshal(map[string]time.Time{"created": now, "updated": now})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(c.lock(tk), content, 0o644); err != nil {
		t.Fatal(err)
	}
	tk = get(b.refresh(tk)) // 503 until then
	get(a.refresh(tk))
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// C17: a storage that hangs when Caddy starts costs the tokens, not the server.
func TestNodesStartWithAStorageThatHangs(t *testing.T) {
	t.Parallel()
	s := harness.NewSite(t)
	config := s.Write("Caddyfile", s.Expand(`{
	admin off
	persist_config off
	storage file_system "%DIR%/storage"
}
`+harness.WebSite("user alice "+harness.HashBcrypt)))
	folder := s.Path("storage/grant/default-e3b0c44298fc1c14") // without an issuer
	if err := os.MkdirAll(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	pipe := folder + "/secret"
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	harness.StartProcess(t, s.Dir, config)
	s.Do(s.Request("GET", "/", "")).Want(t, 200, "")
	s.Login("alice", "correct horse").Want(t, 503, "temporarily_unavailable")
}
