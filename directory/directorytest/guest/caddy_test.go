package guest

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddygrant/caddy-grant/directory"
	"github.com/caddygrant/caddy-grant/directory/directorytest"
)

const password, hash = directorytest.Password, directorytest.Hash

const sources = "users table users\n\t\tclients table clients"

// tablesOf are the tables of a site, with a user and a client in them.
func tablesOf() (users, clients *Table) {
	users, clients = Create("users"), Create("clients")
	users.SetUsers(directory.User{Username: "alice", ID: "1", PasswordHash: hash})
	clients.SetClients(directory.Client{ID: "web", Secret: "s3cret"}, directory.Client{ID: "mobile", Public: true})
	return users, clients
}

// exercise is all that a token goes through.
func exercise(t *testing.T, s *site) {
	t.Helper()
	issued := s.login("alice", password).want(t, 200, "")
	access, refresh := issued.text("access_token"), issued.text("refresh_token")
	if a := s.app(access); a.status != 200 || a.body != "1 of web" {
		t.Fatalf("%d %s", a.status, a.body)
	}
	if a := s.introspect(access); a.json["active"] != true || a.json["sub"] != "1" {
		t.Fatalf("introspection: %s", a.body)
	}
	refresh = s.refresh(refresh).want(t, 200, "").text("refresh_token")
	s.post("/token/revoke", "token", refresh).want(t, 200, "")
	s.refresh(refresh).want(t, 400, "invalid_grant")
	s.login("alice", password, "client_id", "mobile", "client_secret", "").want(t, 200, "")
	s.login("alice", "wrong").want(t, 400, "invalid_grant")
	s.login("ALICE", password).want(t, 400, "invalid_grant")
	s.login("bob", password).want(t, 400, "invalid_grant")
	s.login("alice", password, "client_secret", "wrong").want(t, 400, "invalid_client")
	s.login("alice", password, "client_id", "WEB").want(t, 400, "invalid_client")
}

func TestSourcesFromACaddyfileAndFromJSON(t *testing.T) {
	tablesOf()
	s := newSite(t, sources)
	exercise(t, s)

	config, err := s.adapt(sources)
	if err != nil {
		t.Fatal(err)
	}
	for _, source := range []string{`"users":[{"source":"table","table":"users"}]`, `"clients":[{"source":"table","table":"clients"}]`} {
		if !strings.Contains(string(config), source) {
			t.Fatalf("the config lacks %s: %s", source, config)
		}
	}
	var tree any
	if err := json.Unmarshal(config, &tree); err != nil {
		t.Fatal(err)
	}
	written, err := json.MarshalIndent(tree, "", "  ") // as an operator has it
	if err != nil {
		t.Fatal(err)
	}
	s.load(written)
	exercise(t, s)
}

func TestALineOfAnUnknownSourceSaysWhatThereIs(t *testing.T) {
	s := &site{t: t, dir: t.TempDir(), port: 1}
	for lines, want := range map[string]string{
		"users tabel users\n clients table clients":              `or "users bind", or "users table"`,
		"users table\n clients table clients":                    "wrong argument count",
		"users table users {\n more\n }\n clients table clients": "unrecognized subdirective more",
		"users table users\n clients bind clients":               `or "clients table"`,
		"users inline\n clients table clients":                   `"users json <path>", or "users bind"`,
	} {
		if _, err := s.adapt(lines); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v; want %q", lines, err, want)
		}
	}
	tables.Delete("none")
	config, err := s.adapt("users table none\n clients table clients")
	if err != nil {
		t.Fatal(err)
	}
	if err := caddy.Validate(mustConfig(t, config)); err == nil || !strings.Contains(err.Error(), errNoTable.Error()) {
		t.Errorf("a source that refuses its config: %v", err)
	}
}

func mustConfig(t *testing.T, config []byte) *caddy.Config {
	t.Helper()
	c := new(caddy.Config)
	if err := json.Unmarshal(config, c); err != nil {
		t.Fatal(err)
	}
	return c
}

// What a file could not hold is answered with 503, and never reaches a token.
func TestRowsThatAFileCouldNotHoldAreUnavailable(t *testing.T) {
	users, clients := tablesOf()
	s := newSite(t, sources)
	refresh := s.login("alice", password).want(t, 200, "").text("refresh_token")
	for what, row := range map[string]directory.User{
		"control":       {Username: "al\x01ice", ID: "1", PasswordHash: hash},
		"sub":           {Username: "alice", ID: "1", PasswordHash: hash, Claims: map[string]json.RawMessage{"sub": json.RawMessage(`"2"`)}},
		"bcrypt":        {Username: "alice", ID: "1", PasswordHash: "$2a$31" + hash[6:]},
		"password_hash": {Username: "alice", ID: "1"},
	} {
		users.SetUsers(row)
		s.login(row.Username, password).want(t, 503, "temporarily_unavailable")
		s.refresh(refresh).want(t, 503, "temporarily_unavailable")
		eventually(t, "the log names the source and says why: "+what, func() bool {
			return len(s.logged(`"level":"error"`, `"reason":"source_unavailable"`, "grant.users.table", what)) > 0
		})
	}
	users.SetUsers(directory.User{Username: "alice", ID: "1", PasswordHash: hash})
	clients.SetClients(directory.Client{ID: "web"})
	s.login("alice", password).want(t, 503, "temporarily_unavailable")
	eventually(t, "the log names the source of clients", func() bool {
		return len(s.logged(`"level":"error"`, "grant.clients.table", "no secret")) > 0
	})
	if lines := s.logged(hash[:20]); len(lines) > 0 {
		t.Errorf("a hash is in the log: %s", lines)
	}
	clients.SetClients(directory.Client{ID: "web", Secret: "s3cret"})
	s.refresh(refresh).want(t, 200, "") // it was not spent
}

func TestAUserIsCutOff(t *testing.T) {
	alice := directory.User{Username: "alice", ID: "1", PasswordHash: hash}
	disabled, rehashed := alice, alice
	disabled.Disabled, rehashed.PasswordHash = true, otherHash
	for what, change := range map[string]func(users, clients *Table){
		"gone":         func(users, _ *Table) { users.SetUsers() },
		"disabled":     func(users, _ *Table) { users.SetUsers(disabled) },
		"new password": func(users, _ *Table) { users.SetUsers(rehashed) },
		"no client":    func(_, clients *Table) { clients.SetClients() },
	} {
		t.Run(what, func(t *testing.T) {
			users, clients := tablesOf()
			s := newSite(t, sources)
			issued := s.login("alice", password).want(t, 200, "")
			access, refresh := issued.text("access_token"), issued.text("refresh_token")
			if a := s.app(access); a.status != 200 {
				t.Fatal(a.status)
			}
			change(users, clients)
			changed := time.Now()
			if what == "no client" { // at once
				s.refresh(refresh).want(t, 400, "invalid_client")
			} else {
				s.refresh(refresh).want(t, 400, "invalid_grant")
				if a := s.introspect(access); a.json["active"] != false {
					t.Errorf("introspection: %s", a.body)
				}
			}
			for since := time.Since(changed); s.app(access).status == 200; since = time.Since(changed) {
				if since > 1500*time.Millisecond {
					t.Fatalf("the token is good %v after the change", since)
				}
				time.Sleep(10 * time.Millisecond)
			}
			if a := s.app(access); a.status != 401 {
				t.Errorf("%d", a.status)
			}
		})
	}
}

const otherHash = "$2a$04$qgxHIUzuiP.yppgJjmVMNeTLLTr9tRLXmlP6fZUC1j.FjrR9QsSEa"

// A source that is down or hangs costs those whom it may own, for as long as that
// lasts.
func TestASourceThatIsDown(t *testing.T) {
	users, clients := tablesOf()
	s := newSite(t, "user early "+hash+"\n\t\tclient own {\n\t\t\tpublic\n\t\t}\n\t\t"+sources)
	issued := s.login("alice", password).want(t, 200, "")
	access, refresh := issued.text("access_token"), issued.text("refresh_token")
	early := s.login("early", password, "client_id", "own", "client_secret", "").want(t, 200, "").text("access_token")
	if a := s.app(access); a.status != 200 {
		t.Fatal(a.status)
	}

	users.SetFault(down)
	s.login("alice", password).want(t, 503, "temporarily_unavailable")
	s.login("unknown", password).want(t, 503, "temporarily_unavailable")
	s.refresh(refresh).want(t, 503, "temporarily_unavailable")
	s.introspect(access).want(t, 503, "temporarily_unavailable")
	s.login("early", password).want(t, 200, "")
	if a := s.app(access); a.status != 200 {
		t.Errorf("what was said a moment ago does not count: %d", a.status)
	}
	time.Sleep(1100 * time.Millisecond)
	if a := s.app(access); a.status != 503 {
		t.Errorf("what was said long ago counts: %d", a.status)
	}
	if a := s.app(early); a.status != 200 {
		t.Errorf("a user of an earlier source is refused: %d", a.status)
	}
	clients.SetFault(down)
	s.login("early", password).want(t, 503, "temporarily_unavailable")
	s.login("early", password, "client_id", "own", "client_secret", "").want(t, 200, "")
	for _, endpoint := range []string{`"endpoint":"token"`, `"endpoint":"introspect"`} {
		if len(s.logged(`"level":"error"`, endpoint, `"reason":"source_unavailable"`, "grant.users.table: "+errDown.Error())) == 0 {
			t.Errorf("no error names the source: %s", endpoint)
		}
	}
	if n := len(s.logged(`"level":"error"`, "a source cannot tell", "grant.users.table: "+errDown.Error())); n != 1 {
		t.Errorf("%d errors name the source for requests with tokens", n)
	}
	users.SetFault(nil)
	clients.SetFault(nil)
	s.refresh(refresh).want(t, 200, "")
	eventually(t, "tokens are good again", func() bool { return s.app(access).status == 200 })

	over := make(chan struct{})
	users.SetFault(func(context.Context) error { <-over; return errDown }) // it ignores its context
	var group sync.WaitGroup
	for range 120 {
		group.Go(func() { s.login("alice", password).want(t, 503, "temporarily_unavailable") })
	}
	group.Wait()
	begun := time.Now()
	s.login("alice", password).want(t, 503, "temporarily_unavailable") // at once: there are enough that hang
	if took := time.Since(begun); took > 2*time.Second {
		t.Errorf("it took %v", took)
	}
	if a := s.app(early); a.status != 200 {
		t.Errorf("a user of an earlier source is refused: %d", a.status)
	}
	close(over)
	users.SetFault(nil)
	eventually(t, "logins are served again", func() bool { return s.login("alice", password).status == 200 })
}

// Who may not try a password cannot have a database asked either.
func TestAnAttemptIsCountedBeforeTheSourceIsAsked(t *testing.T) {
	users, clients := tablesOf()
	s := newSite(t, sources)
	refused := 0
	for range 12 {
		before := users.Asked()
		if a := s.login("bob", "wrong"+time.Now().String(), "client_id", "mobile", "client_secret", ""); a.status == http.StatusTooManyRequests {
			refused++
			if users.Asked() != before {
				t.Error("the users are asked though the attempt is refused")
			}
		}
	}
	if refused == 0 {
		t.Error("no attempt was refused")
	}
	refused = 0
	for range 40 {
		before := clients.Asked()
		if a := s.login("alice", password, "client_id", "nobody", "client_secret", time.Now().String()); a.status == http.StatusTooManyRequests {
			refused++
			if clients.Asked() != before {
				t.Error("the clients are asked though the attempt is refused")
			}
		}
	}
	if refused == 0 {
		t.Error("no attempt of a client was refused")
	}
}

// The same wrong password again is not another failure, with a database as with a file.
func TestAScriptWithATypoIsNotThrottled(t *testing.T) {
	tablesOf()
	s := newSite(t, sources)
	for range 20 {
		s.login("alice", "typo").want(t, 400, "invalid_grant")
	}
	s.login("alice", password).want(t, 200, "")
}

func TestASourceChecksPasswordsItself(t *testing.T) {
	users, _ := tablesOf()
	users.SetPassword("alice", "battery staple", "1")
	s := newSite(t, "users bind users\n\t\tclients table clients\n\t\tthrottle off")
	exerciseBind := func(want int64) {
		t.Helper()
		before := users.Bound()
		s.login("alice", "battery staple").want(t, 200, "")
		if bound := users.Bound() - before; bound != want {
			t.Errorf("%d passwords were checked, want %d", bound, want)
		}
	}
	exerciseBind(1)
	exerciseBind(0) // what was accepted is remembered
	before := users.Bound()
	for range 3 {
		s.login("alice", password).want(t, 400, "invalid_grant")
	}
	if bound := users.Bound() - before; bound != 3 {
		t.Errorf("of 3 wrong passwords %d were checked", bound)
	}
	before = users.Bound()
	s.login("nobody", "battery staple").want(t, 400, "invalid_grant") // does the same work
	s.login("alice", "").want(t, 400, "invalid_request")              // a bind would succeed
	if bound := users.Bound() - before; bound != 1 {
		t.Errorf("%d passwords were checked for a name that does not exist", bound)
	}

	issued := s.login("alice", "battery staple").want(t, 200, "")
	if cver, _ := claims(t, issued.text("access_token"))["cver"].(string); len(cver) != 22 {
		t.Errorf("cver %q", cver)
	}
	if a := s.app(issued.text("access_token")); a.status != 200 {
		t.Errorf("%d", a.status)
	}
	users.SetPassword("alice", "battery staple", "2") // changed, if only to the same
	s.refresh(issued.text("refresh_token")).want(t, 400, "invalid_grant")
	eventually(t, "the access token ends with the password", func() bool { return s.app(issued.text("access_token")).status == 401 })
	exerciseBind(1)
}

// A stranger can send any number of ids that no client has. They cost tokens of others
// nothing, and do not fill the log.
func TestStrangersWhoHoldAllPlaces(t *testing.T) {
	_, clients := tablesOf()
	s := newSite(t, sources)
	access := s.login("alice", password).want(t, 200, "").text("access_token")
	if a := s.app(access); a.status != 200 {
		t.Fatal(a.status)
	}
	over := make(chan struct{})
	var held atomic.Int64
	clients.SetFault(func(context.Context) error {
		if held.Add(1) <= 100 {
			<-over
		}
		return nil
	})
	var group sync.WaitGroup
	stranger := func() {
		s.post("/token", "grant_type", "password", "username", "x", "password", "x", "client_id", "nobody", "client_secret", "")
	}
	for range 100 {
		group.Go(stranger)
	}
	eventually(t, "all places are held", func() bool { return held.Load() == 100 })
	time.Sleep(1100 * time.Millisecond) // what was said of the client is too old
	if a := s.app(access); a.status != 200 {
		t.Errorf("a good token: %d", a.status)
	}
	for range 20 {
		s.post("/token", "grant_type", "password", "username", "x", "password", "x", "client_id", "nobody", "client_secret", "").want(t, 503, "temporarily_unavailable")
	}
	if lines := s.logged("request refused", "too many look-ups"); len(lines) != 1 {
		t.Errorf("%d lines", len(lines))
	}
	close(over)
	group.Wait()
}

// closedUsers cannot be opened.
type closedUsers struct{ Users }

func (closedUsers) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "grant.users.unopened", New: func() caddy.Module { return new(closedUsers) }}
}

func (*closedUsers) Open(directory.Options) error { return errors.New("no driver") }

func TestAnErrorOfOpenNamesTheSource(t *testing.T) {
	caddy.RegisterModule(closedUsers{})
	tablesOf()
	s := &site{t: t, dir: t.TempDir(), port: 1}
	config, err := s.adapt("users unopened users\n clients table clients")
	if err != nil {
		t.Fatal(err)
	}
	if err := caddy.Validate(mustConfig(t, config)); err == nil || !strings.Contains(err.Error(), "users unopened: no driver") {
		t.Errorf("got %v", err)
	}
}
