package command

import (
	"strings"
	"testing"
)

func TestAWeakPasswordIsTakenWithAWarning(t *testing.T) {
	t.Parallel()
	d := newDesk(t, "users", "bob:HASH\n")
	for password, want := range map[string]string{
		"hunter2":                      "Warning: the password is weak: it has fewer than 8 characters",
		"iloveyou1234567":              "Warning: the password is weak: it is one of the most common passwords",
		"qwertyuiopasdfghjkl":          "Warning: the password is weak: it is easy to guess",
		"bob-bob-bob-bob-2026":         "Warning: the password is weak: it is made of the name of its user",
		"xK9#mQ2$vL7@":                 "Warning: the password is weak: it has fewer than 15 characters",
		"grün Kartoffel Fluss leise":   "",
		"correct horse battery staple": "",
	} {
		said := d.do(password+"\n", "user", "passwd", "bob", "--file", "users")
		if !strings.HasPrefix(said, want) || strings.Contains(said, "Warning") != (want != "") {
			t.Errorf("%s: it says %q, want %q", password, said, want)
		}
		_, hash, _ := strings.Cut(d.read("users"), "bob:")
		wantHash(t, strings.TrimSpace(hash), "argon2id m=47104,t=1,p=1", password)
	}
}
