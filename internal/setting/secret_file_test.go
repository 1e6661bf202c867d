package setting

import (
	"slices"
	"testing"
)

func TestWhatIsAroundASecretIsNamed(t *testing.T) {
	for _, test := range []struct {
		setting, secret string
		want            []string
	}{
		{"{file./s}", "secret", nil},
		{"{file./s}", "two words", nil},
		{"{file./s}", `it's "quoted" within`, nil},
		{"{file./s}", `"`, nil},
		{"{file./s}", "secret\n", []string{"a line end after it"}},
		{"{file./s}", "secret\n\n\n", []string{"a line end after it"}},
		{"{file./s}", "secret\r\n", []string{"a line end after it"}},
		{"{file./s}", "secret ", []string{"blanks after it"}},
		{"{file./s}", "secret\t", []string{"blanks after it"}},
		{"{file./s}", "secret\u00a0", []string{"blanks after it"}},
		{"{file./s}", "secret\u200b", []string{"blanks after it"}},
		{"{file./s}", "secret \n", []string{"a line end after it", "blanks after it"}},
		{"{file./s}", " secret", []string{"blanks before it"}},
		{"{file./s}", "\nsecret", []string{"a line end before it"}},
		{"{file./s}", "\ufeffsecret", []string{"a byte order mark before it"}},
		{"{file./s}", "\ufeff\"secret\"\n", []string{"a byte order mark before it", "a line end after it", "quotes around it"}},
		{"{file./s}", `"secret"`, []string{"quotes around it"}},
		{"{file./s}", `'secret'`, []string{"quotes around it"}},
		{"{file./s}", "`secret`", []string{"quotes around it"}},
		{"{file./s}", "“secret”\n", []string{"a line end after it", "quotes around it"}},
		{"{file./s}", "‘secret’", []string{"quotes around it"}},
		{"{file./s}", "«secret»", []string{"quotes around it"}},
		{"{file./s}", "\"secret'", nil},
		{"{file./s}", "one\ntwo", []string{"more than one line"}},
		{"{file./s}", "\xff\xfes\x00", []string{"it is UTF-16"}},
		{"{env.SECRET}", `"secret"`, []string{"quotes around it"}},
		{"prefix-{file./s}", "prefix-secret\n", []string{"a line end after it"}},
		{"'secret' ", "'secret' ", nil}, // in the config, where it is visible
	} {
		if got := AroundSecret(test.setting, test.secret); !slices.Equal(got, test.want) {
			t.Errorf("%s with %q: %q, want %q", test.setting, test.secret, got, test.want)
		}
	}
}
