//go:build unix

package realserver

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// NewShard prepares a Redis that can be a part of a cluster. The others wait for it a
// minute before they take it for dead.
func NewShard(options ...string) (*Redis, error) {
	r, err := NewRedis(options...)
	if err != nil {
		return nil, err
	}
	if r.bus, err = FreePort(); err != nil {
		return nil, err
	}
	r.own = append(r.own, "--cluster-enabled", "yes", "--cluster-port", strconv.Itoa(r.bus),
		"--cluster-require-full-coverage", "no", "--cluster-node-timeout", "60000")
	return r, nil
}

// JoinShards makes a cluster of shards that run, without replicas, each of which answers
// for the same share of the keys.
func JoinShards(shards ...*Redis) error {
	const slots = 16_384
	share := slots / len(shards)
	for i, shard := range shards {
		first, last := i*share, (i+1)*share-1
		if i == len(shards)-1 {
			last = slots - 1
		}
		for _, command := range []string{
			fmt.Sprintf("CLUSTER ADDSLOTSRANGE %d %d", first, last),
			fmt.Sprintf("CLUSTER SET-CONFIG-EPOCH %d", i+1),
		} {
			if _, err := shard.ask(command); err != nil {
				return fmt.Errorf("%s: %w", command, err)
			}
		}
	}
	for _, shard := range shards[1:] {
		if _, err := shards[0].ask(fmt.Sprintf("CLUSTER MEET 127.0.0.1 %d %d", shard.port, shard.bus)); err != nil {
			return fmt.Errorf("CLUSTER MEET: %w", err)
		}
	}
	return AwaitShards(shards...)
}

// AwaitShards returns when each shard knows of all, and of all slots.
func AwaitShards(shards ...*Redis) error {
	nodes := fmt.Sprintf("cluster_known_nodes:%d\r\n", len(shards))
	for _, shard := range shards {
		err := shard.process.Await(func() error {
			info, err := shard.ask("CLUSTER INFO")
			if err != nil {
				return err
			}
			for _, part := range []string{"cluster_state:ok\r\n", "cluster_slots_ok:16384\r\n", nodes} {
				if !strings.Contains(info, part) {
					return fmt.Errorf("the cluster is not complete:\n%s", info)
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// NewSentinel prepares a Sentinel, which watches a master under a name. It decides alone,
// after the master did not answer for a second.
func NewSentinel(name string, master *Redis) (*Redis, error) {
	r, err := NewRedis()
	if err != nil {
		return nil, err
	}
	config := filepath.Join(r.dir, "sentinel.conf")
	text := fmt.Sprintf(`port %d
bind 127.0.0.1
dir %s
sentinel monitor %s 127.0.0.1 %d 1
sentinel down-after-milliseconds %s %d
sentinel failover-timeout %s %d
`, r.port, r.dir, name, master.port, name, time.Second.Milliseconds(), name, (5 * time.Second).Milliseconds())
	r.own = []string{config, "--sentinel"}
	return r, os.WriteFile(config, []byte(text), 0o600)
}
