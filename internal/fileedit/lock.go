package fileedit

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

// queue is a writer's turn to write a file.
type queue struct {
	until   time.Time
	wait    time.Duration
	waiting func(holder string)
	told    bool
}

// errTaken says that another writer has the lock.
var errTaken = errors.New("another writer has the file")

// lock waits for the lock of a file.
func (q *queue) lock(target string) (unlock func(), err error) {
	for {
		unlock, err := tryLock(target)
		if !errors.Is(err, errTaken) {
			return unlock, err
		}
		if time.Now().After(q.until) {
			return nil, fmt.Errorf("%s has had it for %v; try again", holder(target), q.wait)
		}
		if q.waiting != nil && !q.told {
			q.told = true
			q.waiting(holder(target))
		}
		time.Sleep(5*time.Millisecond + rand.N(10*time.Millisecond))
	}
}
