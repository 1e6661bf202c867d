//go:build unix

package session

import (
	"cmp"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/caddyserver/certmagic"
)

// BenchmarkALargeFeed measures what a large feed costs a node: entries of the form that
// earlier versions wrote, in one hour of a file storage in a directory of TMPDIR. It
// prints the figures; times are CPU times of this process.
//
//	FEED_ENTRIES=1000000 TMPDIR=/dev/shm go test -run NONE -bench ALargeFeed -benchtime 1x ./internal/session
func BenchmarkALargeFeed(b *testing.B) {
	entries, err := strconv.Atoi(cmp.Or(os.Getenv("FEED_ENTRIES"), "10000"))
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		largeFeed(b, entries)
	}
}

func largeFeed(t *testing.B, entries int) {
	check := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	storage := &certmagic.FileStorage{Path: t.TempDir()}
	seed := NewStore(storage, testPrefix, NewMemory(), time.Now)
	folder := filepath.Join(storage.Path, filepath.FromSlash(seed.feedKey(hourOf(time.Now()))))
	check(os.MkdirAll(folder, 0o700))
	var revoked ID
	for range entries {
		revoked = monthAhead()
		file, err := os.Create(filepath.Join(folder, revoked.String()))
		check(err)
		check(file.Close())
	}
	check(storage.Store(t.Context(), seed.markerKey(revoked), nil))

	before := heap()
	memory := NewMemory()
	s := NewStore(storage, testPrefix, memory, time.Now)
	cpu, begun := cpuTime(), time.Now()
	report := func(what string) {
		now := time.Now()
		t.Logf("%-44s %8s, CPU %8s, %5.2f %% of a core, %d listed", what, now.Sub(begun).Round(time.Millisecond),
			(cpuTime() - cpu).Round(time.Millisecond), 100*float64(cpuTime()-cpu)/float64(now.Sub(begun)), memory.ViewSize())
		cpu, begun = cpuTime(), time.Now()
	}
	_ = s.Poll(t.Context()) // as at provision
	report("provision")
	for id, want := range map[ID]bool{revoked: true, monthAhead(): false} {
		got, err := s.IsRevoked(t.Context(), id, 2*time.Second)
		if err != nil || got != want {
			t.Fatalf("revoked %v, error %v, want %v", got, err, want)
		}
	}
	report("two answers by then")
	for memory.ViewReadAt().IsZero() {
		time.Sleep(time.Second)
		_ = s.Poll(t.Context())
	}
	report("until all is read")
	poll := func(what string, span time.Duration) {
		for since := time.Now(); time.Since(since) < span; time.Sleep(2 * time.Second) {
			_ = s.Poll(t.Context())
		}
		report(what)
	}
	closing := func() bool {
		memory.view.mu.RLock()
		defer memory.view.mu.RUnlock()
		for _, h := range memory.view.hours {
			if !h.passed.IsZero() && !h.final {
				return true
			}
		}
		return len(memory.view.hours) == 1
	}
	for closing() {
		_ = s.Poll(t.Context())
		time.Sleep(2 * time.Second)
	}
	report("until the hour is final, and not read again")
	per := float64(heap()-before) / float64(entries)
	cpu, begun = cpuTime(), time.Now()
	poll("from then on", 30*time.Second)
	hours, _ := os.ReadDir(filepath.Dir(folder))
	t.Logf("%.1f bytes of memory an entry; hours: %v", per, hours)
	runtime.KeepAlive(memory)
}

func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}

func cpuTime() time.Duration {
	var usage syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &usage)
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// BenchmarkInView measures what the view costs a check of a token.
func BenchmarkInView(b *testing.B) {
	memory := NewMemory()
	memory.view.complete = true
	end := time.Now().AddDate(0, 1, 0)
	for range 100_000 {
		memory.view.add(NewID(end))
	}
	for name, id := range map[string]ID{"day with revocations": NewID(end), "day without": NewID(end.AddDate(0, 0, 1))} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				memory.InView(id)
			}
		})
	}
}
