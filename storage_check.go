package caddygrant

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/caddyserver/certmagic"
	"go.uber.org/zap"

	"github.com/caddygrant/caddy-grant/internal/storagecheck"
)

// checkStorage says in the log what the storage in use lacks of what sessions need, once in
// a process. It goes on in the background, begins when a start has other things behind it,
// and tries again while the storage does not answer. stop ends it, and waits a moment for
// what it has to take away.
func checkStorage(ctx context.Context, storage certmagic.Storage, logger *zap.Logger) (stop func()) {
	identity := storageIdentity(storage)
	if _, checked := checkedStorages.Load(identity); checked {
		return func() {}
	}
	logger = logger.With(zap.String("storage", fmt.Sprintf("%T", storage)))
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for wait := storageCheckDelay; sleep(ctx, wait); wait = storageCheckAgain {
			lacks, err := lacksOf(ctx, storage)
			if err == nil {
				// a reload may have begun another
				if _, told := checkedStorages.LoadOrStore(identity, true); !told {
					tellLacks(logger, lacks)
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
		case <-time.After(time.Second):
		}
	}
}

// lacksOf leaves a storage alone that hangs whatever the context.
func lacksOf(ctx context.Context, storage certmagic.Storage) ([]storagecheck.Lack, error) {
	type result struct {
		lacks []storagecheck.Lack
		err   error
	}
	ctx, cancel := context.WithTimeout(ctx, storageCheckTimeout)
	done := make(chan result, 1)
	go func() {
		defer cancel()
		lacks, err := storagecheck.Lacks(ctx, storage, "grant-check")
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
	case <-time.After(time.Second): // for what it takes away
		return nil, ctx.Err()
	}
}

func tellLacks(logger *zap.Logger, lacks []storagecheck.Lack) {
	for _, lack := range lacks {
		fields := []zap.Field{zap.String("lacks", lack.What), zap.String("remedy", lack.Remedy)}
		if lack.Error != nil {
			fields = append(fields, zap.Error(lack.Error))
		}
		logger.Warn("the storage does not do all that sessions need", fields...)
	}
	if len(lacks) == 0 {
		logger.Info("the storage does what sessions need")
	}
}

var checkedStorages sync.Map // by storageIdentity

const (
	storageCheckDelay   = 5 * time.Second
	storageCheckTimeout = time.Minute
	storageCheckAgain   = time.Minute
)
