package password

import (
	"testing"

	"golang.org/x/sys/unix"
)

func TestStepBackLowersThePriorityOfOneGoroutineAlone(t *testing.T) {
	priorityOf := func(f func()) int {
		result := make(chan int)
		go func() {
			f()
			priority, err := unix.Getpriority(unix.PRIO_PROCESS, 0)
			if err != nil {
				t.Error(err)
			}
			result <- priority
		}()
		return <-result
	}
	before := priorityOf(func() {})
	lowered := priorityOf(stepBack)
	if want := max(before-nicer, 1); lowered != want {
		t.Errorf("priority %d while hashing, want %d", lowered, want)
	}
	for range 100 { // whatever threads they get
		if after := priorityOf(func() {}); after != before {
			t.Fatalf("priority %d of a goroutine that came later, want %d", after, before)
		}
	}
}
