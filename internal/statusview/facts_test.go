package statusview

import (
	"testing"
	"time"

	"github.com/caddygrant/caddy-grant/internal/adminapi"
)

func TestTheLoginPageIsCountedApartFromTheClients(t *testing.T) {
	for _, test := range []struct {
		status adminapi.Status
		says   string
	}{
		{adminapi.Status{Clients: adminapi.Count{Count: 2}}, "0 users, 2 clients"},
		{adminapi.Status{Clients: adminapi.Count{Count: 2}, LoginPage: true}, "0 users, 1 client, and the login page"},
		{adminapi.Status{Clients: adminapi.Count{Count: 1}, LoginPage: true}, "0 users, 0 clients, and the login page"},
	} {
		if got := facts(&test.status, time.Now()); !hasFact(got, test.says, Normal) {
			t.Errorf("%+v: %+v", test.status.Clients, got)
		}
	}
}

func TestOnlyTheLatestMarksAreShown(t *testing.T) {
	status := &adminapi.Status{Ended: make([]adminapi.EndedAll, mostEnded+2)}
	if got := facts(status, time.Now()); !hasFact(got, "2 more before that: see caddy grant status", Normal) {
		t.Errorf("%+v", got)
	}
}

func TestARefusalWithoutATokenIsNotCalledNone(t *testing.T) {
	for of, want := range map[series]string{
		{metric: metricBearer, outcome: "none"}:                   "bearer_auth: no token",
		{metric: metricBearer, outcome: "none", endpoint: shadow}: "bearer_auth, shadow: no token",
		{metric: metricBearer, outcome: "invalid_token"}:          "bearer_auth: invalid_token",
	} {
		if got := refusal(of); got != want {
			t.Errorf("%+v: %q, want %q", of, got, want)
		}
	}
}

func TestEachEngineThatFailsIsAProblem(t *testing.T) {
	now := time.Now()
	status := &adminapi.Status{Sessions: adminapi.Knowledge{
		Revoked: 2, ReadAt: &now, Error: "refused",
		Engines: []adminapi.Engine{{Name: "redis"}, {Name: "postgres", Error: "refused", FailingSince: &now}, {Name: "storage", Error: "gone"}},
	}}
	got := facts(status, now)
	for text, level := range map[string]Level{
		"2 sessions, read " + clock(now, now):                   Normal,
		"redis, where sessions begin, answers":                  Normal,
		"postgres FAILS since " + clock(now, now) + ": refused": Bad,
		"storage FAILS: gone":                                   Bad,
	} {
		if !hasFact(got, text, level) {
			t.Errorf("%q is not among %+v", text, got)
		}
	}
	status.Sessions = adminapi.Knowledge{Error: "gone", Engines: []adminapi.Engine{{Name: "redis"}}}
	if got := facts(status, now); !hasFact(got, "0 sessions. STORAGE FAILS: gone", Bad) {
		t.Errorf("%+v", got)
	}
}
