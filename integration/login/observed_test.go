package login

import (
	"strings"
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
)

// Metrics and log tell logins by the page apart, and hold nothing that is secret.
func TestWhatIsSeenOfLogins(t *testing.T) {
	app := harness.NewApp(t)
	s := startSite(t, "metrics", app.In(strings.Replace(lines{check: "open /metrics\n\t\tforward_token", routes: `route /vars {
		respond "{http.vars.caddy_grant.cookies} {http.vars.caddy_grant.bearer} {http.request.cookie.grant-default} {http.request.header.Cookie}"
	}`}.in(pageSite), "\tlog\n", "\tlog\n\thandle /metrics {\n\t\tmetrics\n\t}\n", 1)))
	before := s.Metrics()
	b := newTab(t, s)
	b.open("/app?private-query=1")
	b.open(page)
	b.submit(page, "username=typed-by-mistake&password=never-log-this")
	b.submit(page, "username=alice&password=never-log-this")
	b.login("alice")
	value := b.value()
	b.wantUser("alice")
	forwarded := strings.TrimPrefix(app.One(t).Header.Get("Authorization"), "Bearer ")
	if got := strings.TrimSpace(string(b.fetch("GET", "/vars").Body)); strings.Contains(got, value) {
		t.Errorf("placeholders print the cookie: %s", got)
	}
	b.fetch("POST", "/app", "Origin: https://evil.example", "Sec-Fetch-Site: cross-site")
	b.with("grant-default="+value[:50]).fetch("GET", "/app")
	b.submit(logout, "")
	s.Login("alice", "correct horse").Want(t, 200, "")
	log := s.RawLog()
	for what, secret := range map[string]string{
		"the cookie": value, "a part of it": value[10:60], "the password": "correct horse", "the password as sent": "correct+horse", "a wrong password": "never-log-this",
		"a name that was typed": "typed-by-mistake", "the token for the app": forwarded,
	} {
		if strings.Contains(log, secret) {
			t.Errorf("the log has %s", what)
		}
	}
	after := s.Metrics()
	grown := func(parts ...string) (sum float64) {
		for series, value := range after {
			all := true
			for _, part := range parts {
				all = all && strings.Contains(series, part)
			}
			if all {
				sum += value - before[series]
			}
		}
		return sum
	}
	for _, test := range []struct {
		what  string
		parts []string
		want  float64
	}{
		{"the page being shown, and logins", []string{"requests_total", `endpoint="login"`, `outcome="success"`}, 2},
		{"logins on the page", []string{"page_logins_total"}, 1},
		{"logins by the page that were refused", []string{"requests_total", `endpoint="login"`, `outcome="invalid_grant"`}, 2},
		{"logouts", []string{"requests_total", `endpoint="logout"`, `outcome="success"`}, 1},
		{"logins at the token endpoint", []string{"requests_total", `endpoint="token"`, `outcome="success"`}, 1},
		{"requests of another origin", []string{"bearer_checks_total", `outcome="cross_origin"`}, 1},
	} {
		if got := grown(test.parts...); got != test.want {
			t.Errorf("%s: %v, want %v", test.what, got, test.want)
		}
	}
	lines := s.Logged(func(line map[string]any) bool { return line["msg"] == "sent to the login page" })
	if len(lines) != 1 || lines[0]["status"] != 303.0 || strings.Contains(log, `"path":"/app?private`) {
		t.Errorf("the line of the redirect: %v", lines)
	}
	revoked := s.Logged(func(line map[string]any) bool { return line["msg"] == "session revoked" })
	if len(revoked) != 1 || revoked[0]["user_id"] != "alice" || revoked[0]["client_id"] != "login_page" || revoked[0]["session_id"] == "" {
		t.Errorf("the line of the logout: %v", revoked)
	}
}
