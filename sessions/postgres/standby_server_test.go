package postgres_test

import (
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// standby is a new server that follows this one.
func (s *server) standby() *server {
	s.t.Helper()
	f := &server{t: s.t, bin: s.bin, port: freePort(s.t), set: s.set}
	f.dir = f.folder()
	s.t.Cleanup(func() { os.RemoveAll(f.dir) })
	s.t.Cleanup(f.stop)
	s.run("pg_basebackup", "--host", "127.0.0.1", "--port", strconv.Itoa(s.port), "--username", "grant",
		"--pgdata", filepath.Join(f.dir, "data"), "--write-recovery-conf", "--checkpoint", "fast", "--no-sync")
	f.start()
	return f
}

// caughtUp returns when a standby has replayed all that its primary wrote.
func (s *server) caughtUp(primary *server) {
	s.t.Helper()
	own, other := connect(s.t, s.url("postgres")), connect(s.t, primary.url("postgres"))
	defer own.Close()
	defer other.Close()
	written := value[string](s.t, other, `SELECT pg_current_wal_lsn()::text`)
	for range 400 {
		if value[bool](s.t, own, `SELECT pg_last_wal_replay_lsn() >= $1::pg_lsn`, written) {
			return
		}
		time.Sleep(25 * time.Millisecond)
	}
	s.t.Fatal("the standby does not catch up")
}
