package command

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/spf13/cobra"
	"go.uber.org/zap"

	"github.com/caddygrant/caddy-grant/internal/adminapi"
)

// fakeServer is a server of which a test says what it answers.
type fakeServer struct {
	adminapi.Server
	status   adminapi.Status
	sessions adminapi.Sessions
	files    []adminapi.File
	keys     []adminapi.Key
	revoked  []adminapi.RevokeRequest
	unlocked []adminapi.UnlockRequest
}

func (f *fakeServer) Status(context.Context) (adminapi.Status, error) { return f.status, nil }

func (f *fakeServer) Sessions(_ context.Context, q adminapi.SessionsQuery) (adminapi.Sessions, error) {
	if q.User == "nobody" {
		return adminapi.Sessions{}, &adminapi.Error{Status: 404, Message: "there is no user of that name"}
	}
	return f.sessions, nil
}

func (f *fakeServer) Revoke(_ context.Context, r adminapi.RevokeRequest) (adminapi.Revoked, error) {
	f.revoked = append(f.revoked, r)
	return adminapi.Revoked{Scope: "user", Of: "u-1", Within: 2}, nil
}

func (f *fakeServer) Unlock(_ context.Context, r adminapi.UnlockRequest) (adminapi.Unlocked, error) {
	f.unlocked = append(f.unlocked, r)
	return adminapi.Unlocked{UnlockRequest: r, Within: 300, Unknown: r.User == "nobody" || r.Client == "nobody"}, nil
}

func (f *fakeServer) RotateKey(context.Context) ([]adminapi.Key, error) { return f.keys, nil }
func (f *fakeServer) Reload(context.Context) ([]adminapi.File, error)   { return f.files, nil }

// serve is the admin endpoint of a Caddy with these servers, by its address.
func serve(t *testing.T, servers map[string]adminapi.Server) string {
	t.Helper()
	handler := adminapi.Handler{Servers: servers, Logger: zap.NewNop()}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var answer caddy.APIError
		if err := handler.ServeHTTP(w, r); errors.As(err, &answer) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(answer.HTTPStatus)
			_, _ = io.WriteString(w, `{"error":"`+answer.Message+`"}`)
		}
	}))
	t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}

// run runs `caddy grant` with arguments.
func run(t *testing.T, args ...string) (stdout string, err error) {
	t.Helper()
	stdout, _, err = runBoth(t, args...)
	return stdout, err
}

// runBoth is run for a test that reads stderr too.
func runBoth(t *testing.T, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	grant := &cobra.Command{Use: "grant", SilenceUsage: true, SilenceErrors: true}
	Build(grant)
	var out, errs bytes.Buffer
	grant.SetOut(&out)
	grant.SetErr(&errs)
	grant.SetIn(strings.NewReader("y\n"))
	grant.SetArgs(args)
	err = grant.Execute()
	return out.String(), errs.String(), err
}

func before(d time.Duration) *time.Time {
	t := time.Now().Add(-d)
	return &t
}

func TestStatusIsReadable(t *testing.T) {
	f := &fakeServer{status: adminapi.Status{
		Name: "default", Issuer: "https://auth.example.com", Grants: []string{"password", "refresh_token"}, LoginPage: true,
		StartedAt: *before(3 * time.Hour),
		Keys: []adminapi.Key{
			{ID: "new", Algorithm: "ES256", Stage: adminapi.StagePublished, Since: before(5 * time.Minute), Until: before(-10 * time.Minute), Generated: true},
			{ID: "old", Algorithm: "ES256", Stage: adminapi.StageSigning, Generated: true},
		},
		Files: []adminapi.File{
			{Path: "/etc/caddy/users", Reads: "users", Entries: 12, LoadedAt: *before(48 * time.Hour)},
			{Path: "/etc/caddy/clients.json", Reads: "clients", Entries: 2, LoadedAt: *before(time.Minute), Error: "line 3: \x1b[31mbroken"},
		},
		Users: adminapi.Count{Count: 12}, Clients: adminapi.Count{Count: 3, Partial: true},
		Checks:   adminapi.Checks{Running: 1, Concurrency: 4, Waiting: 2, Queue: 64},
		Throttle: adminapi.Throttle{Accounts: 1, Pairs: 2, Addresses: 3},
		Sessions: adminapi.Knowledge{Revoked: 17, ReadAt: before(2 * time.Second)},
		Ended:    []adminapi.EndedAll{{Scope: "user", Of: "u-7", At: *before(time.Hour)}, {Scope: "server", At: *before(72 * time.Hour)}},
	}}
	address := serve(t, map[string]adminapi.Server{"default": f})
	const want = `Server default, https://auth.example.com
  config           since 3 hours ago
  offers           password, refresh_token, login page
  users            12
  clients          2, and those of sources that cannot list them, and the login page
  password checks  1 of 4 running, 2 of 64 waiting
  throttled        1 account, 2 accounts from one source, 3 addresses
  revoked          17 sessions, read 2 seconds ago

  KEY  ALGORITHM  STAGE      SINCE          UNTIL
  new  ES256      published  5 minutes ago  10 minutes from now
  old  ES256      signing    -              -

  FILE                     READS    ENTRIES  LOADED
  /etc/caddy/users         users    12       2 days ago
  /etc/caddy/clients.json  clients  2        1 minute ago
  /etc/caddy/clients.json was changed and is not active: "line 3: \x1b[31mbroken"

  SESSIONS OF  NAME  REVOKED
  user         u-7   1 hour ago
  server       -     3 days ago
`
	for _, args := range [][]string{{"status", "--address", address}, {"status", "--address", address, "--server", "default"}} {
		if got, err := run(t, args...); err != nil || got != want {
			t.Errorf("%v: %v\n%s", args, err, got)
		}
	}
	if got, err := run(t, "status", "--address", address, "--json"); err != nil || !strings.HasPrefix(got, "[\n  {\n    \"name\": \"default\",") {
		t.Errorf("%v\n%s", err, got)
	}
	if got, err := run(t, "status", "--address", address, "--json", "--server", "default"); err != nil || !strings.HasPrefix(got, "{\n  \"name\": \"default\",") {
		t.Errorf("%v\n%s", err, got)
	}
	f.status.Throttle.Off, f.status.Sessions.ReadAt = true, nil
	got, _ := run(t, "status", "--address", address)
	if !strings.Contains(got, "throttled        off\n") || !strings.Contains(got, "not read from storage yet") {
		t.Error(got)
	}
	f.status.Sessions.Error = "no answer"
	if got, _ = run(t, "status", "--address", address); !strings.Contains(got, "the last read failed: no answer") {
		t.Error(got)
	}
}

func TestTheServerIsTheOnlyOneOrNamed(t *testing.T) {
	f := new(fakeServer)
	none := serve(t, nil)
	two := serve(t, map[string]adminapi.Server{"default": &fakeServer{status: adminapi.Status{Name: "default"}}, "internal": f})
	f.status.Name = "internal"
	for _, command := range [][]string{{"sessions", "alice"}, {"revoke", "--user", "alice"}, {"unlock", "alice"}, {"rotate-key"}, {"reload"}} {
		if _, err := run(t, append(command, "--address", two)...); err == nil || err.Error() != "there are 2 servers: say which one, with --server default or --server internal" {
			t.Errorf("%v: %v", command, err)
		}
		if _, err := run(t, append(command, "--address", none)...); !errors.Is(err, errNoServer) {
			t.Errorf("%v: %v", command, err)
		}
		if _, err := run(t, append(command, "--address", two, "--server", "internal")...); err != nil {
			t.Errorf("%v: %v", command, err)
		}
		if _, err := run(t, append(command, "--address", two, "--server", "defualt")...); err == nil || !strings.Contains(err.Error(), "did you mean default?") {
			t.Errorf("%v: %v", command, err)
		}
	}
}

func TestWhatIsRevoked(t *testing.T) {
	for _, test := range []struct {
		args []string
		want adminapi.RevokeRequest
		says string
	}{
		{[]string{"--user", "alice"}, adminapi.RevokeRequest{User: "alice"}, "Revoked all sessions of user alice. Other nodes learn of it within 2s. Logins there until then are revoked too: log in again after that.\n"},
		{[]string{"--subject", "u-1"}, adminapi.RevokeRequest{Subject: "u-1"}, "Revoked all sessions of subject u-1. "},
		{[]string{"--client", "web"}, adminapi.RevokeRequest{Client: "web"}, "Revoked all sessions of client web. "},
		{[]string{"--session", "2-a"}, adminapi.RevokeRequest{Session: "2-a"}, "Revoked session 2-a. Other nodes learn of it within 2s.\n"},
		{[]string{"--all", "--yes"}, adminapi.RevokeRequest{All: true}, "Revoked all sessions of server default. "},
		{[]string{"--user", "alice", "--json"}, adminapi.RevokeRequest{User: "alice"}, "{\n  \"scope\": \"user\",\n  \"of\": \"u-1\",\n  \"within_seconds\": 2\n}\n"},
	} {
		f := &fakeServer{status: adminapi.Status{Name: "default"}}
		got, err := run(t, append([]string{"revoke", "--address", serve(t, map[string]adminapi.Server{"default": f})}, test.args...)...)
		if err != nil || !strings.HasPrefix(got, test.says) || len(f.revoked) != 1 || f.revoked[0] != test.want {
			t.Errorf("%v: %q, %v, %+v", test.args, got, err, f.revoked)
		}
	}
	for _, test := range []struct {
		args []string
		says string
	}{
		{nil, "name what to revoke"},
		{[]string{"--user", ""}, "name what to revoke"},
		{[]string{"--user", "", "--yes"}, "name what to revoke"},
		{[]string{"--user", "alice", "--all", "--yes"}, "--all and --user cannot be used together"},
		{[]string{"--user", "alice", "--all", "--session", "2-a"}, "--all, --session and --user cannot be used together"},
		{[]string{"--all"}, "there is no terminal on which to ask: add --yes"},
		{[]string{"alice"}, "name what to revoke with a flag, such as --user alice"},
		{[]string{"user", "alice"}, "name what to revoke with a flag, such as --user alice"},
	} {
		f := &fakeServer{status: adminapi.Status{Name: "default"}}
		_, err := run(t, append([]string{"revoke", "--address", serve(t, map[string]adminapi.Server{"default": f})}, test.args...)...)
		if err == nil || !strings.Contains(err.Error(), test.says) || len(f.revoked) > 0 {
			t.Errorf("%v: %v, %+v", test.args, err, f.revoked)
		}
	}
}

func TestWhoIsUnlocked(t *testing.T) {
	for _, test := range []struct {
		args []string
		want adminapi.UnlockRequest
		says string
	}{
		{[]string{"alice"}, adminapi.UnlockRequest{User: "alice"}, "Unlocked user alice. Other nodes learn of it within 5m0s.\n"},
		{[]string{"--client", "web", "--ip", "192.0.2.1"}, adminapi.UnlockRequest{Client: "web", Address: "192.0.2.1"}, "Unlocked client web and address 192.0.2.1. "},
		{[]string{"--ip", "2001:db8::1"}, adminapi.UnlockRequest{Address: "2001:db8::1"}, "Unlocked address 2001:db8::1. "},
		{[]string{"alice", "--json"}, adminapi.UnlockRequest{User: "alice"}, "{\n  \"user\": \"alice\",\n  \"within_seconds\": 300\n}\n"},
	} {
		f := &fakeServer{status: adminapi.Status{Name: "default"}}
		got, err := run(t, append([]string{"unlock", "--address", serve(t, map[string]adminapi.Server{"default": f})}, test.args...)...)
		if err != nil || !strings.HasPrefix(got, test.says) || len(f.unlocked) != 1 || f.unlocked[0] != test.want {
			t.Errorf("%v: %q, %v, %+v", test.args, got, err, f.unlocked)
		}
	}
	for _, test := range []struct {
		args []string
		says string
	}{
		{nil, "name a user"},
		{[]string{""}, "name a user"},
		{[]string{"alice", "--client", "web"}, "not both"},
		{[]string{"alice", "bob"}, "too many arguments: grant unlock [USER]"},
		{[]string{"--ip", "example.com"}, "must be an IP address"},
	} {
		f := &fakeServer{status: adminapi.Status{Name: "default"}}
		_, err := run(t, append([]string{"unlock", "--address", serve(t, map[string]adminapi.Server{"default": f})}, test.args...)...)
		if err == nil || !strings.Contains(err.Error(), test.says) || len(f.unlocked) > 0 {
			t.Errorf("%v: %v, %+v", test.args, err, f.unlocked)
		}
	}
}

func TestAnUnlockedNameThatDoesNotExistIsPointedOut(t *testing.T) {
	address := serve(t, map[string]adminapi.Server{"default": &fakeServer{status: adminapi.Status{Name: "default"}}})
	for _, test := range []struct {
		args []string
		says string
	}{
		{[]string{"nobody"}, "Warning: there is no user nobody; failed logins under that name are forgotten all the same.\n"},
		{[]string{"--client", "nobody", "--ip", "192.0.2.1"}, "Warning: there is no client nobody; failed logins under that name are forgotten all the same.\n"},
		{[]string{"alice"}, ""},
	} {
		out, errs, err := runBoth(t, append([]string{"unlock", "--address", address}, test.args...)...)
		if err != nil || !strings.HasPrefix(out, "Unlocked ") || errs != test.says {
			t.Errorf("%v: %v, %q, %q", test.args, err, out, errs)
		}
	}
	if out, err := run(t, "unlock", "nobody", "--json", "--address", address); err != nil || !strings.Contains(out, `"unknown": true`) {
		t.Errorf("%v, %s", err, out)
	}
}

func TestSessionsKeysAndFilesAreReadable(t *testing.T) {
	f := &fakeServer{
		status: adminapi.Status{Name: "default"},
		sessions: adminapi.Sessions{Subject: "u-1", More: true, Note: "sessions that were never refreshed are not known", Sessions: []adminapi.Session{
			{ID: "20270131-ab", Client: "web", RefreshedAt: *before(time.Minute), Ends: "2027-01-31", Refreshes: 7},
			{ID: "20270101-cd", Client: "mobile\n", RefreshedAt: *before(240 * time.Hour), Ends: "2027-01-01", Refreshes: 1, Revoked: true},
		}},
		keys: []adminapi.Key{{ID: "new", Algorithm: "ES256", Stage: adminapi.StagePublished, Until: before(-10 * time.Minute)}},
	}
	address := serve(t, map[string]adminapi.Server{"default": f})
	if got, err := run(t, "sessions", "alice", "--address", address); err != nil || got != `SESSION      CLIENT      REFRESHED     REFRESHES  ENDS        STATE
20270131-ab  web         1 minute ago  7          2027-01-31  active
20270101-cd  "mobile\n"  10 days ago   1          2027-01-01  revoked
There are more.
sessions that were never refreshed are not known
` {
		t.Errorf("%v\n%s", err, got)
	}
	if _, err := run(t, "sessions", "nobody", "--address", address); err == nil || err.Error() != "there is no user of that name" {
		t.Error(err)
	}
	f.sessions = adminapi.Sessions{Subject: "u-1"}
	if got, err := run(t, "sessions", "--subject", "u-1", "--address", address); err != nil || got != "No known sessions of subject u-1.\n" {
		t.Errorf("%v\n%s", err, got)
	}
	for _, args := range [][]string{{"sessions"}, {"sessions", "alice", "--subject", "u-1"}} {
		if _, err := run(t, append(args, "--address", address)...); err == nil || !strings.Contains(err.Error(), "name a user, or a subject") {
			t.Errorf("%v: %v", args, err)
		}
	}
	if got, err := run(t, "rotate-key", "--address", address); err != nil || !strings.Contains(got, "new  ES256      published") || !strings.HasPrefix(got, "The next key is published, and signs 10 minutes from now.\n") {
		t.Errorf("%v\n%s", err, got)
	}
	if got, err := run(t, "reload", "--address", address); err != nil || got != "Server default follows no files.\n" {
		t.Errorf("%v\n%s", err, got)
	}
	f.files = []adminapi.File{{Path: "/users", Reads: "users", Entries: 1, LoadedAt: time.Now(), Error: "/users: line 2: no colon"}}
	got, err := run(t, "reload", "--address", address)
	if err == nil || !strings.Contains(got, "/users was changed and is not active: line 2: no colon") {
		t.Errorf("%v\n%s", err, got)
	}
	if got, err := run(t, "reload", "--json", "--address", address); err == nil || !strings.Contains(got, `"error": "/users: line 2: no colon"`) {
		t.Errorf("%v\n%s", err, got)
	}
}

func TestACaddyThatDoesNotAnswerIsAskedForByItsFlags(t *testing.T) {
	_, err := run(t, "status", "--address", "unix//nowhere/admin.sock")
	if err == nil || !strings.Contains(err.Error(), "Caddy does not answer at unix//nowhere/admin.sock") || !strings.Contains(err.Error(), "--config") {
		t.Error(err)
	}
}

func TestAConfigThatTurnsTheAdminEndpointOffIsNamed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "caddy.json")
	for content, says := range map[string]string{
		`{"admin": {"disabled": true}}`:                         path + ` turns the admin endpoint off, with "admin off"`,
		`{"admin": {"listen": "unix//nowhere/a.sock"}}`:         "Caddy does not answer at unix//nowhere/a.sock",
		`{"admin": {"listen": "unix//nowhere/a.sock"}, "x": []`: "looking for the address of the admin endpoint",
	} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		for _, command := range []string{"status", "reload"} {
			if _, err := run(t, command, "--config", path); err == nil || !strings.Contains(err.Error(), says) {
				t.Errorf("%s with %s: %v", command, content, err)
			}
		}
	}
	if err := os.WriteFile(path, []byte(`{"admin": {"disabled": true}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := run(t, "status", "--config", path, "--address", "unix//nowhere/b.sock"); err == nil || !strings.Contains(err.Error(), "unix//nowhere/b.sock") {
		t.Errorf("with an address: %v", err)
	}
	if _, err := run(t, "status", "--web", "--config", path); err == nil || !strings.Contains(err.Error(), "turns the admin endpoint off") {
		t.Errorf("the page: %v", err)
	}
}

func TestASocketThatMayNotBeUsedIsNotSaidToBeDead(t *testing.T) {
	err := withHint(&adminapi.Unreachable{
		Address: "unix//run/caddy.sock",
		Err:     &net.OpError{Op: "dial", Net: "unix", Err: os.NewSyscallError("connect", syscall.EACCES)},
	})
	if !strings.Contains(err.Error(), "you have no permission to connect to Caddy at unix//run/caddy.sock") || !strings.Contains(err.Error(), "sudo") || strings.Contains(err.Error(), "running") {
		t.Error(err)
	}
}

func TestStatusShowsTheLatestOfManyMarks(t *testing.T) {
	var marks []adminapi.EndedAll
	for i := range 1_000 {
		marks = append(marks, adminapi.EndedAll{Scope: "user", Of: fmt.Sprintf("u-%d", i), At: time.Now()})
	}
	address := serve(t, map[string]adminapi.Server{"default": &fakeServer{status: adminapi.Status{Name: "default", Ended: marks}}})
	got, err := run(t, "status", "--address", address)
	if err != nil || !strings.Contains(got, " u-19 ") || strings.Contains(got, " u-20 ") || !strings.HasSuffix(got, "\n  and 980 older ones, see --json\n") {
		t.Errorf("%v\n%s", err, got)
	}
}
