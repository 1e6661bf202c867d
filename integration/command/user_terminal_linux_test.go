package command

import (
	"strings"
	"testing"
)

func TestAPasswordIsAskedForTwiceAndNotShown(t *testing.T) {
	t.Parallel()
	d := newDesk(t, "users", "bob:HASH\n")
	for _, command := range []string{"add", "passwd"} {
		x := d.talk("user", command, "alice", "--file", "users")
		x.answer("New password for alice: ", "horse "+command+"\n")
		x.answer("The same again: ", "horse "+command+"\n")
		if status := x.end(); status != 0 {
			t.Errorf("%s: exit status %d", command, status)
		}
		said := map[string]string{"add": "Added the user alice to users.", "passwd": "Changed the password of alice in users. The user's sessions end."}[command]
		asked, done := "New password for alice: \nThe same again: \n", said+"\nA running Caddy applies this within about 6 seconds, without a reload.\n"
		got := x.text()
		if !strings.HasPrefix(got, asked) || !strings.HasSuffix(got, done) || strings.Contains(got, "horse") { // between them may be a warning
			t.Errorf("the terminal shows\n%s\nwant\n%s%s", got, asked, done)
		}
		_, hash, _ := strings.Cut(d.read("users"), "alice:")
		wantHash(t, strings.TrimSpace(hash), "argon2id m=47104,t=1,p=1", "horse "+command)
	}
}

func TestNothingChangesUnlessBothPasswordsAreTheSame(t *testing.T) {
	t.Parallel()
	const file = "alice:HASH\n"
	for name, test := range map[string]struct {
		answers []string
		says    string
		status  int
	}{
		"two that differ": {[]string{"one\n", "two\n"}, "the two passwords differ; nothing was changed", 1},
		"an empty one":    {[]string{"\n"}, "the password is empty; nothing was changed", 1},
		"Ctrl+D":          {[]string{"\x04"}, "the input has ended; nothing was changed", 1},
		"Ctrl+D, later":   {[]string{"one\n", "\x04"}, "the input has ended; nothing was changed", 1},
		"Ctrl+C":          {[]string{"\x03"}, "", 130},
		"Ctrl+C, later":   {[]string{"one\n", "tw\x03"}, "", 130},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDesk(t, "users", file)
			x := d.talk("user", "passwd", "alice", "--file", "users")
			for i, answer := range test.answers {
				x.answer([]string{"New password for alice: ", "The same again: "}[i], answer)
			}
			if status := x.end(); status != test.status {
				t.Errorf("exit status %d, want %d", status, test.status)
			}
			wantText(t, x.text(), test.says)
			for _, typed := range []string{"one", "tw"} {
				if strings.Contains(strings.ReplaceAll(x.text(), "the two passwords", ""), typed) {
					t.Errorf("the terminal shows %q", x.text())
				}
			}
			if got := d.read("users"); got != fillHashes(file) {
				t.Errorf("the file is\n%s", got)
			}
			if !x.echoes() {
				t.Error("the terminal does not echo afterwards")
			}
		})
	}
}

// A person does not type a password twice to learn that the name was wrong.
func TestWhatCannotBeDoneIsSaidBeforeThePasswordIsAskedFor(t *testing.T) {
	t.Parallel()
	d := newDesk(t, "users", "alice:HASH\n")
	for args, says := range map[string]string{
		"passwd alise": `it has no user "alise"`, "add alice": `it has a user "alice" already`, "add a:b": "a name with a colon",
		"add bob --scopes x": "no scopes", "add bob --algorithm md5": "--algorithm md5",
	} {
		x := d.talk(append(append([]string{"user"}, strings.Fields(args)...), "--file", "users")...)
		if status := x.end(); status != 1 || strings.Contains(x.text(), "password for") {
			t.Errorf("%s: exit status %d: %s", args, status, x.text())
		}
		wantText(t, x.text(), says)
	}
}
