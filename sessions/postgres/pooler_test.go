package postgres_test

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/caddygrant/caddy-grant/internal/realserver"
	"github.com/caddygrant/caddy-grant/sessions"
	"github.com/caddygrant/caddy-grant/sessions/postgres"
)

// pooled starts a PgBouncer in front of a server, which hands each transaction to one of
// few connections. It returns the URL of a database behind it.
func pooled(t *testing.T, s *server, url, mode string) string {
	t.Helper()
	path, err := exec.LookPath("pgbouncer")
	if err != nil {
		path = "/usr/sbin/pgbouncer" // which is not in everyone's PATH
	}
	port := freePort(t)
	dir, err := s.NewDir()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	name := strings.TrimSuffix(url[strings.LastIndex(url, "/")+1:], "?sslmode=disable")
	config := fmt.Sprintf(`[databases]
%s = host=127.0.0.1 port=%d user=grant password='%s'
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = %d
unix_socket_dir =
auth_type = any
pool_mode = %s
default_pool_size = 4
`, name, s.port, plainPassword, port, mode)
	if err := os.WriteFile(dir+"/pgbouncer.ini", []byte(config), 0o644); err != nil {
		t.Fatal(err)
	}
	pgbouncer, err := realserver.Launch(s.Command(path, dir+"/pgbouncer.ini"), dir+"/log", syscall.SIGKILL)
	if err != nil {
		t.Fatalf("pgbouncer is needed for this test: apt-get install pgbouncer: %v", err)
	}
	t.Cleanup(pgbouncer.Kill)
	pooled := strings.Replace(url, fmt.Sprint(":", s.port, "/"), fmt.Sprint(":", port, "/"), 1)
	err = pgbouncer.Await(func() error {
		conn, err := pgx.Connect(t.Context(), pooled+"&default_query_exec_mode=exec")
		if err == nil {
			err = conn.Close(t.Context())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return pooled
}

// A pooler of transactions needs no setting: it loses prepared statements, and those of
// one node are those of another.
func TestAPoolerOfTransactionsNeedsNoSetting(t *testing.T) {
	s := sharedServer(t)
	url, _ := s.database(t)
	url = pooled(t, s, url, "transaction")
	engines, epoch := nodes(t, url, 2)
	for _, engine := range engines {
		engine.(sessions.Waker).Wake(t.Context()) // which does no harm
	}
	var clients sync.WaitGroup
	for range 4 {
		id := newID(epoch)
		var mu sync.Mutex
		won := make(map[uint64]int)
		for i := range 8 {
			clients.Go(func() {
				for range 25 {
					state, err := engines[i%2].Load(t.Context(), id)
					if err != nil {
						t.Error(err)
						return
					}
					next, answer := state.Generation+1, newAnswer()
					if state, err = engines[i%2].Swap(t.Context(), id, next, answer); err != nil {
						t.Error(err)
						return
					}
					if wonAs(state, next, answer) {
						mu.Lock()
						won[next]++
						mu.Unlock()
					}
				}
			})
		}
		clients.Go(func() {
			for i := range 10 {
				if err := engines[i%2].Revoke(t.Context(), newID(epoch)); err != nil {
					t.Error(err)
				}
				if _, err := engines[i%2].Sweep(t.Context()); err != nil {
					t.Error(err)
				}
			}
		})
		defer func() {
			state := loaded(t, engines[0], id)
			for next := range state.Generation {
				if won[next+1] != 1 {
					t.Errorf("generation %d was won %d times", next+1, won[next+1])
				}
			}
		}()
	}
	clients.Wait()
	if ids, _ := follow(t, engines[1], ""); len(ids) != 40 {
		t.Errorf("the feed has %d sessions", len(ids))
	}
}

// Where a pooler hands each statement to another connection, only the tables cannot be
// made through it.
func TestAPoolerOfStatementsIsEnoughOnceThereAreTables(t *testing.T) {
	s := sharedServer(t)
	direct, _ := s.database(t)
	_, epoch := nodes(t, direct, 1)
	engine := opened(t, postgres.Postgres{URL: pooled(t, s, direct, "statement")})
	if epochOf(t, engine) != epoch {
		t.Error("another epoch")
	}
	id := newID(epoch)
	for next := uint64(1); next <= 20; next++ {
		answer := newAnswer()
		if state := swap(t, engine, id, next, answer); !wonAs(state, next, answer) {
			t.Fatalf("%+v", state)
		}
	}
	revoke(t, engine, id)
	if state := loaded(t, engine, id); state != (sessions.State{Generation: 20, Answer: state.Answer, Age: state.Age, Revoked: true}) {
		t.Errorf("%+v", state)
	}
}
