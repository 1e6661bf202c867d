package password

import (
	"testing"

	"golang.org/x/sys/unix"
)

func TestStepBackLowersThePriorityOfOneGoroutineAlone(t *testing.T) {
	tryPriorityOf := func(f func()) int {
		result := make(chan int)
		go func() {
			if f(); unix.Gettid() == unix.Getpid() {
				result <- 0 // the main thread keeps its own
				return
			}
			priority, err := unix.Getpriority(unix.PRIO_PROCESS, 0)
			if err != nil {
				t.Error(err)
			}
			result <- priority
		}()
		return <-result
	}
	priorityOf := func(f func()) int {
		for {
			if priority := tryPriorityOf(f); priority > 0 {
				return priority
			}
		}
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
