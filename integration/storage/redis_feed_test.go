package storage

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/redis/go-redis/v9"

	"github.com/caddygrant/caddy-grant/internal/session"
)

// feedCost is what polls cost: Redis, and this process.
type feedCost struct {
	commands, bytes int64
	redis, node     time.Duration // of a processor
}

func (c feedCost) minus(before feedCost) feedCost {
	return feedCost{c.commands - before.commands, c.bytes - before.bytes, c.redis - before.redis, c.node - before.node}
}

// costSoFar leaves out what it costs itself.
func costSoFar(t *testing.T, client *redis.Client) feedCost {
	t.Helper()
	info, err := client.Info(context.Background(), "everything").Result()
	if err != nil {
		t.Fatal(err)
	}
	number := func(name string) float64 {
		_, after, found := strings.Cut(info, name+":")
		text, _, _ := strings.Cut(after, "\r\n")
		n, err := strconv.ParseFloat(text, 64)
		if !found || err != nil {
			t.Fatalf("%s: %q", name, text)
		}
		return n
	}
	ownBytes += int64(len(info))
	ownCommands++
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		t.Fatal(err)
	}
	cpu := number("used_cpu_user_main_thread") + number("used_cpu_sys_main_thread")
	return feedCost{
		int64(number("total_commands_processed")) - ownCommands, int64(number("total_net_output_bytes")) - ownBytes,
		time.Duration(cpu * float64(time.Second)), time.Duration(usage.Utime.Nano() + usage.Stime.Nano()),
	}
}

var ownBytes, ownCommands int64

// An idle node polls for half a minute, before and after 100,000 revocations in an hour,
// in the pages that a flood leaves behind; and a node starts.
func TestRedisAndAnIdleNodePayLittleForManyRevocations(t *testing.T) {
	_, r := startOnRedis(t)
	client := r.client()
	defer client.Close()
	const folder = "grant/notices-0a1b2c3d"
	store := func(key string) {
		if err := caddy.ActiveContext().Storage().Store(t.Context(), folder+key, []byte("{}")); err != nil {
			t.Fatal(err)
		}
	}
	store("/secret")
	node := func() (*session.Store, *session.Memory) {
		n, memory := nodeOnRedis(t)
		if err := n.WithWitness(folder + "/secret").BeginNotices(t.Context()); err != nil {
			t.Fatal(err)
		}
		return n, memory
	}
	idle, memory := node()
	polls := func() feedCost {
		before := costSoFar(t, client)
		for range 15 {
			if err := errors.Join(idle.ReadNotices(t.Context()), idle.Poll(t.Context())); err != nil {
				t.Fatal(err)
			}
		}
		return costSoFar(t, client).minus(before)
	}
	polls()
	none := polls()

	const revocations, page = 100_000, 1000
	hour := time.Now().UTC().Truncate(time.Hour)
	for range revocations / page {
		name := hour.Format("2006010215")
		store("/revocations/" + name + "/page")
		entries := make([]redis.Z, page)
		for i := range entries {
			entries[i].Member = session.NewID(time.Now().AddDate(0, 1, 0)).String()
		}
		if err := client.ZAdd(t.Context(), "caddy/"+folder+"/revocations/"+name, entries...).Err(); err != nil {
			t.Fatal(err)
		}
		hour = hour.Add(time.Hour)
	}
	store("/revocations/" + hour.Format("2006010215") + "/page")
	for begun := time.Now(); memory.ViewSize() < revocations && time.Since(begun) < time.Minute; {
		_ = idle.Poll(t.Context())
	}
	many := polls()

	before, begun := costSoFar(t, client), time.Now()
	fresh, known := node()
	for known.ViewReadAt().IsZero() && time.Since(begun) < time.Minute {
		_ = fresh.Poll(t.Context())
	}
	start, took := costSoFar(t, client).minus(before), time.Since(begun)
	t.Logf("15 polls with none: %+v, with %d: %+v; a start: %+v in %s", none, revocations, many, start, took)
	if known.ViewSize() != revocations || memory.ViewSize() != revocations {
		t.Errorf("%d and %d are known", known.ViewSize(), memory.ViewSize())
	}
	if many.commands > 10*none.commands || many.bytes > 10*none.bytes {
		t.Error("an idle node costs more than ten times as much")
	}
	if start.bytes > 70*revocations {
		t.Error("a start reads more than there is")
	}
}
