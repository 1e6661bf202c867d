package userfile

import (
	"errors"
	"testing"
)

func TestNamesThatAreCertainlyMistakes(t *testing.T) {
	for _, test := range []struct {
		name  string
		want  error
		shown string
	}{
		{"- alice", errNameListed, `"- alice"`},
		{"* alice", errNameListed, `"* alice"`},
		{"-\talice", errNameListed, `"-\talice"`},
		{`"alice"`, errNameQuoted, `"\"alice\""`},
		{`"alice`, errNameQuoted, `"\"alice"`},
		{`alice"`, errNameQuoted, `"alice\""`},
		{`"},{"reason":"wrong_password"`, nil, `"\"},{\"reason\":\"wrong_password\""`},
		{`'alice'`, errNameQuoted, `"'alice'"`},
		{"`alice`", errNameQuoted, "\"`alice`\""},
		{"“alice”", errNameQuoted, `"“alice”"`},
		{"‘alice’", errNameQuoted, `"‘alice’"`},
		{" alice", nil, `" alice"`}, // in quotes it may be intended
		{"alice\u00a0", errNameBlank, `"alice\u00a0"`},
		{"\u3000alice", errNameBlank, `"\u3000alice"`},
		{" ", errNameBlank, `" "`},
		{"al\u200bice", errNameInvisible, `"al\u200bice"`},
		{"\u200balice", errNameInvisible, `"\u200balice"`},
		{"alice\u200d", errNameInvisible, `"alice\u200d"`},
		{"al\u200dice", errNameInvisible, `"al\u200dice"`},
		{"al\u200cice", errNameInvisible, `"al\u200cice"`},
		{"\ufeffalice", errNameInvisible, `"\ufeffalice"`},
		{"alice\u202egro.", errNameInvisible, `"alice\u202egro."`},
		{"\u2066alice\u2069", errNameInvisible, `"\u2066alice\u2069"`},
		{"alice\u200f", errNameInvisible, `"alice\u200f"`},
		{"al\u00adice", errNameInvisible, `"al\u00adice"`},
		{"al\u2060ice", errNameInvisible, `"al\u2060ice"`},
		{"al\u3164ice", errNameInvisible, `"al\u3164ice"`},
		{"al\u115fice", errNameInvisible, `"al\u115fice"`},
		{"al\u2800ice", errNameInvisible, `"al\u2800ice"`},
		{"al\u034fice", errNameInvisible, `"al\u034fice"`},
		{"alice\ufe0f", errNameInvisible, `"alice\ufe0f"`},
		{"alice\U000e0041", errNameInvisible, `"alice\U000e0041"`},
		{"al\u00a0ice", errNameInvisible, `"al\u00a0ice"`},
		{"al\u2009ice", errNameInvisible, `"al\u2009ice"`},
		{"al\u2028ice", errNameInvisible, `"al\u2028ice"`},
		{"al\ufffdce", errNameLost, `"al\ufffdce"`},

		{"alice", nil, `"alice"`},
		{"Alice Smith", nil, `"Alice Smith"`},
		{"-alice", nil, `"-alice"`},
		{"alice-", nil, `"alice-"`},
		{"O'Brien", nil, `"O'Brien"`},
		{"'t Hooft", nil, `"'t Hooft"`},
		{`CORP\alice`, nil, `"CORP\\alice"`},
		{"alice@example.com", nil, `"alice@example.com"`},
		{"+49 30 1234", nil, `"+49 30 1234"`},
		{"naïve", nil, `"naïve"`},
		{"مریم\u200cزاده", nil, `"مریم\u200cزاده"`},
		{"क्\u200dष", nil, `"क्\u200dष"`},
		{"山田\u3000太郎", nil, `"山田\u3000太郎"`},
		{"👩‍💻", nil, `"👩\u200d💻"`},
		{"1\ufe0f\u20e3", nil, "\"1\\ufe0f\u20e3\""},
		{"❤️", nil, `"❤\ufe0f"`},
		{"🏴󠁧󠁢󠁥󠁮󠁧󠁿", errNameInvisible, `"🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f"`},
	} {
		if err := OddName(test.name); !errors.Is(err, test.want) || (err == nil) != (test.want == nil) {
			t.Errorf("%+q: %v, want %v", test.name, err, test.want)
		}
		if got := Quote(test.name); got != test.shown {
			t.Errorf("%+q is shown as %s, want %s", test.name, got, test.shown)
		}
	}
}
