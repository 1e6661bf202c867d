package main

import "time"

// turns are how measurements that are compared take turns, where the speed of the machine can change within a second:
// the slot of a round is cut into short turns, each kind has one in every pass, and every other pass goes the other way.
// A round's value is the median of its passes, so that a slow moment, which meets one turn, is not in it.
type turns struct {
	length time.Duration
	passes int // of each round
}

// turnsOf cuts slots in which two kinds take turns: more than one where the passes differ much.
func (b *bench) turnsOf(length time.Duration, slots int) turns {
	return turns{length, slots * max(1, int(b.slot/(2*length)))}
}

// pass calls each of the functions, in their order or, if the pass has an odd number, in the reverse one.
func pass(number int, each ...func() error) error {
	for i := range each {
		if number%2 == 1 {
			i = len(each) - 1 - i
		}
		if err := each[i](); err != nil {
			return err
		}
	}
	return nil
}
