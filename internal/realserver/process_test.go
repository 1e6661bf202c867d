//go:build unix

package realserver

import (
	"bufio"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// asParent has the program of the tests launch a program, print its process ID and wait.
const asParent = "CADDY_GRANT_TEST_LAUNCHES"

func TestMain(m *testing.M) {
	if log := os.Getenv(asParent); log != "" {
		p, err := Launch(exec.Command("sleep", "600"), log, syscall.SIGQUIT)
		if err != nil {
			panic(err)
		}
		os.Stdout.WriteString(strconv.Itoa(p.Pid()) + "\n")
		<-p.ended
		return
	}
	os.Exit(m.Run())
}

func TestAProcessEndsWhenThisProgramIsKilled(t *testing.T) {
	for name, before := range map[string]func(pid int){
		"running": func(int) {},
		"paused": func(pid int) {
			_ = syscall.Kill(pid, syscall.SIGSTOP)
			within(patience, func() bool { return standsStill(pid) })
		},
	} {
		t.Run(name, func(t *testing.T) {
			parent := exec.Command(os.Args[0])
			parent.Env = append(os.Environ(), asParent+"="+filepath.Join(t.TempDir(), "log"))
			out, err := parent.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := parent.Start(); err != nil {
				t.Fatal(err)
			}
			line, err := bufio.NewReader(out).ReadString('\n')
			pid, _ := strconv.Atoi(strings.TrimSpace(line))
			if err != nil || pid == 0 {
				t.Fatalf("%q: %v", line, err)
			}
			before(pid)
			_ = parent.Process.Kill()
			_ = parent.Wait()
			if runtime.GOOS != "linux" {
				_ = syscall.Kill(pid, syscall.SIGKILL)
				return
			}
			within(patience, func() bool { return hasEnded(pid) })
			if !hasEnded(pid) {
				_ = syscall.Kill(pid, syscall.SIGKILL)
				t.Error("it is still there")
			}
		})
	}
}

func TestAwaitTellsWhyAProcessDoesNotGetReady(t *testing.T) {
	p, err := Launch(exec.Command("sh", "-c", "echo cannot bind; exit 3"), filepath.Join(t.TempDir(), "log"), syscall.SIGKILL)
	if err != nil {
		t.Fatal(err)
	}
	err = p.Await(func() error { return errors.New("connection refused") })
	if err == nil || !strings.Contains(err.Error(), "exit status 3") || !strings.Contains(err.Error(), "cannot bind") {
		t.Errorf("the error is %v", err)
	}
}

// A server of another process that answers at the same port is not the one that was
// started.
func TestAwaitDoesNotTakeAnotherServerForOneThatHasEnded(t *testing.T) {
	p, err := Launch(exec.Command("sh", "-c", "exit 1"), filepath.Join(t.TempDir(), "log"), syscall.SIGKILL)
	if err != nil {
		t.Fatal(err)
	}
	<-p.ended
	if err := p.Await(func() error { return nil }); err == nil {
		t.Error("it is ready")
	}
}

func TestAProcessIsPausedAndEnded(t *testing.T) {
	p, err := Launch(exec.Command("sleep", "600"), filepath.Join(t.TempDir(), "log"), syscall.SIGKILL)
	if err != nil {
		t.Fatal(err)
	}
	if runtime.GOOS == "linux" && standsStill(p.Pid()) {
		t.Error("it stands still from the start")
	}
	p.Signal(syscall.SIGSTOP)
	within(patience, func() bool { return standsStill(p.Pid()) })
	if !standsStill(p.Pid()) {
		t.Error("it goes on")
	}
	p.Signal(syscall.SIGCONT)
	p.End(syscall.SIGTERM)
	if by := p.cmd.ProcessState.Sys().(syscall.WaitStatus).Signal(); by != syscall.SIGTERM {
		t.Errorf("it was ended by %v", by)
	}
}
