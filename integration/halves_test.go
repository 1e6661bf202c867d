package integration

import (
	"bufio"
	"bytes"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// A process has one running Caddy, so the tests of a process go one after the other, and
// most of their time they wait: for a file to be looked at again, or for a node. So where
// all tests are to run, two processes have half of them each, side by side.

// TestMain runs the tests, and removes the binary of the module in the end.
func TestMain(m *testing.M) {
	flag.Parse()
	if os.Getenv(halfVariable) == "" && wantsAllTests() {
		os.Exit(runHalves())
	}
	dir, err := os.MkdirTemp("", "caddy-grant-")
	if err != nil {
		panic(err)
	}
	binaryDir = dir
	code := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

// wantsAllTests tells whether no flag chooses some of the tests, or wants one result of one
// process, such as a profile.
func wantsAllTests() bool {
	all := true
	flag.Visit(func(f *flag.Flag) {
		all = all && (f.Name == logFlag || slices.Contains(passedOn, f.Name))
	})
	return all
}

// runHalves returns the exit code of the tests. The output of the second half comes after
// that of the first.
func runHalves() int {
	list, err := exec.Command(os.Args[0], "-test.list=.").Output()
	if err != nil {
		fmt.Fprintln(os.Stderr, "listing the tests:", err)
		return 1
	}
	var halves [2][]string
	for scanner := bufio.NewScanner(bytes.NewReader(list)); scanner.Scan(); {
		if name := scanner.Text(); strings.HasPrefix(name, "Test") {
			half := (len(halves[0]) + len(halves[1])) % 2
			halves[half] = append(halves[half], name)
		}
	}
	later, err := os.CreateTemp("", "caddy-grant-*.log")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.Remove(later.Name())
	defer later.Close()

	second := halfCommand(1, halves[1], later, later)
	if err := second.Start(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	first := halfCommand(0, halves[0], os.Stdout, os.Stderr).Run()
	other := second.Wait()
	if _, err := later.Seek(0, io.SeekStart); err == nil {
		_, _ = io.Copy(os.Stdout, later)
	}
	if first != nil || other != nil {
		return 1
	}
	return 0
}

// halfCommand runs the tests of those names with the flags that this process has.
func halfCommand(half int, names []string, stdout, stderr io.Writer) *exec.Cmd {
	args := []string{"-test.run=^(" + strings.Join(names, "|") + ")$"}
	flag.Visit(func(f *flag.Flag) {
		if f.Name != logFlag {
			args = append(args, "-"+f.Name+"="+f.Value.String())
		}
	})
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), halfVariable+"="+strconv.Itoa(half))
	cmd.Stdout, cmd.Stderr = stdout, stderr
	return cmd
}

// isOurPort leaves each port to one of the halves: what one has found free must not be what
// the other finds. It goes by pairs of ports, since Linux gives only even ones to listeners.
func isOurPort(port int) bool {
	half, err := strconv.Atoi(os.Getenv(halfVariable))
	return err != nil || port/2%2 == half
}

// passedOn are the flags with which all tests run; logFlag is for the go command's cache,
// which two processes cannot fill.
var passedOn = []string{
	"test.paniconexit0", "test.timeout", "test.v", "test.short", "test.shuffle", "test.count", "test.failfast", "test.fullpath", "test.parallel",
}

const (
	logFlag      = "test.testlogfile"
	halfVariable = "CADDY_GRANT_HALF"
)
