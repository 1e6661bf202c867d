package postgres_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	_ "github.com/caddyserver/caddy/v2/modules/standard"

	_ "github.com/caddygrant/caddy-grant"
	"github.com/caddygrant/caddy-grant/internal/realserver"
)

// The example does what it is for: a session lives in the database, also after a reload,
// and a token works once.
func TestTheExampleHasItsSessionsInPostgres(t *testing.T) {
	s := sharedServer(t)
	address, db := s.database(t)
	t.Setenv("SESSIONS_URL", address)
	t.Setenv("XDG_DATA_HOME", t.TempDir())
	text, err := os.ReadFile("example/Caddyfile")
	if err != nil {
		t.Fatal(err)
	}
	number := freePort(t)
	port := strconv.Itoa(number)
	options := "{\nadmin off\npersist_config off\nskip_install_trust\nstorage file_system " + t.TempDir() + "\n}\n"
	config, _, err := caddyconfig.GetAdapter("caddyfile").Adapt(
		[]byte(options+strings.NewReplacer("localhost:8080", "127.0.0.1:"+port).Replace(string(text))), map[string]any{"filename": "Caddyfile"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := caddy.Stop(); err != nil {
			t.Error(err)
		}
	})
	// a reload closes idle connections
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	post := func(form url.Values) (status int, refresh, access string) {
		t.Helper()
		form.Set("client_id", "demo")
		resp, err := client.PostForm("http://127.0.0.1:"+port+"/token", form)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, _ := io.ReadAll(resp.Body)
		var tokens struct {
			Refresh string `json:"refresh_token"`
			Access  string `json:"access_token"`
		}
		_ = json.Unmarshal(body, &tokens)
		if resp.StatusCode != http.StatusOK {
			t.Logf("%s", body)
		}
		return resp.StatusCode, tokens.Refresh, tokens.Access
	}
	load := func() error {
		defer realserver.WaitForOldListeners(number)
		return caddy.Load(config, true)
	}
	refreshed := func(token string) (int, string) {
		status, next, _ := post(url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token}})
		return status, next
	}
	if err := load(); err != nil {
		t.Fatal(err)
	}
	status, token, _ := post(url.Values{"grant_type": {"password"}, "username": {"demo"}, "password": {"demo-password"}})
	if status != http.StatusOK {
		t.Fatalf("a login: %d", status)
	}
	first := token
	for range 3 {
		if status, token = refreshed(token); status != http.StatusOK {
			t.Fatalf("a refresh: %d", status)
		}
		if err := load(); err != nil {
			t.Fatal(err)
		}
	}
	if n := value[int](t, db, `SELECT generation FROM grants.caddy_grant_sessions`); n != 3 {
		t.Errorf("generation %d", n)
	}
	if status, _ = refreshed(first); status != http.StatusBadRequest {
		t.Errorf("a token that is spent: %d", status)
	}
	if status, _ = refreshed(token); status != http.StatusBadRequest {
		t.Errorf("the newest token, after a spent one was used: %d", status)
	}
	if n := value[int](t, db, `SELECT count(*) FROM grants.caddy_grant_revocations`); n != 1 {
		t.Errorf("%d revocations", n)
	}

	// A table that is lost: what the error says makes new ones.
	login := url.Values{"grant_type": {"password"}, "username": {"demo"}, "password": {"demo-password"}}
	if status, token, _ = post(login); status != http.StatusOK {
		t.Fatalf("a login: %d", status)
	}
	run(t, db, `DROP TABLE grants.caddy_grant_sessions`)
	if status, _ = refreshed(token); status != http.StatusServiceUnavailable {
		t.Errorf("a refresh without the table: %d", status)
	}
	remedy := "DROP TABLE IF EXISTS caddy_grant_migrations, caddy_grant_epochs, caddy_grant_sessions, caddy_grant_revocations"
	if err := load(); err == nil || !strings.Contains(err.Error(), remedy) {
		t.Errorf("a reload without the table: %v", err)
	}
	run(t, db, strings.ReplaceAll(remedy, "caddy_grant_", "grants.caddy_grant_"))
	if err := load(); err != nil {
		t.Fatal(err)
	}
	if status, _ = refreshed(token); status != http.StatusBadRequest {
		t.Errorf("a token of before: %d", status)
	}
	if status, token, _ = post(login); status != http.StatusOK {
		t.Fatalf("a login: %d", status)
	}
	if status, _ = refreshed(token); status != http.StatusOK {
		t.Errorf("a refresh with new tables: %d", status)
	}
}
