package passwordadvice

import "testing"

func TestRunsOfThreeCharactersAreTakenOut(t *testing.T) {
	for text, want := range map[string]string{
		"":              "",
		"ab":            "ab",
		"abc":           gap,
		"xabcdx":        "x" + gap + "x",
		"cba321":        gap + gap,
		"aabbb":         "aa" + gap,
		"aaab":          gap + "b",
		"qwert-asdf":    gap + "-" + gap,
		"1qaz2wsx":      gap,
		"жжж йцук":      gap + " " + gap,
		"漢漢":            "漢漢",
		"\xff\xff\xffx": gap + "x",
	} {
		if got := withoutRuns(text); got != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
}

func TestDatesAreTakenOut(t *testing.T) {
	for text, want := range map[string]string{
		"24.12.1987":   gap,
		"1987-12-24":   gap,
		"x24/12/87x":   "x" + gap + "x",
		"19871224":     gap + "1224",
		"summer2025":   "summer" + gap,
		"1234567":      "1234567",
		"192.168.17.4": "192." + gap,
	} {
		if got := withoutDates(text); got != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
}

func TestWhatIsRepeatedCountsOnce(t *testing.T) {
	for text, want := range map[string]string{
		"":             "",
		"a":            "a",
		"aa":           "a",
		"abcabc":       "abc",
		"abcabca":      "abc",
		"abcab":        "abcab",
		"漢字漢字漢":        "漢字",
		"passwordpass": "passwordpass",
	} {
		if got := unrepeated(text); got != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
}
