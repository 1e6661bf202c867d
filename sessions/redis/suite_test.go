package redis

import (
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	goredis "github.com/redis/go-redis/v9"
	"go.uber.org/zap"

	"github.com/caddygrant/caddy-grant/sessions"
	"github.com/caddygrant/caddy-grant/sessions/sessionstest"
)

// The user that Caddy needs, as README.md has it.
var aclRules = []any{
	"~{caddy-grant:*",
	"+info", "+eval", "+evalsha", "+time", "+exists", "+persist", "+pexpireat", "+unlink",
	"+hget", "+hmget", "+hgetall", "+hkeys", "+hexists", "+hset", "+hdel", "+hincrby",
	"+xadd", "+xlen", "+xrange", "+xtrim",
}

const suitePassword = "p@ss/w0rd%"

func TestRedisPassesTheSuite(t *testing.T) {
	r := newServer(t)
	r.allow("caddy", suitePassword, aclRules...)
	of := &suiteOf{shards: []*server{r}, url: r.url(), username: "caddy"}
	sessionstest.TestEngine(t, of.engines())
}

func TestRedisClusterPassesTheSuite(t *testing.T) {
	shards := newCluster(t)
	for _, shard := range shards {
		shard.allow("caddy", suitePassword, append([]any{"+cluster|slots"}, aclRules...)...)
	}
	of := &suiteOf{shards: shards, url: clusterURL(shards), username: "caddy"}
	engines := of.engines()
	engines.EmptyPart = func(*testing.T) { shards[0].do("FLUSHALL") }
	sessionstest.TestEngine(t, engines)
}

// allow makes a user, now and after a restart.
func (r *server) allow(name, password string, rules ...any) {
	r.t.Helper()
	r.do(append([]any{"ACL", "SETUSER", name, "reset", "on", ">" + password}, rules...)...)
	user := "user " + name + " on >" + password
	for _, rule := range rules {
		user += fmt.Sprint(" ", rule)
	}
	r.users = user
}

// suiteOf has what the suite does to Redis.
type suiteOf struct {
	shards        []*server
	url, username string

	struck sync.Map // sessionstest.Strikes by engine
}

func (s *suiteOf) engines() sessionstest.Engines {
	return sessionstest.Engines{
		Open:        s.open,
		Empty:       s.empty,
		Interrupt:   s.interrupt,
		Restart:     func(t *testing.T) { s.interrupt(t)() },
		Damage:      s.damage,
		Plant:       s.plant,
		Remains:     s.remains,
		LoseCursors: s.loseCursors,
		Strike:      s.strike,
		Secrets:     []string{suitePassword, "p%40ss"},
	}
}

func (s *suiteOf) open(t *testing.T, server string) sessions.Engine {
	t.Helper()
	module := &Sessions{URL: s.url, Username: s.username, Password: suitePassword, Timeout: caddy.Duration(5 * time.Second)}
	if err := module.Provision(caddy.Context{}); err != nil {
		t.Fatal(err)
	}
	struck := canStrike(t, module.settings)
	e, err := module.OpenSessions(server, zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	s.struck.Store(e, struck)
	e.(*engine).sweepAgain = 0
	return e
}

func (s *suiteOf) empty(*testing.T) {
	for _, shard := range s.shards {
		shard.do("FLUSHALL")
	}
}

func (s *suiteOf) interrupt(t *testing.T) func() {
	for _, shard := range s.shards {
		shard.kill()
	}
	return func() {
		for _, shard := range s.shards {
			shard.start()
		}
		if len(s.shards) > 1 {
			waitForSlots(t, s.shards)
		}
	}
}

// client is one of the test itself.
func (s *suiteOf) client(t *testing.T) goredis.UniversalClient {
	var addresses []string
	for _, shard := range s.shards {
		addresses = append(addresses, shard.address())
	}
	client := goredis.NewUniversalClient(&goredis.UniversalOptions{Addrs: addresses, Protocol: 2, DisableIdentity: true})
	t.Cleanup(func() { client.Close() })
	return client
}

func (s *suiteOf) do(t *testing.T, args ...any) any {
	t.Helper()
	result, err := s.client(t).Do(t.Context(), args...).Result()
	if err != nil && err != goredis.Nil {
		t.Fatalf("%v: %v", args, err)
	}
	return result
}

func (s *suiteOf) damage(t *testing.T, server string, id sessions.ID) {
	s.do(t, "HSET", newKeys("caddy-grant", server).of(id)[1], id.Random, "damaged")
}

func (s *suiteOf) plant(t *testing.T, server string, id sessions.ID, st sessions.State) {
	keys := newKeys("caddy-grant", server)
	of := keys.of(id)
	record := strconv.FormatUint(st.Generation, 10) + ":" + st.Answer + ":" + strconv.FormatInt(time.Now().Add(-st.Age).UnixMilli(), 10) + ":0"
	if st.Revoked {
		record = "0::0:2"
		if _, err := scriptFeedAdd.Run(t.Context(), s.client(t), []string{keys.root, keys.feed}, id.String()).Result(); err != nil {
			t.Fatal(err)
		}
	}
	s.do(t, "HSET", of[0], "d"+id.Day+id.Epoch, "")
	s.do(t, "HSET", of[1], id.Random, record)
	if time.Now().Before(id.Over()) {
		s.do(t, "PEXPIREAT", of[1], id.Over().UnixMilli())
	}
}

func (s *suiteOf) remains(t *testing.T, server string, id sessions.ID) bool {
	keys := newKeys("caddy-grant", server)
	of := keys.of(id)
	if s.do(t, "HEXISTS", of[1], id.Random) != int64(0) || s.do(t, "HEXISTS", of[0], "d"+id.Day+id.Epoch) != int64(0) {
		return true
	}
	for _, entry := range s.do(t, "XRANGE", keys.feed, "-", "+").([]any) {
		if fmt.Sprint(entry.([]any)[1].([]any)[1]) == id.String() {
			return true
		}
	}
	return false
}

// loseCursors makes the feed one with the same entries that have other numbers.
func (s *suiteOf) loseCursors(t *testing.T, server string) {
	keys := newKeys("caddy-grant", server)
	entries := s.do(t, "XRANGE", keys.feed, "-", "+").([]any)
	s.do(t, "HSET", keys.root, "feed", sessions.NewEpoch())
	s.do(t, "DEL", keys.feed)
	for _, entry := range entries {
		s.do(t, "XADD", keys.feed, "*", "s", entry.([]any)[1].([]any)[1])
	}
}
