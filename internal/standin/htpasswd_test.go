package standin

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var record = flag.Bool("record", false, "write what the real htpasswd prints into htpasswd.txt")

// The hashes that the stand-in writes are those that the real tool wrote. The real tool
// must still take them, and write the same but for the salt and what comes of it.
func TestHtpasswdRecordings(t *testing.T) {
	if *record {
		rerecord(t)
	}
	all := recordings()
	if len(all) < 15 {
		t.Fatalf("%d recordings", len(all))
	}
	tool := Path(t, "htpasswd")
	for _, r := range all {
		args := r.arguments
		output, err := exec.Command(tool, args...).Output()
		if err != nil {
			t.Fatalf("htpasswd %q: %v", args, err)
		}
		if line := string(output); shape(line) != shape(r.printed+"\n\n") {
			t.Errorf("htpasswd %q writes %q; the recording is %q", args, line, r.printed)
		}
		if !Real() {
			continue
		}
		file := filepath.Join(t.TempDir(), "users")
		if err := os.WriteFile(file, []byte(r.printed+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if output, err := exec.Command(tool, "-vb", file, r.command.user, r.command.password).CombinedOutput(); err != nil {
			t.Errorf("htpasswd -v does not take the recording of %q: %v: %s", args, err, output)
		}
	}
}

var parameters = regexp.MustCompile(`^([^:]*:(?:\$[^$]+\$(?:rounds=\d+\$|\d\d\$)?)?)([./A-Za-z0-9$]*)`)

// shape is a line with its user, scheme and cost; the rest of the hash is only counted.
func shape(line string) string {
	found := parameters.FindStringSubmatchIndex(line)
	if found == nil {
		return line
	}
	return fmt.Sprintf("%s (%d)%s", line[:found[3]], found[5]-found[4], line[found[1]:])
}

// rerecord runs the commands of htpasswd.txt, and writes what they print below each.
func rerecord(t *testing.T) {
	if !Real() {
		t.Fatal("-record needs CADDY_GRANT_REAL_TOOLS=1")
	}
	var content strings.Builder
	for line := range strings.Lines(recorded) {
		text, command := strings.CutPrefix(line, "$ htpasswd ")
		if !command && !strings.HasPrefix(line, "#") {
			continue // what was printed before
		}
		content.WriteString(line)
		if command {
			output, err := exec.Command(Path(t, "htpasswd"), words(text)...).Output()
			if err != nil {
				t.Fatalf("%s: %v", line, err)
			}
			content.WriteString(strings.TrimSpace(string(output)) + "\n")
		}
	}
	recorded = content.String()
	if err := os.WriteFile("htpasswd.txt", []byte(recorded), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestHtpasswdChangesAFile(t *testing.T) {
	tool, file := Path(t, "htpasswd"), filepath.Join(t.TempDir(), "users")
	const sha = ":{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=\n" // of "password"
	for _, step := range []struct {
		stdin string
		args  []string
		want  string
	}{
		{"", []string{"-cbs", file, "alice", "password"}, "alice" + sha},
		{"", []string{"-b", "-s", file, "bob", "password"}, "alice" + sha + "bob" + sha},
		{"", []string{"-bp", file, "alice", "plain text"}, "alice:plain text\nbob" + sha},
		{"password\n", []string{"-i", "-s", file, "carol"}, "alice:plain text\nbob" + sha + "carol" + sha},
		{"", []string{"-D", file, "alice"}, "bob" + sha + "carol" + sha},
		{"", []string{"-bs", "-c", file, "dave", "password"}, "dave" + sha},
	} {
		cmd := exec.Command(tool, step.args...)
		cmd.Stdin = strings.NewReader(step.stdin)
		if output, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("htpasswd %q: %v\n%s", step.args, err, output)
		}
		if content, err := os.ReadFile(file); err != nil || string(content) != step.want {
			t.Errorf("htpasswd %q wrote %q, want %q (%v)", step.args, content, step.want, err)
		}
	}
}

// Whoever follows a file must see what the real tool does to it: the file is the same
// one, and it is written anew.
func TestHtpasswdRewritesTheFileItself(t *testing.T) {
	tool, file := Path(t, "htpasswd"), filepath.Join(t.TempDir(), "users")
	if err := os.WriteFile(file, []byte("alice:x\n"), 0o640); err != nil {
		t.Fatal(err)
	}
	before, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	if output, err := exec.Command(tool, "-bs", file, "bob", "password").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	after, err := os.Stat(file)
	if err != nil || !os.SameFile(before, after) || after.Mode() != before.Mode() {
		t.Errorf("the file is another one: %v, %v, %v", before, after, err)
	}
	if entries, err := os.ReadDir(filepath.Dir(file)); err != nil || len(entries) != 1 {
		t.Errorf("there are %v beside it (%v)", entries, err)
	}
}

func TestHtpasswdFailsWithoutAFileToChange(t *testing.T) {
	file := filepath.Join(t.TempDir(), "users")
	if err := exec.Command(Path(t, "htpasswd"), "-bs", file, "bob", "password").Run(); err == nil {
		t.Error("it does not fail")
	}
	if _, err := os.Stat(file); !os.IsNotExist(err) {
		t.Errorf("there is a file (%v)", err)
	}
}
