package command

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/caddygrant/caddy-grant/internal/adminapi"
)

func TestStatusSaysWhereSessionsLiveAndWhetherThatAnswers(t *testing.T) {
	f := &fakeServer{status: adminapi.Status{Name: "default", StartedAt: *before(time.Hour)}}
	address := serve(t, map[string]adminapi.Server{"default": f})
	for name, test := range map[string]struct {
		sessions adminapi.Knowledge
		want     string
	}{
		"all answer": {adminapi.Knowledge{ReadAt: before(2 * time.Second), Engines: []adminapi.Engine{{Name: "redis"}, {Name: "storage"}}},
			`  revoked          0 sessions, read 2 seconds ago
  engine           redis, where sessions begin, answers
  engine           storage, answers
`},
		"the engine fails": {adminapi.Knowledge{
			ReadAt: before(5 * time.Minute), Error: "no answer\x1b[31m",
			Engines: []adminapi.Engine{{Name: "redis", Error: "no answer\x1b[31m", FailingSince: before(5 * time.Minute)}, {Name: "storage"}},
		},
			`  revoked          0 sessions, read 5 minutes ago
  engine           "redis, where sessions begin, fails since 5 minutes ago: no answer\x1b[31m"
  engine           storage, answers
`},
		"the storage fails, where no session lives": {adminapi.Knowledge{Error: "no storage", Engines: []adminapi.Engine{{Name: "redis"}}},
			`  revoked          0 sessions, the last read failed: no storage
  engine           redis, where sessions begin, answers
`},
		"nothing was read": {adminapi.Knowledge{Engines: []adminapi.Engine{{Name: "redis", Error: "down"}}},
			`  revoked          0 sessions, not all read yet
  engine           redis, where sessions begin, fails: down
`},
	} {
		f.status.Sessions = test.sessions
		if got, err := run(t, "status", "--address", address); err != nil || !strings.Contains(got, test.want+"\n") {
			t.Errorf("%s: %v\n%s", name, err, got)
		}
	}
}

// What could be read is shown, and a script notices that something is missing.
func TestSessionsThatCannotBeReadAreShown(t *testing.T) {
	f := &fakeServer{
		status: adminapi.Status{Name: "default"},
		sessions: adminapi.Sessions{
			Subject:  "u-1",
			Sessions: []adminapi.Session{{ID: "20270131-ab", Client: "web", RefreshedAt: *before(time.Minute), Ends: "2027-01-31", Refreshes: 7}},
			Unread: []adminapi.UnreadSession{
				{ID: "20270101-cd-redis-1", Client: "web", Ends: "2027-01-01", Engine: "redis", Error: "connection refused"},
				{ID: "20270101-ef-redis-1", Ends: "2027-01-01", Engine: "redis", Error: "connection refused"},
				{ID: "20270101-12-postgres-1", Ends: "2027-01-01", Engine: "postgres", Error: "add \"also postgres\""},
			},
		},
	}
	address := serve(t, map[string]adminapi.Server{"default": f})
	out, errs, err := runBoth(t, "sessions", "alice", "--address", address)
	if err == nil || out != `SESSION                 CLIENT  REFRESHED     REFRESHES  ENDS        STATE
20270131-ab             web     1 minute ago  7          2027-01-31  active
20270101-cd-redis-1     web     -             -          2027-01-01  unknown: in redis
20270101-ef-redis-1     -       -             -          2027-01-01  unknown: in redis
20270101-12-postgres-1  -       -             -          2027-01-01  unknown: in postgres
` {
		t.Errorf("%v\n%s", err, out)
	}
	const why = "Error: 3 of 4 sessions could not be read\nredis: connection refused\npostgres: add \"also postgres\"\n"
	if errs != why {
		t.Errorf("stderr:\n%s", errs)
	}
	out, errs, err = runBoth(t, "sessions", "alice", "--json", "--address", address)
	var list adminapi.Sessions
	if failed := json.Unmarshal([]byte(out), &list); failed != nil || err == nil || errs != why || !reflect.DeepEqual(list.Unread, f.sessions.Unread) || len(list.Sessions) != 1 {
		t.Errorf("%v, %v\n%s%s", err, failed, out, errs)
	}
	f.sessions.Sessions = nil
	if out, _, err := runBoth(t, "sessions", "alice", "--address", address); err == nil || strings.Contains(out, "No known sessions") {
		t.Errorf("%v\n%s", err, out)
	}
}
