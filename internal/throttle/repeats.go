package throttle

import (
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// repeats remembers the last wrong secrets of pairs by their fingerprints, and never a
// right one. It forgets the least recently used pair when it is full: what is wrong
// again then counts again, and nothing else happens.
type repeats struct {
	pairs *simplelru.LRU[digest, wrongs]
}

// wrongs are the wrong secrets of one pair.
type wrongs [repeatsPerPair]struct {
	fingerprint digest // the beginning of a Fingerprint; zero: none, and none after it
	last        time.Duration
}

func newRepeats(capacity int) *repeats {
	pairs, _ := simplelru.NewLRU[digest, wrongs](capacity, nil) // fails only for sizes below 1
	return &repeats{pairs: pairs}
}

// has says whether that secret was wrong a moment ago. If so, the time begins again: a
// script goes on for hours.
func (r *repeats) has(pair digest, f Fingerprint, now time.Duration) bool {
	if f == (Fingerprint{}) {
		return false
	}
	w, ok := r.pairs.Get(pair)
	if !ok {
		return false
	}
	for i := range w {
		if w[i].fingerprint == digest(f[:]) && now-w[i].last < repeatTime {
			w[i].last = now
			r.pairs.Add(pair, w)
			return true
		}
	}
	return false
}

// add remembers a wrong secret, in place of the least recently seen of its pair.
func (r *repeats) add(pair digest, f Fingerprint, now time.Duration) {
	if f == (Fingerprint{}) {
		return
	}
	w, _ := r.pairs.Get(pair)
	place := 0
	for i := range w {
		if w[i].fingerprint == digest(f[:]) || w[i].fingerprint == (digest{}) {
			place = i
			break
		}
		if w[i].last < w[place].last {
			place = i
		}
	}
	w[place].fingerprint, w[place].last = digest(f[:]), now
	r.pairs.Add(pair, w)
}

const (
	repeatsPerPair = 4
	repeatTime     = 5 * time.Minute
)
