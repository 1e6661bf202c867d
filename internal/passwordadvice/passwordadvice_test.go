package passwordadvice

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestPasswordsThatAreGuessedFirstAreNamed(t *testing.T) {
	for _, test := range []struct{ password, reason string }{
		{"", errTooShort},
		{"hunter2", errTooShort},
		{"пароль1", errTooShort},
		{"xK9#mQ2$vL7@", errShort},
		{"Tr0ub4dor&3", errShort},

		{"password", errCommon},
		{"iloveyou", errCommon},
		{"Password123!", errCommon},
		{"PASSWORD1234567", errCommon},
		{"P@ssw0rd2024!!!!", errCommon},
		{"!!!Password24.12.1987", errCommon},
		{"changemechangeme", errCommon},
		{"SummerTime2024!!", errCommon}, // "ert" is a run of keys
		{"Sommer2025!", errCommon},
		{"qwertyuiop", errCommon},

		{"MonkeyDragon1234", errGuessed},
		{"password-is-password", errGuessed},
		{"Caddy-Grant-2026", errGuessed},
		{"WelcomeToCaddy2026!", errGuessed},
		{"123456789012345", errGuessed},
		{"abcdefghijklmnop", errGuessed},
		{"aaaaaaaaaaaaaaaaaaaa", errGuessed},
		{"1111222233334444", errGuessed},
		{"xK9#xK9#xK9#xK9#xK", errGuessed},
		{"qwertyuiopasdfghjkl", errGuessed},
		{"1qaz2wsx3edc4rfv", errGuessed},
		{"zaq12wsxcde34rfv", errGuessed},
		{"йцукенгшщзхъфыва", errGuessed},
		{strings.Repeat("a", 1<<20), errGuessed},

		{"alice2024", errPersonal},
		{"alice.liddell", errPersonal},
		{"alice123456789012", errPersonal},
		{"aliceliddellalice", errPersonal},
		{"alice-19871224-liddell", errPersonal},
		{"ALICE@example.com", errPersonal},
	} {
		reason, weak := Weak(test.password, "alice", "alice.liddell@example.com")
		if !weak || reason != test.reason {
			t.Errorf("%.30q: %v %q, want %q", test.password, weak, reason, test.reason)
		}
	}
}

func TestLongPasswordsThatAreNotGuessedAreGood(t *testing.T) {
	for _, password := range []string{
		"correct horse battery staple",
		"correcthorsebatterystaple",
		"love door milk tree",
		"xK9#mQ2$vL7@wR4!",
		"839201746652910",
		"alice839201746652910",
		"Kartoffel singt leise am Fluss",
		"三つの赤い橋を静かに渡る夜明けの猫",
		strings.Repeat("correct horse battery staple ", 30),
	} {
		if reason, weak := Weak(password, "alice"); weak {
			t.Errorf("%.30q: %s", password, reason)
		}
	}
}

// What an attacker knows makes a difference, so it is not ignored.
func TestTheNameOfTheUserCounts(t *testing.T) {
	const password = "Grzegorzewska-Wrotkowska"
	if reason, weak := Weak(password); weak {
		t.Errorf("without a name: %s", reason)
	}
	if reason, _ := Weak(password, "grzegorzewska.wrotkowska@example.com"); reason != errPersonal {
		t.Errorf("with the name: %q", reason)
	}
}

// The time grows with the square of what is looked at.
func TestLongPasswordsAreDecidedOnTheirBeginning(t *testing.T) {
	for _, unit := range []string{"a", "1", "aB3$", "@4$", "\xff", "漢", "password"} {
		password := strings.Repeat(unit, 1<<20/len(unit))
		if looked := beginning(password); utf8.RuneCountInString(looked) > maxLooked || !strings.HasPrefix(password, looked) {
			t.Errorf("%q: %d characters are looked at", unit, utf8.RuneCountInString(looked))
		}
		Weak(password, password, strings.Repeat("a b", 80))
	}
}

func FuzzWeak(f *testing.F) {
	for _, seed := range []string{"", "password", "пароль-12345678", "\xff\xfe\x00 aaaaaaaaaa", "Tr0ub4dor&3", "2026-11-29 İstanbul", "correct horse battery staple"} {
		f.Add(seed, "alice")
	}
	f.Fuzz(func(t *testing.T, password, name string) {
		reason, weak := Weak(password, name, name+"@example.com")
		switch reason {
		case "", errTooShort, errShort, errCommon, errPersonal, errGuessed:
		default:
			t.Errorf("a reason of its own: %q", reason)
		}
		if weak != (reason != "") {
			t.Errorf("%v without a reason, or the reverse: %q", weak, reason)
		}
		if utf8.RuneCountInString(password) < MinLength && !weak {
			t.Errorf("a short password is good: %q", password)
		}
	})
}
