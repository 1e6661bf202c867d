package storage

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/redis/go-redis/v9"
)

func redisLines(r *redisServer) string {
	return fmt.Sprintf("storage redis {\n\t\thost 127.0.0.1\n\t\tport %d\n\t}", r.Port())
}

func startOnRedis(t *testing.T) (*site, *redisServer) {
	t.Helper()
	r, s := newRedis(t), newSite(t)
	if err := s.load(redisLines(r)); err != nil {
		t.Fatal(err)
	}
	return s, r
}

// keys are those in Redis that a pattern fits.
func keys(t *testing.T, client *redis.Client, pattern string) []string {
	t.Helper()
	found, err := client.Keys(t.Context(), pattern).Result()
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// Clients refresh while Redis restarts, with nothing lost in it: no session is lost
// either, and none that was revoked comes back.
func TestRedisRestartsWhileClientsRefresh(t *testing.T) {
	s, r := startOnRedis(t)
	var revoked [][]string
	for i := range 8 {
		revoked = append(revoked, s.session(i%3))
		if a := s.revoke(revoked[i][0]); a.status != http.StatusOK {
			t.Fatalf("revocation: %s", a)
		}
	}
	var clients sync.WaitGroup
	var ended atomic.Bool
	var refreshed, unavailable atomic.Int64
	const users = 8
	tokens := make([]string, users)
	for i := range users {
		clients.Go(func() {
			tokens[i] = s.login()
			for !ended.Load() {
				switch a := s.refresh(tokens[i]); a.status {
				case http.StatusOK:
					tokens[i] = a.refresh
					refreshed.Add(1)
				case http.StatusServiceUnavailable:
					if a.retry == "" {
						t.Error("503 without Retry-After")
					}
					unavailable.Add(1)
				default:
					t.Errorf("a live session is answered %s", a)
					return
				}
				if a := s.refresh(revoked[i][len(revoked[i])-1]); a.status == http.StatusOK {
					t.Error("a revoked session got a token")
				}
			}
		})
	}
	for _, down := range []time.Duration{0, 2 * time.Second, 0, 100 * time.Millisecond, 3 * time.Second, time.Second} {
		time.Sleep(500 * time.Millisecond)
		r.Stop()
		time.Sleep(down)
		r.start()
	}
	time.Sleep(500 * time.Millisecond)
	ended.Store(true)
	clients.Wait()
	for i, token := range tokens {
		if a := s.refreshWhenUp(token); a.status != http.StatusOK {
			t.Errorf("after the restarts session %d is answered %s", i, a)
		}
	}
	for _, token := range revoked {
		if a := s.refreshWhenUp(token[len(token)-1]); a.status != http.StatusBadRequest {
			t.Errorf("a revoked session is answered %s", a)
		}
	}
	t.Logf("%d refreshes, %d answered 503", refreshed.Load(), unavailable.Load())
	if refreshed.Load() == 0 || unavailable.Load() == 0 {
		t.Error("the restarts were not noticed, or nothing but them")
	}
}

// While Redis is down nothing is lost, and nothing is granted that depends on it.
func TestRedisDown(t *testing.T) {
	s, r := startOnRedis(t)
	first, later, revoked := s.session(0), s.session(2), s.session(1)
	if a := s.revoke(revoked[1]); a.status != http.StatusOK {
		t.Fatalf("revocation: %s", a)
	}
	r.Stop()
	for _, token := range []string{first[0], later[2], later[0]} {
		if a := s.refresh(token); a.status != http.StatusServiceUnavailable || a.retry == "" {
			t.Errorf("refresh without Redis: %s, Retry-After %q", a, a.retry)
		}
	}
	if a := s.refresh(revoked[1]); a.status != http.StatusServiceUnavailable && a.status != http.StatusBadRequest {
		t.Errorf("refresh of a revoked session without Redis: %s", a)
	}
	if a := s.revoke(later[2]); a.status != http.StatusServiceUnavailable {
		t.Errorf("revocation without Redis: %s", a)
	}
	s.login() // needs no storage
	r.start()
	for _, token := range []string{first[0], later[2]} {
		if a := s.refreshWhenUp(token); a.status != http.StatusOK {
			t.Errorf("refresh afterwards: %s", a)
		}
	}
	if a := s.refresh(revoked[1]); a.status != http.StatusBadRequest {
		t.Errorf("refresh of a revoked session afterwards: %s", a)
	}
}

// What Redis has lost of a session.
func TestRedisLosesRecordsAndMarkers(t *testing.T) {
	s, r := startOnRedis(t)
	client := r.client()
	defer client.Close()
	wipe := func(token []string, marker bool) {
		t.Helper()
		wiped := 0
		for _, key := range keys(t, client, "caddy/grant/*/sessions/*/*") {
			if strings.HasSuffix(key, ".revoked") == marker && !strings.Contains(key, "locks") {
				if err := client.Del(t.Context(), key).Err(); err != nil {
					t.Fatal(err)
				}
				wiped++
			}
		}
		if wiped == 0 {
			t.Fatal("nothing to wipe")
		}
	}

	revoked := s.session(2)
	if a := s.revoke(revoked[2]); a.status != http.StatusOK {
		t.Fatalf("revocation: %s", a)
	}
	wipe(revoked, true)
	for _, token := range revoked {
		if a := s.refresh(token); a.status != http.StatusBadRequest {
			t.Errorf("a revoked session without its marker is answered %s", a)
		}
	}
	revoked = s.session(2)
	if a := s.revoke(revoked[2]); a.status != http.StatusOK {
		t.Fatalf("revocation: %s", a)
	}
	wipe(revoked, false)
	for _, token := range revoked {
		if a := s.refresh(token); a.status != http.StatusBadRequest {
			t.Errorf("a revoked session without its record is answered %s", a)
		}
	}
	lost := s.session(3)
	wipe(lost, false)
	for _, token := range []string{lost[3], lost[0], lost[3]} { // or the first would be good again
		if a := s.refresh(token); a.status != http.StatusBadRequest {
			t.Errorf("a session without its record is answered %s", a)
		}
	}
	s.awaitLog("session_rolled_back")
	if left := keys(t, client, "caddy/grant/*/probe/*"); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
}

// One of three shards is down: no token for who was revoked, no end for who was not.
func TestRedisClusterWithoutOneOfItsShards(t *testing.T) {
	shards, s := newCluster(t), newSite(t)
	var addresses []string
	for _, shard := range shards {
		addresses = append(addresses, shard.Address())
	}
	storage := "storage redis cluster {\n\t\taddress {\n\t\t\t" + strings.Join(addresses, "\n\t\t\t") + "\n\t\t}\n\t}"
	if err := s.load(storage); err != nil {
		t.Fatal(err)
	}
	const each = 20
	var live, revoked [][]string
	for i := range each {
		live, revoked = append(live, s.session(i%3)), append(revoked, s.session(i%3))
		if a := s.revoke(revoked[i][0]); a.status != http.StatusOK {
			t.Fatalf("revocation: %s", a)
		}
	}
	// a process that knows nothing of the revocations but what marker and record say
	for _, shard := range shards {
		client := shard.client()
		defer client.Close()
		for _, key := range keys(t, client, "caddy/grant/*/revocations*") {
			if err := client.Del(t.Context(), key).Err(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := caddy.Stop(); err != nil {
		t.Fatal(err)
	}
	if err := s.load(storage); err != nil {
		t.Fatal(err)
	}
	counts := make(map[string]int)
	for down, shard := range shards {
		shard.Stop()
		var asking sync.WaitGroup
		var mu sync.Mutex
		for i := range each {
			asking.Go(func() {
				last := len(live[i]) - 1
				gone, lives := s.refresh(revoked[i][len(revoked[i])-1]), s.refresh(live[i][last])
				mu.Lock()
				defer mu.Unlock()
				counts["revoked: "+gone.String()]++
				counts["live: "+lives.String()]++
				if gone.status == http.StatusOK {
					t.Errorf("without shard %d a revoked session got a token", down)
				}
				switch lives.status {
				case http.StatusOK:
					live[i] = append(live[i], lives.refresh)
				case http.StatusServiceUnavailable:
				default:
					t.Errorf("without shard %d a live session is answered %s", down, lives)
				}
			})
		}
		asking.Wait()
		shard.start()
		waitForSlots(t, shards)
		for i := range each {
			if a := s.refreshWhenUp(live[i][len(live[i])-1]); a.status != http.StatusOK {
				t.Errorf("after shard %d was down a live session is answered %s", down, a)
			} else {
				live[i] = append(live[i], a.refresh)
			}
			if a := s.refreshWhenUp(revoked[i][len(revoked[i])-1]); a.status != http.StatusBadRequest {
				t.Errorf("after shard %d was down a revoked session is answered %s", down, a)
			}
		}
	}
	t.Log(counts)
}

// The log says what the plugin lacks.
func TestRedisIsCheckedAtTheStart(t *testing.T) {
	s, r := startOnRedis(t)
	s.awaitLog("the storage does not do all that sessions need", "a read that fails looks as if the object did not exist")
	client := r.client()
	defer client.Close()
	for range 50 {
		if len(keys(t, client, "caddy/grant-check-*")) == 0 {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Errorf("left behind: %q", keys(t, client, "caddy/grant-check-*"))
}

// As README tells it: the plugin connects when the config is loaded.
func TestCaddyDoesNotStartWhileRedisIsDown(t *testing.T) {
	r, s := newRedis(t), newSite(t)
	r.Stop()
	if err := s.load(redisLines(r)); err == nil {
		t.Error("it starts: README says that it does not")
	}
}

// And a reload closes the client of the config before, or keeps it: no session is lost
// in either case.
func TestRefreshesDuringReloads(t *testing.T) {
	s, r := startOnRedis(t)
	var clients sync.WaitGroup
	var ended atomic.Bool
	var refreshed, unavailable, lost atomic.Int64
	for range 8 {
		clients.Go(func() {
			token := s.login()
			for !ended.Load() {
				a, err := s.send("/token", refreshForm(token))
				if err != nil {
					// The server of the config before closed the connection: nothing
					// tells whether the token is spent.
					lost.Add(1)
					for err != nil && !ended.Load() {
						a, err = s.send("/token", loginForm())
					}
				}
				switch a.status {
				case 0: // it ended without an answer
				case http.StatusOK:
					token = a.refresh
					refreshed.Add(1)
				case http.StatusServiceUnavailable:
					unavailable.Add(1)
				default:
					t.Errorf("a live session is answered %s", a)
					return
				}
			}
		})
	}
	for range 5 {
		time.Sleep(300 * time.Millisecond)
		if err := s.load(redisLines(r)); err != nil {
			t.Error(err)
		}
	}
	ended.Store(true)
	clients.Wait()
	t.Logf("%d answered 200, %d answered 503, %d connections were lost", refreshed.Load(), unavailable.Load(), lost.Load())
	if refreshed.Load() < 20 {
		t.Error("too few were refreshed to tell anything")
	}
}
