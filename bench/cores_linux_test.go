package main

import (
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
)

func TestAProcessInheritsTheCore(t *testing.T) {
	may, err := allowedCores()
	if err != nil {
		t.Fatal(err)
	}
	last := may[len(may)-1]
	var output strings.Builder
	cat := exec.Command("cat", "/proc/self/status")
	cat.Stdout = &output
	if err := onCore(last, cat.Start); err != nil {
		t.Fatal(err)
	}
	if err := cat.Wait(); err != nil {
		t.Fatal(err)
	}
	if want := "Cpus_allowed_list:\t" + strconv.Itoa(last) + "\n"; !strings.Contains(output.String(), want) {
		t.Errorf("there is no %q in\n%s", want, output.String())
	}
	if after, err := allowedCores(); err != nil || len(after) != len(may) {
		t.Errorf("afterwards there are the cores %v and not %v (%v)", after, may, err)
	}
}

func TestTheClockOfAnotherProcess(t *testing.T) {
	if _, err := cpuTime(os.Getppid()); err != nil {
		t.Error(err)
	}
	first, err := cpuTime(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	if second, err := cpuTime(os.Getpid()); err != nil || second <= first || first <= 0 {
		t.Errorf("from %s to %s (%v)", first, second, err)
	}
}
