package fleet

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"
)

// Trouble is what is wrong with the way of a node. The zero Trouble is that nothing is.
type Trouble struct {
	Kind  Kind
	Delay time.Duration // of Slow
}

// Kind is a kind of trouble.
type Kind int

const (
	Fine        Kind = iota
	Slow             // all takes longer
	Refused          // connections are cut, and new ones refused
	Held             // nothing gets through until the trouble ends; then it does, however late
	AnswersHeld      // the same, for answers alone: what is asked for is done
	Cut              // connections are cut once, now
)

func (k Kind) String() string {
	return [...]string{"fine", "slow", "refused", "held", "answers held", "cut"}[k]
}

// troubles draws what befalls the nodes until the context ends, and ends it then.
func (f *Fleet) troubles(ctx context.Context) {
	if f.Every == 0 {
		return
	}
	random := f.random(1)
	var lasting sync.WaitGroup
	defer lasting.Wait()
	for pause(ctx, drawn(random, f.Every)) {
		switch draw := random.IntN(100); {
		case draw < 25:
			n := f.nodes[random.IntN(len(f.nodes))]
			f.count("trouble", "a node crashes")
			if err := n.crash(); err != nil {
				f.violate(nil, "a node does not start again: %v", err)
			}
		case draw < 35 && f.Offset > 0:
			f.nodes[random.IntN(len(f.nodes))].offset.Store(int64(f.offset(random)))
			f.count("trouble", "a clock is set")
		default:
			trouble := Trouble{Kind: 1 + Kind(random.IntN(int(Cut)))}
			if trouble.Kind == Slow {
				trouble.Delay = time.Millisecond << random.IntN(9)
			}
			lasts := time.Duration(random.Int64N(int64(f.Trouble)))
			for _, i := range random.Perm(len(f.nodes))[:1+random.IntN(max(1, len(f.nodes)/5))] {
				lasting.Go(func() { f.nodes[i].suffer(ctx, trouble, lasts) })
			}
			f.count("trouble", trouble.Kind.String())
		}
	}
}

// suffer has the node in trouble for a while.
func (n *node) suffer(ctx context.Context, trouble Trouble, lasts time.Duration) {
	n.mu.Lock()
	n.turn++
	turn := n.turn
	n.trouble = trouble
	if trouble.Kind == Cut {
		n.trouble = Trouble{}
	}
	n.process.way.Suffer(trouble)
	n.mu.Unlock()
	pause(ctx, lasts)
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.turn == turn {
		n.trouble = Trouble{}
		n.process.way.Suffer(Trouble{})
	}
}

// offset draws how wrong a clock is: most are right to within a second or two.
func (f *Fleet) offset(random *rand.Rand) time.Duration {
	most := f.Offset
	if random.IntN(10) < 7 {
		most = min(most, 2*time.Second)
	}
	return time.Duration(random.Int64N(2*int64(most)+1)) - most
}

// restarts kills the engine now and then, and starts it again.
func (f *Fleet) restarts(ctx context.Context) {
	site, ok := f.Site.(Restarter)
	if !ok || f.Restarts == 0 {
		return
	}
	for random := f.random(2); pause(ctx, drawn(random, f.Restarts)); {
		f.count("trouble", "the engine is killed")
		if err := site.Restart(); err != nil {
			f.violate(nil, "the engine does not start again: %v", err)
		}
	}
}

// drawn is a time of that mean.
func drawn(random *rand.Rand, mean time.Duration) time.Duration {
	return time.Duration(min(random.ExpFloat64(), 8) * float64(mean))
}
