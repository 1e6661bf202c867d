package caddygrant

import (
	"context"
	"errors"
	"io/fs"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddyserver/certmagic"
	"go.uber.org/zap"

	"github.com/caddygrant/caddy-grant/internal/oauth"
)

func TestARefusalOfAFailedStorageHasARemedy(t *testing.T) {
	denied := &fs.PathError{Op: "open", Path: "/data", Err: fs.ErrPermission}
	if e, ok := errors.AsType[*oauth.Error](errStorage(t.Context(), denied)); !ok || e.Remedy == "" {
		t.Error("a refusal has no remedy")
	}
}

// An alert on the metric must fire where the notices of operators cannot be read, too.
func TestTheMetricOfReadRevocationsStandsStillWhereNoticesCannotBeRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		storage := &certmagic.FileStorage{Path: t.TempDir()}
		x := newServerSessions(zap.NewNop(), sessionsOptions{
			server: t.Name(), storage: storage, place: storagePlace{"grant/x", t.Name()}, poll: time.Second,
		})
		latest := "grant/x/notices/latest"
		if err := storage.Store(t.Context(), latest, []byte(`{"version":1,"number":7,"change":"x"}`)); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		x.start(ctx, true)
		readAt := func() float64 {
			time.Sleep(10 * time.Second)
			synctest.Wait()
			return seriesOf(t, t.Name())["revocations_last_read_timestamp_seconds "+t.Name()]
		}
		if got := readAt(); got != 0 || knowledgeOf(x).Error == "" {
			t.Errorf("read at %v, error %q", got, knowledgeOf(x).Error)
		}
		if err := storage.Delete(t.Context(), latest); err != nil {
			t.Fatal(err)
		}
		before := readAt()
		if before == 0 || readAt() <= before || knowledgeOf(x).Error != "" {
			t.Errorf("read at %v, error %q", before, knowledgeOf(x).Error)
		}
		cancel()
		synctest.Wait()
		x.release()
	})
}

// Also where no tokens are checked, and so no revocations of sessions are read.
func TestStorageIsReadAsOftenAsThePollSays(t *testing.T) {
	for _, checked := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			storage := &countedLoads{FileStorage: &certmagic.FileStorage{Path: t.TempDir()}}
			x := newServerSessions(zap.NewNop(), sessionsOptions{
				server: t.Name(), storage: storage, place: storagePlace{"grant/x", t.Name()}, poll: time.Minute,
			})
			ctx, cancel := context.WithCancel(t.Context())
			x.start(ctx, checked)
			time.Sleep(5 * time.Second)
			synctest.Wait()
			before := storage.loads.Load()
			time.Sleep(10 * time.Minute)
			synctest.Wait()
			if loads := storage.loads.Load() - before; loads < 9 || loads > 11 {
				t.Errorf("checked %t: %d reads in ten minutes", checked, loads)
			}
			cancel()
			synctest.Wait()
			x.release()
		})
	}
}

// countedLoads counts how often it was asked whether there are notices.
type countedLoads struct {
	*certmagic.FileStorage
	loads atomic.Int64
}

func (c *countedLoads) Load(ctx context.Context, key string) ([]byte, error) {
	if key == "grant/x/notices/latest" {
		c.loads.Add(1)
	}
	return c.FileStorage.Load(ctx, key)
}
