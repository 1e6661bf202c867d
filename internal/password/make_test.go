package password

import (
	"strings"
	"testing"
)

func TestMadeHashesMatchTheirPasswordAndNoOther(t *testing.T) {
	for kind, make := range map[string]func(string) (string, error){
		"argon2id m=47104,t=1,p=1": MakeArgon2id,
		"bcrypt cost 10":           func(password string) (string, error) { return MakeBcrypt(password, 10) },
		"sha256-crypt rounds=5000": MakeSHA256Crypt,
	} {
		for _, password := range []string{"ü ", strings.Repeat("x", 72)} {
			text, err := make(password)
			if err != nil {
				t.Fatalf("%s: %v", kind, err)
			}
			hash, err := Parse(text, false)
			if err != nil || hash.Params().Kind() != kind || hash.Params().Advice() != "" {
				t.Fatalf("it is of the kind %s, want %s (%v)", hash.Params().Kind(), kind, err)
			}
			if !hash.Matches(password) || hash.Matches(password+"x") {
				t.Errorf("%s: it does not match %q alone", kind, password)
			}
			if again, _ := make(password); again == text {
				t.Errorf("%s: two hashes have one salt", kind)
			}
		}
	}
}

func TestPasswordsThatWouldMatchNothingGetNoHash(t *testing.T) {
	cheap := func(password string) (string, error) { return MakeBcrypt(password, 10) }
	for _, test := range []struct {
		make           func(string) (string, error)
		password, want string
	}{
		{MakeArgon2id, "", "is empty"},
		{MakeArgon2id, "a\x00b", "NUL"},
		{MakeArgon2id, "gr\xfcn", "not UTF-8"},
		{cheap, "gr\xfcn", "not UTF-8"},
		{MakeArgon2id, strings.Repeat("x", 1025), "1025 bytes, and the maximum with argon2id is 1024"},
		{cheap, strings.Repeat("x", 73), "73 bytes, and the maximum with bcrypt is 72"},
		{cheap, "", "is empty"},
		{MakeSHA256Crypt, strings.Repeat("x", 257), "the maximum with sha256-crypt is 256"},
		{func(password string) (string, error) { return MakeBcrypt(password, 9) }, "x", "from 10 to 16"},
		{func(password string) (string, error) { return MakeBcrypt(password, 17) }, "x", "from 10 to 16"},
	} {
		if hash, err := test.make(test.password); hash != "" || err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("got %q and %v, want %q", hash, err, test.want)
		}
	}
}
