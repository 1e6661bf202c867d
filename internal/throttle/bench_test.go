package throttle

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"runtime"
	"sync/atomic"
	"testing"
	"time"
)

// many makes the attempt of a number, from its own user and its own IPv6 network.
func many(i uint64) Attempt {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:], i<<16)
	return Attempt{Account: user(fmt.Sprint(i)), Source: Address(netip.AddrFrom16(b))}
}

func BenchmarkReserveAndFail(b *testing.B) {
	for _, c := range []struct {
		name    string
		attempt func(i uint64) Attempt
	}{
		{"full tables", many},
		{"few users", func(i uint64) Attempt { return many(i % 1000) }},
		{"one user", func(uint64) Attempt { return many(0) }}, // refused for the most part
	} {
		b.Run(c.name, func(b *testing.B) {
			clock := newFakeClock()
			t := newThrottle(Limits{}, clock.now)
			if c.name == "full tables" {
				for i := range uint64(maxPairs) {
					if r, err := t.Reserve(many(i << 24)); err == nil {
						r.Fail()
					}
				}
			}
			var n atomic.Uint64
			b.ReportAllocs()
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if r, err := t.Reserve(c.attempt(n.Add(1))); err == nil {
						r.Fail()
					}
				}
			})
		})
	}
}

func BenchmarkReserveAndSucceed(b *testing.B) {
	for _, c := range []struct {
		name    string
		attempt func(i uint64) Attempt
	}{
		{"new users", many},
		{"few users", func(i uint64) Attempt { return many(i % 1000) }},
		{"one user", func(uint64) Attempt { return many(0) }},
	} {
		b.Run(c.name, func(b *testing.B) {
			t := New(Limits{})
			var n atomic.Uint64
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if r, err := t.Reserve(c.attempt(n.Add(1))); err == nil {
						r.Succeed()
					}
				}
			})
		})
	}
}

// BenchmarkMemory reports bytes per entry, as documented with the capacities.
func BenchmarkMemory(b *testing.B) {
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	for b.Loop() {
		before := heap()
		pairs := newTable(maxPairs)
		for i := range uint64(2 * maxPairs) {
			var key digest
			binary.BigEndian.PutUint64(key[:], i)
			pairs.obtain(key, time.Duration(i), time.Hour).failures = 1
		}
		after := heap()
		b.ReportMetric(float64(after-before)/maxPairs, "B/entry")
		known := newKnown(maxKnown, maxKnownPerAccount)
		for i := range uint64(2 * maxKnown) {
			var key digest
			binary.BigEndian.PutUint64(key[:], i)
			known.add(key, key, tagOf(key), counter{})
		}
		b.ReportMetric(float64(heap()-after)/maxKnown, "B/known")
		runtime.KeepAlive(pairs)
		runtime.KeepAlive(known)
	}
}
