package sessions

import (
	"strings"
	"testing"
	"time"
)

func TestAnIDIsReadAsItIsWrittenAndInNoOtherSpelling(t *testing.T) {
	id := NewID(time.Date(2026, 11, 29, 23, 59, 59, 0, time.UTC), NewEpoch())
	if read, ok := ParseID(id.String()); !ok || read != id || id.Day != "20261129" || len(id.String()) != 66 {
		t.Fatalf("%s was read as %v, %v", id, read, ok)
	}
	written := id.String()
	for _, s := range []string{
		"", "-", "--", written + "-", "-" + written, written[:65], written + "0", strings.ToUpper(written),
		strings.Replace(written, "20261129", "20261131", 1), strings.Replace(written, "-", "_", 1),
		strings.Replace(written, "20261129", "2026112 9", 1), id.Day + "-" + id.Random,
	} {
		if read, ok := ParseID(s); ok {
			t.Errorf("%q was read as %v", s, read)
		}
	}
}

func TestASessionIsOverAWeekAfterItsDay(t *testing.T) {
	id := NewID(time.Date(2028, 2, 28, 1, 0, 0, 0, time.UTC), NewEpoch())
	if want := time.Date(2028, 3, 7, 0, 0, 0, 0, time.UTC); !id.Over().Equal(want) {
		t.Errorf("over at %v, want %v", id.Over(), want)
	}
}
