package command

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
)

func TestAnImportThatHashesForLongSaysHowFarItIs(t *testing.T) {
	t.Parallel()
	table := "username,password\n"
	for i := range 9 {
		table += fmt.Sprintf("user%d,correct horse battery %d\n", i, i)
	}
	d := newDesk(t, "staff.csv", table)
	x := d.talk("user", "import", "staff.csv", "--from", "csv", "--file", "users.json", "--algorithm", "bcrypt", "--bcrypt-cost", "12")
	if status := x.end(); status != 0 {
		t.Errorf("exit status %d", status)
	}
	got := x.text()
	if !regexp.MustCompile(`\rHashing passwords: [1-8] of 9`).MatchString(got) {
		t.Errorf("the terminal shows no progress: %q", got)
	}
	if !strings.Contains(got, "\r\x1b[K") || strings.Contains(got, "battery") {
		t.Errorf("the line of the progress stays, or a password is shown: %q", got)
	}
	if n := strings.Count(d.read("users.json"), "$2a$12$"); n != 9 {
		t.Errorf("%d users have a hash of the cost that was asked for", n)
	}
}
