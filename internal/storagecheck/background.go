package storagecheck

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/caddyserver/certmagic"
	"go.uber.org/zap"
)

// Start logs what a storage lacks that sessions need, once in a process for each
// identity. It runs in the background, begins after the rest of a start, and tries
// again while the storage does not answer. stop ends it, and waits a moment for its
// clean-up.
func Start(ctx context.Context, storage certmagic.Storage, identity string, logger *zap.Logger) (stop func()) {
	if _, told := toldOf.Load(identity); told {
		return func() {}
	}
	logger = logger.With(zap.String("storage", fmt.Sprintf("%T", storage)))
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	wait := StartDelay
	go func() {
		defer close(ended)
		for ; sleep(ctx, wait); wait = startAgain {
			lacks, err := lacksInTime(ctx, storage)
			if err == nil {
				// a reload may have begun another
				if _, told := toldOf.LoadOrStore(identity, true); !told {
					tell(logger, lacks)
				}
				return
			}
			logger.Debug("the storage cannot be checked yet", zap.Error(err))
		}
	}()
	return func() {
		cancel()
		select {
		case <-ended:
		case <-time.After(stopLimit):
		}
	}
}

// lacksInTime gives up on a storage that hangs whatever the context.
func lacksInTime(ctx context.Context, storage certmagic.Storage) ([]lack, error) {
	type result struct {
		lacks []lack
		err   error
	}
	ctx, cancel := context.WithTimeout(ctx, checkLimit)
	done := make(chan result, 1)
	go func() {
		defer cancel()
		lacks, err := lacksOf(ctx, storage, "grant-check")
		done <- result{lacks, err}
	}()
	select {
	case r := <-done:
		return r.lacks, r.err
	case <-ctx.Done():
	}
	select {
	case r := <-done:
		return r.lacks, r.err
	case <-time.After(stopLimit): // for its clean-up
		return nil, ctx.Err()
	}
}

func tell(logger *zap.Logger, lacks []lack) {
	for _, lack := range lacks {
		fields := []zap.Field{zap.String("lacks", lack.what), zap.String("remedy", lack.remedy)}
		if lack.err != nil {
			fields = append(fields, zap.Error(lack.err))
		}
		logger.Warn("the storage does not do all that sessions need", fields...)
	}
	if len(lacks) == 0 {
		logger.Info("the storage does what sessions need")
	}
}

// sleep waits, or returns false when ctx ends.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

var toldOf sync.Map // by identity

// StartDelay is how long after a start the check begins. It is a variable for tests,
// which change it before they start anything.
var StartDelay = 5 * time.Second

const (
	startAgain = time.Minute
	checkLimit = time.Minute
	stopLimit  = time.Second
)
