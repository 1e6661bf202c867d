package labelset

import "sync"

// Of are the labels of a gauge, two at most.
type Of [2]string

// Followers counts the configs that follow what a gauge is about. The gauge is removed
// once no config does: it would look as if nothing had changed ever since. At a reload
// there are two configs for a moment. The zero value counts none.
type Followers struct {
	mu sync.Mutex
	of map[Of]int
}

// Begin calls set, and tells it whether no other config follows.
func (f *Followers) Begin(of Of, set func(first bool)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.of == nil {
		f.of = make(map[Of]int)
	}
	f.of[of]++
	set(f.of[of] == 1)
}

// Observe calls set, unless all have ended meanwhile.
func (f *Followers) Observe(of Of, set func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.of[of] > 0 {
		set()
	}
}

// End calls remove once no config follows.
func (f *Followers) End(of Of, remove func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.of[of]--; f.of[of] == 0 {
		delete(f.of, of)
		remove()
	}
}
