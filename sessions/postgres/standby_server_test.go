package postgres_test

import "time"

// standby is a new server that follows this one.
func (s *server) standby() *server {
	s.t.Helper()
	made, err := s.NewStandby()
	return started(s.t, made, err)
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
