package main

import (
	"context"
	"fmt"
	"time"
)

// measureFloodMemory floods a server whose passwords have a hash that needs much memory, and compares the growth with
// the ceiling that Caddy states in its log when it starts.
func measureFloodMemory(ctx context.Context, b *bench) ([]figure, error) {
	hash := argon2ided(hungryKiB, 1)
	s, err := b.start(ctx, setup{name: "memory", globals: trustLoopback, users: floodUsers, hash: hash, site: `token_endpoint {
		users htpasswd users
		client browser {
			public
		}
	}
	respond /hello "Hello, world"`})
	if err != nil {
		return nil, err
	}
	defer s.stop()
	var ceiling float64
	if err := s.logged("password checks are bounded", "memory_bytes_at_most", &ceiling); err != nil {
		return nil, err
	}
	ceiling /= 1 << 20

	// 64 connections have their buffers without a flood too
	if _, err := b.offer(ctx, hello(s, time.Second)); err != nil {
		return nil, err
	}
	before, err := s.memory()
	if err != nil {
		return nil, err
	}
	p := flood(s)
	p.Duration = 2 * b.slot
	flooding, err := b.offer(ctx, p)
	if err != nil {
		return nil, err
	}
	after, err := s.memory()
	if err != nil {
		return nil, err
	}
	growth := after.peak - before.now
	return []figure{
		measured(fmt.Sprintf("flood of argon2id m=%d, answered 400", hungryKiB), "/s", flooding.fitting(0)),
		measured("  stated ceiling", "MiB", ceiling),
		measured("  growth of the resident memory at most", "MiB", growth),
		ratio("  growth / ceiling", growth/ceiling).atMost(1),
	}, nil
}

const hungryKiB = 65536
