package redis

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/caddygrant/caddy-grant/sessions"
)

// examination is what there is in Redis apart from sessions.
type examination struct {
	processes []process
	epoch     string // of new sessions, or empty
	runs      []string

	// lost says that the root, the feed or a process cannot be trusted: all sessions end.
	lost bool
}

// Epoch implements [sessions.Engine].
func (e *engine) Epoch(ctx context.Context) (string, error) {
	return waiting(ctx, e, max(e.timeout, epochTimeout), func(ctx context.Context) (string, error) {
		select {
		case e.making <- struct{}{}:
			defer func() { <-e.making }()
		case <-ctx.Done():
			return "", ctx.Err()
		}
		for {
			epoch, err := e.lookForEpoch(ctx)
			if !errors.Is(err, errAgain) {
				return epoch, err
			}
			select {
			case <-time.After(makeAgain):
			case <-ctx.Done():
				return "", ctx.Err()
			}
		}
	})
}

const (
	// epochTimeout is how long Epoch may take: it looks at all buckets.
	epochTimeout = 10 * time.Second

	// claimed is how long a node waits for another one that makes an epoch, and makeAgain
	// how long between looks.
	claimed   = 5 * time.Second
	makeAgain = 50 * time.Millisecond

	// mostEpochs is how many epochs a bucket keeps.
	mostEpochs = 32

	// chunk is how many buckets are asked in one message.
	chunk = 128
)

// errAgain says that another node makes an epoch, or has made one meanwhile.
var errAgain = errors.New("redis: another node makes an epoch")

func (e *engine) lookForEpoch(ctx context.Context) (string, error) {
	found, err := e.examine(ctx)
	if err != nil && !errors.Is(err, errLost) {
		return "", err
	}
	whole := false
	if err == nil {
		if whole, err = e.everywhere(ctx, found.epoch); err != nil {
			return "", err
		}
	}
	switch {
	case whole:
		e.seen = true
		return found.epoch, e.settle(ctx, found)
	case e.seen:
		return "", errLost
	}
	if err := e.makeEpoch(ctx, found); err != nil {
		return "", err
	}
	return "", errAgain // and look at it
}

// examine asks all masters and reads the root. The caller holds making. Where there is no
// root that can be trusted, it returns errLost and what it has found.
func (e *engine) examine(ctx context.Context) (*examination, error) {
	found, err := e.look(ctx)
	e.trusting(found, err) // not after a panic, when less was found than err says
	return found, err
}

func (e *engine) look(ctx context.Context) (found *examination, err error) {
	found = new(examination)
	masters, err := e.clients.masters(ctx)
	if forbidden(err) {
		return found, unsuitable("%w", rightsMissing(err))
	}
	if err != nil {
		return found, err
	}
	volatile := false
	for _, master := range masters {
		p, err := askProcess(ctx, master)
		if err == nil {
			err = p.suitable(e.clients.settings.cluster != nil)
		}
		if err != nil {
			return found, err
		}
		volatile = volatile || !p.aof
		found.processes = append(found.processes, p)
	}
	if volatile && !e.warned.Swap(true) {
		e.logger.Warn("Redis has no append-only file: all sessions in it end when it restarts; set appendonly yes and appendfsync always")
	}
	if err := e.tryRights(ctx); err != nil {
		return found, err
	}
	root, err := e.clients.once(ctx, scriptRootRead, []string{e.keys.root, e.keys.feed})
	if err != nil {
		return found, err
	}
	parts, is := root.([]any)
	if !is || len(parts) != 3 {
		return found, errReply
	}
	epoch, _ := parts[0].(string)
	runs, _ := parts[1].(string)
	feed, _ := parts[2].(int64)
	found.epoch, found.runs = epoch, runsOf(runs)
	if !sessions.IsEpoch(epoch) || feed != 1 {
		found.lost = true
		return found, errLost
	}
	return found, e.judge(ctx, found)
}

// judge returns errLost if a process may have older data than it had acknowledged. It
// notes that in the root: an append-only file that is turned on later changes nothing.
func (e *engine) judge(ctx context.Context, found *examination) error {
	all, same := true, true
	for i := range found.processes {
		p := &found.processes[i]
		all = all && trusts(found.runs, p)
		same = same && e.alive[p.run]
	}
	now := noProcess
	switch {
	case all:
		e.alive = make(map[string]bool, len(found.processes))
		for i := range found.processes {
			e.alive[found.processes[i].run] = true
		}
		return nil
	case same: // the file was turned off, and nothing has ended
		now = runs(found.processes)
	case len(found.runs) > 0:
		found.lost = true
		return errLost
	}
	if err := e.setRuns(ctx, found, now); err != nil {
		return err
	}
	if found.lost = !same; found.lost {
		return errLost
	}
	return nil
}

// noProcess is in place of trusted processes where none is.
const noProcess = "none"

// setRuns changes which processes are trusted.
func (e *engine) setRuns(ctx context.Context, found *examination, now string) error {
	_, err := e.clients.once(ctx, scriptRootRuns, []string{e.keys.root}, found.epoch, strings.Join(found.runs, " "), now)
	if err == nil {
		found.runs = runsOf(now)
	}
	return err
}

// runs is what the root has of processes: nothing if all have an append-only file.
func runs(processes []process) string {
	var text []string
	volatile := false
	for i := range processes {
		text = append(text, processes[i].run)
		volatile = volatile || !processes[i].aof
	}
	if !volatile {
		return ""
	}
	return strings.Join(text, " ")
}

// everywhere tells whether each bucket has the epoch.
func (e *engine) everywhere(ctx context.Context, epoch string) (bool, error) {
	whole := true
	err := e.eachBucket(ctx, func(pipe goredis.Pipeliner, key string) func() error {
		has := pipe.HExists(ctx, key, "e"+epoch)
		return func() error {
			whole = whole && has.Val()
			return has.Err()
		}
	})
	return whole && err == nil, err
}

// makeEpoch makes a new epoch for all buckets. It ends the earlier ones where the root, or
// a process, cannot be trusted.
func (e *engine) makeEpoch(ctx context.Context, found *examination) error {
	highest, err := e.highestClaim(ctx)
	if err != nil {
		return err
	}
	result, err := e.clients.once(ctx, scriptRootClaim, []string{e.keys.root}, found.epoch, highest, claimed.Milliseconds())
	if err != nil {
		return err
	}
	claim, _ := result.(string)
	if claim == "" {
		return errAgain
	}
	epoch, ends, feed := sessions.NewEpoch(), "0", ""
	if found.lost {
		ends, feed = "1", sessions.NewEpoch() // as random as that
	}
	// No repeats here: a command that comes late, after a bucket was lost, would say that
	// it was not.
	if err := e.eachBucket(ctx, func(pipe goredis.Pipeliner, key string) func() error {
		return scriptBucketFill.Eval(ctx, pipe, []string{key}, claim, epoch, ends, mostEpochs).Err
	}); err != nil {
		return err
	}
	result, err = e.clients.once(ctx, scriptRootPublish, []string{e.keys.root, e.keys.feed}, claim, epoch, runs(found.processes), feed)
	if err != nil {
		return err
	}
	if published, _ := result.(int64); published != 1 {
		return errAgain
	}
	return nil
}

// highestClaim is the highest with which an epoch was written to a bucket.
func (e *engine) highestClaim(ctx context.Context) (highest string, err error) {
	highest = "0"
	err = e.eachBucket(ctx, func(pipe goredis.Pipeliner, key string) func() error {
		fields := pipe.HGetAll(ctx, key)
		return func() error {
			for field, value := range fields.Val() {
				if field[0] == 'e' && (len(value) > len(highest) || len(value) == len(highest) && value > highest) {
					highest = value
				}
			}
			return fields.Err()
		}
	})
	return highest, err
}

// eachBucket asks for all buckets, many in one message. ask adds a command to the
// message, and returns what is to be done with its answer.
func (e *engine) eachBucket(ctx context.Context, ask func(goredis.Pipeliner, string) func() error) error {
	groups, err := e.clients.byMaster(ctx, e.keys.buckets[:])
	if err != nil {
		return err
	}
	for master, keys := range groups {
		for len(keys) > 0 {
			part := keys[:min(chunk, len(keys))]
			keys = keys[len(part):]
			pipe := master.Pipeline()
			answers := make([]func() error, len(part))
			for i, key := range part {
				answers[i] = ask(pipe, key)
			}
			if _, err := pipe.Exec(ctx); err != nil {
				return err
			}
			for _, answer := range answers {
				if err := answer(); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// settle trusts restarts from now on, if all processes have got an append-only file since
// the epoch was made.
func (e *engine) settle(ctx context.Context, found *examination) error {
	if len(found.runs) == 0 {
		return nil
	}
	for _, p := range found.processes {
		if !p.settled {
			return nil
		}
	}
	if err := e.setRuns(ctx, found, ""); err != nil {
		return fmt.Errorf("redis: noting that there is an append-only file: %w", err)
	}
	e.trusting(found, nil)
	return nil
}
