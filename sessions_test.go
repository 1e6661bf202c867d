package caddygrant

import (
	"context"
	"errors"
	"io/fs"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddyserver/certmagic"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/caddygrant/caddy-grant/internal/oauth"
	"github.com/caddygrant/caddy-grant/internal/session"
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

// A list of revocations that hangs: the reading goes on in the background after the first
// attempt has failed, and that is not yet a success.
func TestRevocationsCountAsReadAgainOnceTheyAre(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		storage := &hangingLists{FileStorage: &certmagic.FileStorage{Path: t.TempDir()}}
		other := session.NewStore(storage, "grant/x", session.NewMemory(), time.Now)
		core, logged := observer.New(zap.InfoLevel)
		x := newServerSessions(zap.New(core), sessionsOptions{
			server: t.Name(), storage: storage, place: storagePlace{"grant/x", t.Name()}, poll: time.Second,
		})
		ctx, cancel := context.WithCancel(t.Context())
		x.start(ctx, true)
		time.Sleep(10 * time.Second)
		storage.hang.Store(true)
		id := session.NewID(time.Now().Add(time.Hour))
		if err := other.Revoke(t.Context(), id); err != nil {
			t.Fatal(err)
		}

		time.Sleep(10 * time.Minute)
		synctest.Wait()
		if revoked, _ := x.memory.InView(id); revoked {
			t.Error("a list that hangs was read")
		}
		if knowledgeOf(x).Error == "" || logged.FilterMessage("revocations are read again").Len() > 0 {
			t.Errorf("error %q, and the log says %v", knowledgeOf(x).Error, logged.All())
		}

		storage.hang.Store(false)
		time.Sleep(20 * time.Minute)
		synctest.Wait()
		if revoked, _ := x.memory.InView(id); !revoked || knowledgeOf(x).Error != "" || logged.FilterMessage("revocations are read again").Len() != 1 {
			t.Errorf("revoked %t, error %q, and the log says %v", revoked, knowledgeOf(x).Error, logged.All())
		}
		cancel()
		synctest.Wait()
		x.release()
	})
}

// hangingLists does not list what was revoked in an hour while it hangs.
type hangingLists struct {
	*certmagic.FileStorage
	hang atomic.Bool
}

func (h *hangingLists) List(ctx context.Context, key string, recursive bool) ([]string, error) {
	if strings.HasPrefix(key, "grant/x/revocations/") && h.hang.Load() {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return h.FileStorage.List(ctx, key, recursive)
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
