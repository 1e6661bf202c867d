package redis

import (
	"strconv"

	"github.com/caddygrant/caddy-grant/sessions"
)

// buckets is how many buckets a server has.
const buckets = 1024

// keys are the names of what a server has in Redis. A prefix may have any of ":" and "/",
// but the name of a server has neither. So what follows the last ":" tells a root from a
// bucket, and both from those of any other prefix and server.
type keys struct {
	prefix     string
	root, feed string
	buckets    [buckets]string
}

func newKeys(prefix, server string) *keys {
	name := prefix + ":" + server
	k := &keys{prefix: prefix, root: "{" + name + "}", feed: "{" + name + "}:feed"}
	for i := range k.buckets {
		text := strconv.FormatInt(int64(i), 16)
		k.buckets[i] = "{" + name + "/" + "000"[len(text):] + text + "}"
	}
	return k
}

// of returns the bucket of a session, and the key of its records. Both have one slot.
func (k *keys) of(id sessions.ID) []string {
	first, _ := strconv.ParseUint(id.Random[:3], 16, 16) // valid, see [sessions.ID.IsValid]
	bucket := k.buckets[first>>2]
	return []string{bucket, bucket + ":" + id.Day + id.Epoch}
}
