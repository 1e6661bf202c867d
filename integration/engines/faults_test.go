package engines

import (
	"testing"
	"time"
)

// server is an engine as a process of its own, which can fail.
type server interface {
	Address() string
	Kill()
	Pause()
	Resume()

	start()
}

func TestEnginesLoseNothingOnOneRedis(t *testing.T) {
	t.Parallel()
	r := newRedis(t)
	l := loadOn(t, r, func(address string) string { return redisLine(address) })
	defer l.end()
	l.phase("the memory is full", func() {
		r.do("CONFIG", "SET", "maxmemory", "1mb")
		time.Sleep(3 * time.Second)
		r.do("CONFIG", "SET", "maxmemory", "0")
	})
	faults(l, r)
}

func TestEnginesLoseNothingOnPostgreSQL(t *testing.T) {
	t.Parallel()
	p := newPostgres(t)
	l := loadOn(t, p, postgresLine)
	defer l.end()
	faults(l, p)
}

// loadOn begins a load on two nodes, of which the first has a network to its engine that
// can fail.
func loadOn(t *testing.T, s server, line func(address string) string) *load {
	t.Helper()
	f, network := newFleet(t), newProxy(t, s.Address())
	near, far := line(s.Address()), line(network.address())
	nodes := []*node{f.start(far), f.start(near)}
	l := begin(t, nodes...)
	l.phase("nothing happens", func() { time.Sleep(2 * time.Second) })
	l.phase("a partition of one node, 5 s", func() {
		network.partition()
		time.Sleep(5 * time.Second)
		network.mend()
	})
	l.phase("its connections are reset, 5 times", func() {
		for range 5 {
			network.reset()
			time.Sleep(300 * time.Millisecond)
		}
	})
	l.phase("reloads, 6", func() {
		for range 3 {
			nodes[0].reload(far)
			nodes[1].reload(near)
			time.Sleep(300 * time.Millisecond)
		}
	})
	l.phase("a node is killed, 3 times", func() {
		for range 3 {
			nodes[1].kill()
			nodes[1].restart()
			time.Sleep(500 * time.Millisecond)
		}
	})
	return l
}

func faults(l *load, s server) {
	l.phase("the engine is killed, 3 times", func() {
		for _, down := range []time.Duration{0, time.Second, 100 * time.Millisecond} {
			s.Kill()
			time.Sleep(down)
			s.start()
			time.Sleep(500 * time.Millisecond)
		}
	})
	l.phase("the engine stands still for 7 s", func() {
		s.Pause()
		time.Sleep(7 * time.Second)
		s.Resume()
	})
	l.phase("it is killed while it stands still", func() {
		s.Pause()
		time.Sleep(time.Second)
		s.Kill()
		s.start()
	})
}

// Of three shards one is dead, each in turn: sessions in the others go on.
func TestEnginesLoseNothingOnACluster(t *testing.T) {
	t.Parallel()
	shards := newShards(t)
	f := newFleet(t)
	line := redisLine(shards[0].Address(), shards[1:]...)
	l := begin(t, f.start(line), f.start(line))
	defer l.end()
	l.phase("nothing happens", func() { time.Sleep(2 * time.Second) })
	for _, shard := range shards {
		l.phase("one shard of three is dead for 3 s", func() {
			shard.Kill()
			before := l.sum.refreshed.Load()
			time.Sleep(3 * time.Second)
			if l.sum.refreshed.Load() == before {
				t.Error("no session of the other shards went on")
			}
			shard.start()
			awaitShards(t, shards)
		})
	}
	l.phase("one stands still for 7 s", func() {
		shards[1].Pause()
		time.Sleep(7 * time.Second)
		shards[1].Resume()
	})
}
