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
// a process. It goes on in the background, tries again while the storage does not answer,
// and ends with ctx.
func checkStorage(ctx context.Context, storage certmagic.Storage, logger *zap.Logger) {
	identity := storageIdentity(storage)
	if _, checked := checkedStorages.LoadOrStore(identity, true); checked {
		return
	}
	logger = logger.With(zap.String("storage", fmt.Sprintf("%T", storage)))
	go func() {
		for {
			lacks, err := lacksOf(ctx, storage)
			switch {
			case ctx.Err() != nil:
				checkedStorages.Delete(identity) // the next config has its own way to it
				return
			case err == nil:
				tellLacks(logger, lacks)
				return
			}
			logger.Debug("the storage cannot be checked yet", zap.Error(err))
			if !sleep(ctx, storageCheckAgain) {
				checkedStorages.Delete(identity)
				return
			}
		}
	}()
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
		lacks, err := storagecheck.Lacks(ctx, storage, "grant/check")
		done <- result{lacks, err}
	}()
	select {
	case r := <-done:
		return r.lacks, r.err
	case <-ctx.Done():
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
	storageCheckTimeout = time.Minute
	storageCheckAgain   = time.Minute
)
