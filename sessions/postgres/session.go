package postgres

import (
	"encoding/hex"
	"strconv"
	"time"

	"github.com/caddygrant/caddy-grant/sessions"
)

// session is one of a server, as statements have it.
type session struct {
	server string
	epoch  int64
	day    string
	random []byte
	ends   time.Time
}

// sessionOf is that of a valid ID.
func sessionOf(server string, id sessions.ID) session {
	random, _ := hex.DecodeString(id.Random)
	epoch, _ := strconv.ParseUint(id.Epoch, 16, 64)
	day := id.Day[:4] + "-" + id.Day[4:6] + "-" + id.Day[6:]
	return session{server, int64(epoch), day, random, id.Over()}
}

// parameters are those with which all statements about one session begin.
func (s *session) parameters(lockTimeout string) []any {
	return append(make([]any, 0, 8), s.server, s.epoch, s.day, s.random, s.ends, lockTimeout)
}

// place is where a session is in the tables of a server.
type place struct {
	epoch       int64
	day, random string
}

func (s *session) place() place { return place{s.epoch, s.day, string(s.random)} }
