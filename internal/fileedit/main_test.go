//go:build linux

package fileedit

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A writer is the program of the tests once more. It adds lines to a file.
const (
	writerFile  = "CADDY_GRANT_TEST_WRITES"     // the file
	writerLines = "CADDY_GRANT_TEST_LINES"      // the lines, one edit each
	writerStop  = "CADDY_GRANT_TEST_STOPS"      // at which step it waits to be killed
	writerLimit = "CADDY_GRANT_TEST_SIZE_LIMIT" // how large a file may be
)

func TestMain(m *testing.M) {
	if path := os.Getenv(writerFile); path != "" {
		write := newWriter(path)
		for line := range strings.Lines(os.Getenv(writerLines)) {
			if err := write(line); err != nil {
				fmt.Println(err)
				os.Exit(1)
			}
		}
		return
	}
	os.Exit(m.Run())
}

func newWriter(path string) func(line string) error {
	if limit, err := strconv.ParseUint(os.Getenv(writerLimit), 10, 64); err == nil {
		if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: limit, Max: limit}); err != nil {
			panic(err)
		}
	}
	if stop, err := strconv.Atoi(os.Getenv(writerStop)); err == nil {
		at := 0
		step = func(name string) {
			if at == stop {
				fmt.Println("at", name)
				time.Sleep(time.Hour)
			}
			at++
		}
	}
	return func(line string) error { return appendLine(path, line) }
}

// appendLine creates the file if need be.
func appendLine(path, line string) error {
	return Options{Wait: time.Minute, Create: true}.Edit(path, func(old []byte) ([]byte, error) {
		return append(bytes.Clone(old), line...), nil
	})
}

// writer is a process that adds lines to a file.
func writer(t *testing.T, path, lines string, env ...string) *exec.Cmd {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), program)
	cmd.Env = append(os.Environ(), writerFile+"="+path, writerLines+"="+lines)
	cmd.Env = append(cmd.Env, env...)
	return cmd
}

func put(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func want(t *testing.T, path, content string) {
	t.Helper()
	if got, err := os.ReadFile(path); err != nil || string(got) != content {
		t.Errorf("%s holds %q, want %q (%v)", path, got, content, err)
	}
}

// wantAlone fails the test if there is anything else in the directory.
func wantAlone(t *testing.T, directory string, names ...string) {
	t.Helper()
	entries, err := os.ReadDir(directory)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, entry := range entries {
		got = append(got, entry.Name())
	}
	if strings.Join(got, " ") != strings.Join(names, " ") {
		t.Errorf("the directory holds %q, want %q", got, names)
	}
}

func wantError(t *testing.T, err error, texts ...string) {
	t.Helper()
	if err == nil {
		t.Errorf("no error, want one with %q", texts)
		return
	}
	for _, text := range texts {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("no %q in %q", text, err)
		}
	}
}
