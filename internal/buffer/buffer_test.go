package buffer

import (
	"encoding/json"
	"strings"
	"testing"
)

// Every byte alone and among others, so that none is taken for a plain one by mistake.
func TestAStringIsWrittenAsEncodingJSONWritesIt(t *testing.T) {
	for c := range 256 {
		for _, s := range []string{string([]byte{byte(c)}), "a" + string([]byte{byte(c)}) + "b", string([]byte{0xc3, byte(c)}), string([]byte{byte(c), 0xa9})} {
			sameAsEncodingJSON(t, s)
		}
	}
	for _, s := range []string{
		"", "alice", "naïve", "日本語", "🐎", "a\u2028b\u2029c", "<script>&amp;</script>", `a"b\c/d`, "\x00\x1f\x7f\t\n\r\b\f",
		"\ufffd", "\xff", "\xed\xa0\x80", "\xf0\x9f\x90", strings.Repeat("a", 5000), strings.Repeat("a", 5000) + `"`,
	} {
		sameAsEncodingJSON(t, s)
	}
}

func FuzzAppendJSONString(f *testing.F) {
	for _, s := range []string{"", "alice", "na\u00efve", "a\u2028b", "<&>", `"\`, "\xff", "\x00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) { sameAsEncodingJSON(t, s) })
}

func sameAsEncodingJSON(t *testing.T, s string) {
	t.Helper()
	want, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	if got := string(AppendJSONString([]byte("before"), s)); got != "before"+string(want) {
		t.Errorf("%q is written as %s, by encoding/json as %s", s, got, want)
	}
}

// What was in a buffer must not be found in it by whoever borrows it next.
func TestABufferThatHeldASecretComesBackWithoutIt(t *testing.T) {
	b := Borrow()
	b.WriteString("correct horse")
	held := b.Bytes()
	ReturnSecret(b)
	if string(held) != strings.Repeat("\x00", len("correct horse")) {
		t.Errorf("it has %q", held)
	}
}
