package main

import "time"

// passes are how often measurements that are compared have a turn in a round, where the
// speed of the machine can change within a second: slots are cut into short turns, each
// kind has one in every pass, and every other pass goes the other way. A round's value
// is the median of its passes, so that a slow moment, which meets one turn, is not in
// it. A slot is for turns of two kinds; there is more than one where the passes differ
// much.
func (b *bench) passes(turn time.Duration, slots int) int {
	return slots * max(1, int(b.slot/(2*turn)))
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

// inRounds measures figures in so many rounds of so many passes, each of which returns
// all of them with one value.
func inRounds(rounds, passes int, pass func(number int) ([]figure, error)) (figures []figure, err error) {
	for round := range rounds {
		var passed []figure
		for i := range passes {
			each, err := pass(round*passes + i)
			if err != nil {
				return nil, err
			}
			passed = join(passed, each)
		}
		for i, f := range passed {
			passed[i] = f.of(f.Median)
		}
		figures = join(figures, passed)
	}
	return figures, nil
}

// join adds the values of the same figures.
func join(figures, more []figure) []figure {
	if figures == nil {
		return more
	}
	for i, f := range figures {
		figures[i] = f.of(append(f.Values, more[i].Values...)...)
	}
	return figures
}

// inTurns takes n tries of each of two kinds, in passes.
func inTurns(n int, a, b func(i int) (float64, error)) (ofA, ofB []float64, err error) {
	ofA, ofB = make([]float64, n), make([]float64, n)
	for i := range n {
		err := pass(i,
			func() (err error) { ofA[i], err = a(i); return err },
			func() (err error) { ofB[i], err = b(i); return err })
		if err != nil {
			return nil, nil, err
		}
	}
	return ofA, ofB, nil
}
