package browser

import (
	"net/http"
	"slices"
	"strings"
	"testing"
)

func isOurs(name string) bool { return name == "__Host-s" || name == "s" }

func TestOnlyCookiesOfCertainNamesAreTaken(t *testing.T) {
	type lines = []string
	for _, tt := range []struct {
		name   string
		sent   lines
		taken  []Cookie
		passed lines
	}{
		{"no cookie", nil, nil, nil},
		{"an empty header stays", lines{""}, nil, lines{""}},
		{"another cookie stays", lines{"a=1"}, nil, lines{"a=1"}},
		{"alone it takes the header along", lines{"s=v"}, []Cookie{{"s", "v"}}, nil},
		{"the first", lines{"s=v; a=1; b=2"}, []Cookie{{"s", "v"}}, lines{"a=1; b=2"}},
		{"one in the middle", lines{"a=1; s=v; b=2"}, []Cookie{{"s", "v"}}, lines{"a=1; b=2"}},
		{"the last", lines{"a=1; b=2; s=v"}, []Cookie{{"s", "v"}}, lines{"a=1; b=2"}},
		{"both names, in order", lines{"__Host-s=1; a=1; s=2"}, []Cookie{{"__Host-s", "1"}, {"s", "2"}}, lines{"a=1"}},
		{"the same name twice", lines{"s=1; s=2"}, []Cookie{{"s", "1"}, {"s", "2"}}, nil},
		{"a prefix of the name stays", lines{"__Host-=1; __Host-s2=2; xs=3; s.=4; s-=5"}, nil, lines{"__Host-=1; __Host-s2=2; xs=3; s.=4; s-=5"}},
		{"the name in another case is another cookie", lines{"S=1; __host-s=2"}, nil, lines{"S=1; __host-s=2"}},
		{"a value that is the name stays", lines{"a=s; b=__Host-s"}, nil, lines{"a=s; b=__Host-s"}},
		{"a value has everything behind the first =", lines{"s=a=b=="}, []Cookie{{"s", "a=b=="}}, nil},
		{"a quoted value stays quoted", lines{`s="v"`}, []Cookie{{"s", `"v"`}}, nil},
		{"an empty value", lines{"s="}, []Cookie{{"s", ""}}, nil},
		{"no value", lines{"a=1; s"}, []Cookie{{"s", ""}}, lines{"a=1"}},
		{"spaces around the name", lines{"a=1; \ts\t =v; b=2"}, []Cookie{{"s", "v"}}, lines{"a=1; b=2"}},
		{"spaces around the value", lines{"s= v\t"}, []Cookie{{"s", "v"}}, nil},
		{"no space after the separator", lines{"a=1;s=v;b=2"}, []Cookie{{"s", "v"}}, lines{"a=1;b=2"}},
		{"what is left keeps its spaces", lines{"a = 1 ;  b=2;s=v;\tc"}, []Cookie{{"s", "v"}}, lines{"a = 1 ;  b=2;\tc"}},
		{"malformed cookies stay", lines{`=x; ;;a="1; {"b":2}; s=v; c d=3; é=4`}, []Cookie{{"s", "v"}}, lines{`=x; ;;a="1; {"b":2}; c d=3; é=4`}},
		{"a separator at the end goes with it", lines{"a=1; s=v;"}, []Cookie{{"s", "v"}}, lines{"a=1"}},
		{"separators at the beginning go with it", lines{";; s=v; a=1"}, []Cookie{{"s", "v"}}, lines{"a=1"}},
		{"separators alone do not stay", lines{"; s=v; ;"}, []Cookie{{"s", "v"}}, nil},
		{"separators stay where nothing is taken", lines{"; a=1;"}, nil, lines{"; a=1;"}},
		{"in several lines", lines{"a=1", "s=v", "b=2; s=w;", "; c=3;"}, []Cookie{{"s", "v"}, {"s", "w"}}, lines{"a=1", "b=2", "; c=3;"}},
		{"no line is left", lines{"s=v", "__Host-s=w"}, []Cookie{{"s", "v"}, {"__Host-s", "w"}}, nil},

		// What apps could read, and browsers do not.
		{"a quote does not hide it", lines{`a="1; s=v; b="`}, []Cookie{{"s", "v"}}, lines{`a="1; b="`}},
		{"behind a comma", lines{"b=2; a=1, s=v"}, nil, lines{"b=2"}},
		{"before a comma its value ends for browsers at the semicolon", lines{"s=v, a=1; b=2"}, []Cookie{{"s", "v, a=1"}}, lines{"b=2"}},
		{"behind a space", lines{"b=2; a=1 s=v"}, nil, lines{"b=2"}},
		{"behind a quote", lines{`b=2; a="1"s=v`}, nil, lines{"b=2"}},
		{"in quotes", lines{`b=2; "s"=v`}, nil, lines{"b=2"}},
		{"behind an =, as of a cookie without a name", lines{"b=2; =s=v"}, nil, lines{"b=2"}},
		{"behind a space that Node trims", lines{"b=2; \u00a0s=v"}, nil, lines{"b=2"}},
		{"before a space that Node trims", lines{"b=2; s\xa0=v"}, nil, lines{"b=2"}},
		{"behind a form feed", lines{"b=2; \fs=v"}, nil, lines{"b=2"}},
		{"only such a one", lines{"a=1,s=v"}, nil, nil},
		{"within JSON", lines{`p={"s":"=", "x":"s=v"}; b=2`}, nil, lines{"b=2"}},
		{"in a value that only ends like it", lines{"p=/?xs=1&ts=2"}, nil, lines{"p=/?xs=1&ts=2"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := http.Header{"Accept": {"*/*"}}
			if tt.sent != nil {
				h["Cookie"] = slices.Clone(tt.sent)
			}
			was := h["Cookie"]
			if got := TakeCookies(h, isOurs); !slices.Equal(got, tt.taken) {
				t.Errorf("taken are %q, want %q", got, tt.taken)
			}
			if got, there := h["Cookie"]; !slices.Equal(got, tt.passed) || there != (tt.passed != nil) {
				t.Errorf("left is %q (%v), want %q", got, there, tt.passed)
			}
			if !slices.Equal(was, tt.sent) {
				t.Errorf("a copy of the header now has %q", was)
			}
			if h["Accept"] == nil {
				t.Error("another header is gone")
			}
		})
	}
}

func TestCookiesOfOthersAreLookedThroughWithoutAllocating(t *testing.T) {
	without, others := http.Header{"Accept": {"*/*"}}, http.Header{"Cookie": {"a=1; session=abc; __Host-t=x", "b=2"}}
	name := "__Host-s"
	taken := func(s string) bool { return s == name }
	if n := testing.AllocsPerRun(100, func() { TakeCookies(without, taken); TakeCookies(others, taken) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// Whatever a client sends, what is left is what came without what was taken, and neither
// Go nor parsers that split elsewhere find one of the names in it.
func FuzzTakeCookies(f *testing.F) {
	for _, line := range []string{
		"s=v", "a=1; s=v; b=2", "; s=v;", "a=1, s=v", `a="1; s=v"`, "\ts \t=v", "s", "=s=v", "a=s; b=1", ";;", "s=1; a=1", "\x00s=v", "a=1 s=v",
		"a=b; =", "\u00a0s=v", "s\xa0=v", "\ns", "a=\"s=\"",
	} {
		f.Add(line, "b=2; c")
	}
	f.Fuzz(func(t *testing.T, first, second string) {
		h := http.Header{"Cookie": {first, second}}
		cookies := TakeCookies(h, isOurs)

		var want []string // the cookies that are left, without the blanks around them
		var taken []Cookie
		for _, line := range []string{first, second} {
			touched := false
			for part := range strings.SplitSeq(line, ";") {
				name, value, _ := strings.Cut(part, "=")
				if name = strings.Trim(name, blanks); isOurs(name) {
					taken, touched = append(taken, Cookie{name, strings.Trim(value, blanks)}), true
				} else if isFound(part) {
					touched = true
				} else if part = strings.Trim(part, blanks); part != "" {
					want = append(want, part)
				}
			}
			if !touched && !slices.Contains(h["Cookie"], line) {
				t.Fatalf("%q does not stay as it was: %q", line, h["Cookie"])
			}
		}
		if !slices.Equal(cookies, taken) {
			t.Fatalf("%q, %q: taken are %q, want %q", first, second, cookies, taken)
		}
		var left []string
		for _, line := range h["Cookie"] {
			for part := range strings.SplitSeq(line, ";") {
				if part = strings.Trim(part, blanks); part != "" {
					left = append(left, part)
				}
			}
			if line != first && line != second && strings.Trim(line, ";"+blanks) != strings.TrimRight(line, blanks) {
				t.Fatalf("%q, %q: a separator is left in %q", first, second, line)
			}
		}
		if !slices.Equal(left, want) {
			t.Fatalf("%q, %q: left is %q, want %q", first, second, left, want)
		}

		for _, cookie := range (&http.Request{Header: h}).Cookies() {
			if isOurs(cookie.Name) {
				t.Fatalf("Go finds %v in %q", cookie, h["Cookie"])
			}
		}
		for _, line := range h["Cookie"] {
			if isFound(line) {
				t.Fatalf("an app could read it from %q", line)
			}
		}
	})
}

// isFound looks for a name as the most careless parser might: it splits at everything
// that cannot be part of a name.
func isFound(line string) bool {
	isSeparator := func(c rune) bool {
		return c >= 0x7f || c <= ' ' || strings.ContainsRune(`()<>@,;:\"/[]?{}`, c)
	}
	for segment := range strings.SplitSeq(line, ";") {
		words := strings.Split(segment, "=")
		for _, before := range words[:len(words)-1] {
			if names := strings.FieldsFunc(before, isSeparator); len(names) > 0 && isOurs(names[len(names)-1]) {
				return true
			}
		}
	}
	return false
}

// With max_header_size raised, one request kept a processor busy for a long time.
func TestTheSameNameIsLookedUpOnceHoweverOftenEqualsFollows(t *testing.T) {
	looked := 0
	TakeCookies(http.Header{"Cookie": {strings.Repeat("a", 100) + strings.Repeat("=", 100)}}, func(string) bool {
		looked++
		return false
	})
	if looked > 2 {
		t.Errorf("%d look-ups", looked)
	}
}
