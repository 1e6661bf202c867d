package redis

import (
	"cmp"
	"context"
	"errors"
	"strconv"
	"strings"

	goredis "github.com/redis/go-redis/v9"
)

// process is what a Redis says of itself by INFO. CONFIG, which would say more, is often
// forbidden.
type process struct {
	mode     string // standalone, cluster or sentinel
	version  string
	run      string // the ID of the process: another one after each start
	role     string
	eviction string // maxmemory_policy
	loading  bool   // its data, which is not all there yet

	// aof says that there is an append-only file, and settled that all of the data is in
	// it, so that a restart finds what was acknowledged.
	aof, settled bool
}

func askProcess(ctx context.Context, client goredis.Cmdable) (process, error) {
	text, err := client.Info(ctx).Result()
	if forbidden(err) {
		return process{}, unsuitable("%w", rightsMissing(err))
	}
	if err != nil {
		return process{}, err
	}
	p := parseInfo(text)
	if p.loading {
		return process{}, errLoading
	}
	return p, nil
}

// errLoading says that a process does not know yet what it has. It says meanwhile that it
// has no append-only file, even if that is what it reads.
var errLoading = errors.New("redis: it is loading its data")

func parseInfo(text string) process {
	of := make(map[string]string)
	for line := range strings.Lines(text) {
		if name, value, found := strings.Cut(strings.TrimRight(line, "\r\n"), ":"); found {
			of[name] = value
		}
	}
	return process{
		mode:     cmp.Or(of["redis_mode"], of["server_mode"]), // the latter is that of Valkey 8
		version:  of["redis_version"],
		run:      of["run_id"],
		role:     of["role"],
		eviction: of["maxmemory_policy"],
		loading:  of["loading"] == "1" || of["async_loading"] == "1",
		aof:      of["aof_enabled"] == "1",
		settled:  of["aof_enabled"] == "1" && of["aof_rewrite_in_progress"] == "0" && of["aof_rewrite_scheduled"] == "0" && of["aof_last_bgrewrite_status"] == "ok",
	}
}

// suitable tells whether a master can keep what an engine promises.
func (p *process) suitable(cluster bool) error {
	switch {
	case !atLeast(p.version, 6, 2):
		return unsuitable("its version is %s: 6.2 or newer is needed", known(p.version))
	case p.run == "":
		return unsuitable("INFO does not have its run_id: is there a proxy in front of it?")
	case p.eviction != "noeviction":
		return unsuitable("its maxmemory-policy is %s, with which keys vanish when its memory is full, and tokens that were used work again: set it to noeviction", known(p.eviction))
	case cluster && p.mode != "cluster":
		return unsuitable("it is not a cluster: remove cluster=true from the URL")
	case !cluster && p.mode == "cluster":
		return unsuitable("it is a cluster: add cluster=true to the URL")
	case !cluster && p.role != "master":
		return unsuitable("it is a replica: write the address of its master, or use Sentinel")
	case p.role != "master":
		return &refusal{"a node that was a master is none now"}
	}
	return nil
}

// known is a value of INFO for a message.
func known(value string) string {
	if value == "" {
		return "unknown"
	}
	return firstLine(value)
}

func atLeast(version string, major, minor int) bool {
	parts := strings.Split(version, ".")
	if len(parts) < 2 {
		return false
	}
	first, err1 := strconv.Atoi(parts[0])
	second, err2 := strconv.Atoi(parts[1])
	return err1 == nil && err2 == nil && (first > major || first == major && second >= minor)
}
