package session

import (
	"encoding/hex"
	"strings"
	"testing"
	"time"
)

func TestAnIDIsReadBackAndTellsTheUTCDayOnWhichItsSessionEnds(t *testing.T) {
	east := time.FixedZone("east", 10*3600)
	id := NewID(time.Date(2026, 12, 22, 3, 0, 0, 0, east)) // still the 21st in Greenwich
	if !strings.HasPrefix(id.String(), "20261221-") || len(id.String()) != 49 {
		t.Errorf("ID %q", id)
	}
	again, ok := ParseID(id.String())
	if !ok || again != id {
		t.Errorf("%q was read as %q, %v", id, again, ok)
	}
}

// G19: 160 random bits.
func TestIDsDifferAndAreRandomInAll160Bits(t *testing.T) {
	end := time.Now()
	seen := make(map[ID]bool)
	var digits [2 * idBytes]map[byte]bool
	for range 1000 {
		id := NewID(end)
		seen[id] = true
		for i := range digits {
			if digits[i] == nil {
				digits[i] = make(map[byte]bool)
			}
			digits[i][id.random[i]] = true
		}
	}
	if len(seen) != 1000 {
		t.Errorf("%d IDs of 1000 are different", len(seen))
	}
	for i, d := range digits {
		if len(d) != 16 {
			t.Errorf("digit %d takes %d values of 16", i, len(d))
		}
	}
}

var notIDs = map[string]string{
	"nothing":                        "",
	"no dash":                        "20261222" + strings.Repeat("a", 40),
	"two dashes":                     "20261222--" + strings.Repeat("a", 39),
	"a day that does not exist":      "20260230-" + strings.Repeat("a", 40),
	"a day of another form":          "2026-12-22-" + strings.Repeat("a", 40),
	"a day with a space":             " 2026122-" + strings.Repeat("a", 40),
	"a day with a sign":              "+2026122-" + strings.Repeat("a", 40),
	"an hour":                        "2026122210-" + strings.Repeat("a", 40),
	"too few bits":                   "20261222-" + strings.Repeat("a", 39),
	"too many bits":                  "20261222-" + strings.Repeat("a", 41),
	"upper case":                     "20261222-" + strings.Repeat("A", 40),
	"a letter that is not a digit":   "20261222-" + strings.Repeat("a", 39) + "g",
	"a path":                         "20261222-../" + strings.Repeat("a", 37),
	"a path as the day":              "../../..-" + strings.Repeat("a", 40),
	"a slash":                        "20261222-" + strings.Repeat("a", 39) + "/",
	"a newline":                      "20261222-" + strings.Repeat("a", 39) + "\n",
	"a NUL":                          "20261222-" + strings.Repeat("a", 39) + "\x00",
	"a marker":                       "20261222-" + strings.Repeat("a", 40) + markerSuffix,
	"digits of another alphabet":     "２０２６１２２２-" + strings.Repeat("a", 40),
	"hex digits of another alphabet": "20261222-" + strings.Repeat("٣", 20),
}

func TestWhatIsNotAnIDIsNotReadAsOne(t *testing.T) {
	for name, s := range notIDs {
		t.Run(name, func(t *testing.T) {
			if id, ok := ParseID(s); ok || id != (ID{}) {
				t.Errorf("%q was read as %q", s, id)
			}
		})
	}
}

func FuzzAnIDThatIsReadPrintsAsItWasAndIsSafeInAKey(f *testing.F) {
	f.Add(NewID(time.Now()).String())
	for _, s := range notIDs {
		f.Add(s)
	}
	s := NewStore(nil, testPrefix, nil, nil)
	f.Fuzz(func(t *testing.T, text string) {
		id, ok := ParseID(text)
		if !ok {
			return
		}
		if bits := id.bits(); hex.EncodeToString(bits[:]) != id.random {
			t.Errorf("%q has the bits %x", text, bits)
		}
		if id.String() != text {
			t.Errorf("%q prints as %q", text, id)
		}
		if key := s.recordKey(id); len(key) != len(testPrefix)+len("/sessions/")+8+1+40 || strings.Trim(key[len(testPrefix+"/sessions"):], "/0123456789abcdef") != "" {
			t.Errorf("key %q", key)
		}
	})
}

var notRecords = map[string]string{
	"nothing":                        "",
	"half":                           `{"version":1,"generation":3,"ans`,
	"zeroes, after a crash":          strings.Repeat("\x00", 90),
	"something behind":               `{"version":1,"generation":3,"answer":"a","rotated":1}{}`,
	"no version":                     `{"generation":3,"answer":"a","rotated":1}`,
	"a version before the first":     `{"version":-1,"generation":3,"answer":"a","rotated":1}`,
	"no generation":                  `{"version":1,"answer":"a","rotated":1}`,
	"generation 0":                   `{"version":1,"generation":0,"answer":"a","rotated":1}`,
	"a negative generation":          `{"version":1,"generation":-1,"answer":"a","rotated":1}`,
	"a generation that is too large": `{"version":1,"generation":18446744073709551616,"answer":"a","rotated":1}`,
	"half a generation":              `{"version":1,"generation":1.5,"answer":"a","rotated":1}`,
	"no answer":                      `{"version":1,"generation":3,"rotated":1}`,
	"another type":                   `[1,3,"a",1]`,
	"null":                           `null`,
}

func FuzzARecordThatIsReadIsWrittenWithTheSameMeaning(f *testing.F) {
	f.Add(encodeRecord(record{Generation: 3, Answer: newAnswer(), Rotated: time.Now().UnixMilli()}))
	for _, s := range notRecords {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		r, err := decodeRecord(content)
		if err != nil {
			if r != (record{}) {
				t.Errorf("record %+v with error %v", r, err)
			}
			return
		}
		if r.Generation == 0 || r.Answer == "" {
			t.Errorf("record %+v", r)
		}
		if again, err := decodeRecord(encodeRecord(r)); err != nil || again != r {
			t.Errorf("%+v was read back as %+v, error %v", r, again, err)
		}
	})
}
