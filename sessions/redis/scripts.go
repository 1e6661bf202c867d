package redis

import (
	"embed"

	goredis "github.com/redis/go-redis/v9"
)

//go:embed scripts/*.lua
var sources embed.FS

// The scripts. Each runs at one moment, and its keys have one slot.
var (
	scriptLoad   = script("session", "load")
	scriptSwap   = script("session", "swap")
	scriptRevoke = script("session", "revoke")
	scriptSweep  = script("sweep")

	scriptFeedAdd  = script("feed_add")
	scriptFeedPage = script("feed_page")
	scriptFeedTrim = script("feed_trim")

	scriptRootRead    = script("root_read")
	scriptRootClaim   = script("root_claim")
	scriptRootPublish = script("root_publish")
	scriptRootRuns    = script("root_runs")
	scriptBucketFill  = script("bucket_fill")

	scriptTrial = script("trial")
)

// script makes one of files, one after the other.
func script(names ...string) *goredis.Script {
	var text []byte
	for _, name := range names {
		part, err := sources.ReadFile("scripts/" + name + ".lua")
		if err != nil {
			panic(err) // it is embedded
		}
		text = append(text, part...)
	}
	return goredis.NewScript(string(text))
}

// What scripts say in place of a state.
const (
	saidLost    = "lost"    // the epoch, or what it stands for, is not there
	saidOther   = "other"   // there is another epoch
	saidOver    = "over"    // the session is over
	saidDamaged = "damaged" // the record cannot be read
	saidCursor  = "cursor"  // the cursor is of another feed, or of what was removed
)
