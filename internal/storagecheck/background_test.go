package storagecheck

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddyserver/certmagic"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
)

// inBubble is a test in fake time, with the lines that were logged.
func inBubble(t *testing.T, f func(t *testing.T, logger *zap.Logger, lines func() []string)) {
	synctest.Test(t, func(t *testing.T) {
		defer time.Sleep(time.Minute) // certmagic keeps a lock fresh for some seconds after its end
		core, logs := observer.New(zapcore.InfoLevel)
		f(t, zap.New(core), func() (lines []string) {
			for _, entry := range logs.TakeAll() {
				lines = append(lines, fmt.Sprint(entry.Level, " ", entry.Message))
			}
			return lines
		})
	})
}

// newTimed is a file storage that follows fake time.
func newTimed(t *testing.T) *odd {
	o := newOdd(t)
	o.stat = func(ctx context.Context, key string) (certmagic.KeyInfo, error) {
		info, err := o.FileStorage.Stat(ctx, key)
		info.Modified = time.Now()
		return info, err
	}
	return o
}

const (
	toldGood = "info the storage does what sessions need"
	toldBad  = "warn the storage does not do all that sessions need"
)

func TestAStorageIsReportedOnceAProcess(t *testing.T) {
	inBubble(t, func(t *testing.T, logger *zap.Logger, lines func() []string) {
		check := func(storage *odd, want ...string) {
			t.Helper()
			stop := Start(t.Context(), storage, storage.Path, logger)
			time.Sleep(StartDelay + time.Minute)
			stop()
			if got := lines(); !slices.Equal(got, want) {
				t.Errorf("logged %q, want %q", got, want)
			}
		}
		good, bad := newTimed(t), newTimed(t)
		bad.list = func(context.Context, string) ([]string, error) { return nil, errors.New("not implemented") }
		check(good, toldGood)
		check(good)
		check(bad, toldBad)
		check(bad)
	})
}

func TestAStorageThatDoesNotAnswerIsCheckedLater(t *testing.T) {
	inBubble(t, func(t *testing.T, logger *zap.Logger, lines func() []string) {
		begin := time.Now()
		storage := newTimed(t)
		storage.store = func(ctx context.Context, key string, value []byte) error {
			if time.Since(begin) < 100*time.Second {
				return errors.New("connection refused")
			}
			return storage.FileStorage.Store(ctx, key, value)
		}
		stop := Start(t.Context(), storage, storage.Path, logger)
		defer stop()
		time.Sleep(110 * time.Second)
		if got := lines(); got != nil {
			t.Errorf("logged %q", got)
		}
		time.Sleep(time.Minute)
		if got := lines(); !slices.Equal(got, []string{toldGood}) {
			t.Errorf("logged %q", got)
		}
	})
}

func TestAStoppedCheckIsNotHeldUp(t *testing.T) {
	inBubble(t, func(t *testing.T, logger *zap.Logger, lines func() []string) {
		goOn := make(chan struct{})
		defer close(goOn)
		storage := newTimed(t)
		storage.store = func(context.Context, string, []byte) error {
			<-goOn // whatever the context
			return nil
		}
		stop := Start(t.Context(), storage, storage.Path, logger)
		time.Sleep(2 * StartDelay)
		begin := time.Now()
		if stop(); time.Since(begin) > stopLimit {
			t.Errorf("stopping took %v", time.Since(begin))
		}
		if got := lines(); got != nil {
			t.Errorf("logged %q", got)
		}
	})
}
