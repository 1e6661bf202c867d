//go:build linux

package fileedit

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// start starts a writer that stops, and returns where it is.
func start(t *testing.T, cmd *exec.Cmd) string {
	t.Helper()
	output, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, _ := bufio.NewReader(output).ReadString('\n')
	return strings.TrimSpace(line)
}

func kill(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
}

func pid(cmd *exec.Cmd) string { return strconv.Itoa(cmd.Process.Pid) }

// 1,000 rounds: eight processes that run all the time, and goroutines, each of which
// opens the file anew. The first of them creates it.
func TestNoWriterLosesWhatAnotherWrote(t *testing.T) {
	const processes, threads, each = 8, 12, 50
	path := filepath.Join(t.TempDir(), "users")
	var group sync.WaitGroup
	var wants []string
	for n := range processes {
		var lines strings.Builder
		for i := range each {
			line := fmt.Sprintf("process %d line %d", n, i)
			wants = append(wants, line)
			lines.WriteString(line + "\n")
		}
		cmd := writer(t, path, lines.String())
		group.Go(func() {
			if output, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%v: %s", err, output)
			}
		})
	}
	for n := range threads {
		for i := range each {
			wants = append(wants, fmt.Sprintf("thread %d line %d", n, i))
		}
		group.Go(func() {
			for i := range each {
				if err := appendLine(path, fmt.Sprintf("thread %d line %d\n", n, i)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	got := strings.Split(strings.TrimSuffix(string(content), "\n"), "\n")
	slices.Sort(got)
	slices.Sort(wants)
	if len(wants) != 1000 || !slices.Equal(got, wants) {
		t.Errorf("there are %d lines of %d", len(got), len(wants))
	}
	wantAlone(t, filepath.Dir(path), "users")
}

// A process that is killed between any two steps leaves the old file or the new one,
// and nothing that stops the next writer.
func TestAKilledWriterLeavesAWholeFile(t *testing.T) {
	for name, old := range map[string]string{"an edit": "alice\n", "a new file": ""} {
		t.Run(name, func(t *testing.T) {
			var steps []string
			for stop := 0; ; stop++ {
				path := filepath.Join(t.TempDir(), "users")
				if old != "" {
					put(t, path, old)
				}
				cmd := writer(t, path, "bob\n", fmt.Sprintf("%s=%d", writerStop, stop))
				at := start(t, cmd)
				if at == "" { // it ran to its end
					if err := cmd.Wait(); err != nil {
						t.Fatal(err)
					}
					break
				}
				steps = append(steps, strings.TrimPrefix(at, "at "))
				kill(t, cmd)
				content, err := os.ReadFile(path)
				switch got := string(content); {
				case got == old+"bob\n", old != "" && got == old, old == "" && os.IsNotExist(err):
				default:
					t.Errorf("killed %s, it leaves %q (%v)", at, content, err)
				}
				if err := appendLine(path, "carol\n"); err != nil {
					t.Errorf("killed %s, it stops the next writer: %v", at, err)
				}
				want(t, path, string(content)+"carol\n")
				if old != "" || len(content) > 0 { // no writer of a new file has a lock, so it tidies nothing
					wantAlone(t, filepath.Dir(path), "users")
				}
			}
			t.Logf("killed at %q", steps)
			if want := map[string]int{"an edit": 10, "a new file": 7}[name]; len(steps) != want {
				t.Errorf("it was killed at %d steps, want %d", len(steps), want)
			}
		})
	}
}

func TestAFileSystemThatIsFullLeavesTheFileAlone(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "users")
	old := strings.Repeat("alice\n", 1000)
	put(t, path, old)
	for _, limit := range []int{0, 1, len(old) / 2, len(old)} {
		output, err := writer(t, path, "bob\n", fmt.Sprintf("%s=%d", writerLimit, limit)).Output()
		if err == nil || string(output) != path+": writing a new version of it: file too large\n" {
			t.Errorf("with %d bytes it says %q (%v)", limit, output, err)
		}
		want(t, path, old)
		wantAlone(t, dir, "users")
	}
	if output, err := writer(t, path, "bob\n", fmt.Sprintf("%s=%d", writerLimit, len(old)+4)).Output(); err != nil {
		t.Errorf("with enough it fails: %s", output)
	}
	want(t, path, old+"bob\n")
}
