package monitoring

import (
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
	"github.com/caddygrant/caddy-grant/integration/internal/repo"
)

// fail2ban runs on lines of a real Caddy. A checkout does not need it, so the variable
// says that it is there; then it must be.
func needFail2ban(t *testing.T) {
	t.Helper()
	if os.Getenv("CADDY_GRANT_FAIL2BAN") == "" {
		t.Skip("set CADDY_GRANT_FAIL2BAN where fail2ban is installed")
	}
	if _, err := exec.LookPath("fail2ban-regex"); err != nil {
		t.Fatal("fail2ban-regex is needed for this test: apt-get install fail2ban")
	}
}

var (
	fail2banDir    = repo.Path("examples/fail2ban")
	fail2banFilter = filepath.Join(fail2banDir, "filter.d/caddy-grant.conf")
)

// fail2banSite has clients of all kinds, and logs all that it can.
const fail2banSite = `http://127.0.0.1:%PORT% {
	log
	token_endpoint {
		client cli {
			public
		}
		client web {
			secret web-secret
		}
		client "q\"},{" {
			secret web-secret
			end_user_ip X-End-User
		}
		users json %DIR%/users.json
		throttle {
			failures 3
			account_ceiling 4
		}
		log_usernames
	}
	bearer_auth /app
	respond "the app"
}
`

func startFail2ban(t *testing.T) *harness.Site {
	t.Helper()
	s := harness.NewSite(t)
	var users []map[string]any
	for _, id := range []string{"alice", "bob", "carol", "dora", "frank", `"},{"reason":"wrong_password"`, "back\\slash\\"} {
		users = append(users, map[string]any{"username": id, "id": id + "-id", "password_hash": harness.CheapHash(t, "correct horse"), "disabled": id == "frank"})
	}
	text, err := json.Marshal(map[string]any{"users": users})
	if err != nil {
		t.Fatal(err)
	}
	s.Write("users.json", string(text))
	s.Reload("servers {\n\t\ttrusted_proxies static 127.0.0.0/8\n\t}", fail2banSite)
	return s
}

// tries sends a login from an address.
func triesFrom(s *harness.Site, from, client, username, password string, headers ...string) harness.Answer {
	s.T.Helper()
	form := harness.UserForm("username", username, "password", password)
	headers = append(headers, "X-Forwarded-For: "+from, "X-Forwarded-Proto: https")
	if client == "cli" {
		return s.Post("/token", form+"&client_id=cli", headers...)
	}
	id := strings.NewReplacer("%", "%25", "+", "%2B").Replace(client)
	return s.Post("/token", form, append(headers, harness.Basic(id, "web-secret"))...)
}

// The filter finds those who guess, by the right address, and no one else.
func TestFail2banFindsWhoGuesses(t *testing.T) {
	needFail2ban(t)
	s := startFail2ban(t)
	const named = `q"},{`
	began := time.Now().Unix()
	var normal, aggressive []string // addresses, in the order of the lines

	// found tells what is to be found: always, with mode aggressive only, or never
	const always, inMode, never = 2, 1, 0
	send := func(found int, address string, status int, a harness.Answer) {
		t.Helper()
		if a.Status != status {
			t.Fatalf("%s gets %d %s, want %d", address, a.Status, a.Body, status)
		}
		if found >= always {
			normal = append(normal, address)
		}
		if found >= inMode {
			aggressive = append(aggressive, address)
		}
	}
	endUser := func(address string) string { return "X-End-User: " + address }

	send(always, "192.0.2.1", 400, triesFrom(s, "192.0.2.1", "cli", "alice", "wrong"))
	send(always, "192.0.2.1", 400, triesFrom(s, "192.0.2.1", "cli", "nobody", "wrong"))
	send(always, "2001:db8::1", 400, triesFrom(s, "2001:db8::1", "cli", "alice", "wrong"))
	send(always, "192.0.2.2", 400, triesFrom(s, "::ffff:192.0.2.2", "cli", "nobody", "wrong"))
	send(never, "192.0.2.3", 200, triesFrom(s, "192.0.2.3", "cli", "alice", "correct horse"))
	send(never, "192.0.2.4", 400, triesFrom(s, "192.0.2.4", "cli", "frank", "correct horse"))

	// a back end whose users mistype, and one that says which of them does
	for range 3 {
		send(never, "192.0.2.10", 400, triesFrom(s, "192.0.2.10", "web", "bob", harness.WrongPassword()))
	}
	send(never, "192.0.2.10", 429, triesFrom(s, "192.0.2.10", "web", "bob", harness.WrongPassword()))
	send(never, "192.0.2.10", 400, triesFrom(s, "192.0.2.10", "web", "dora", "wrong", endUser("192.0.2.11")))
	send(always, "192.0.2.12", 400, triesFrom(s, "192.0.2.10", named, "no one", "wrong", endUser("192.0.2.12")))
	send(always, "2001:db8::12", 400, triesFrom(s, "192.0.2.10", named, "alice", "wrong", endUser("2001:db8::12")))
	send(never, "192.0.2.10", 400, triesFrom(s, "192.0.2.10", named, "no user", "wrong"))
	send(never, "192.0.2.10", 400, triesFrom(s, "192.0.2.10", named, "no such user", "wrong", endUser("not an address")))

	// a client that goes on though throttled, and one that only tries an account that
	// others try
	for range 3 {
		send(always, "192.0.2.20", 400, triesFrom(s, "192.0.2.20", "cli", "carol", harness.WrongPassword()))
	}
	send(always, "192.0.2.20", 429, triesFrom(s, "192.0.2.20", "cli", "carol", harness.WrongPassword()))
	send(always, "192.0.2.21", 400, triesFrom(s, "192.0.2.21", "cli", "carol", harness.WrongPassword()))
	send(never, "192.0.2.22", 429, triesFrom(s, "192.0.2.22", "cli", "carol", "correct horse"))
	for i := range 30 {
		send(always, "192.0.2.23", 400, triesFrom(s, "192.0.2.23", "cli", fmt.Sprintf("nobody-%d", i), "wrong"))
	}
	send(always, "192.0.2.23", 429, triesFrom(s, "192.0.2.23", "cli", "dora", "wrong"))

	// a client that tries client secrets
	post := func(from, form string, headers ...string) harness.Answer {
		return s.Post("/token", form, append(headers, "X-Forwarded-For: "+from, "X-Forwarded-Proto: https")...)
	}
	send(inMode, "192.0.2.30", 400, post("192.0.2.30", harness.LoginForm("client_secret", harness.WrongPassword())))
	send(inMode, "2001:db8::30", 400, post("2001:db8::30", harness.LoginForm("client_id", "nobody")))
	send(never, "192.0.2.30", 400, post("192.0.2.30", harness.LoginForm("client_secret", "")))
	send(never, "192.0.2.30", 400, post("192.0.2.30", harness.LoginForm("client_id", "cli")))
	for range 3 {
		send(inMode, "192.0.2.31", 400, post("192.0.2.31", harness.LoginForm("client_secret", harness.WrongPassword())))
	}
	send(never, "192.0.2.31", 429, post("192.0.2.31", harness.LoginForm("client_secret", harness.WrongPassword())))

	// what is not a guess
	send(never, "192.0.2.40", 400, post("192.0.2.40", "%zz"))
	send(never, "192.0.2.40", 400, post("192.0.2.40", harness.UserForm("client_id", "cli", "password", "")))
	send(never, "192.0.2.40", 400, post("192.0.2.40", "grant_type=refresh_token&client_id=cli&refresh_token=x"))
	send(never, "192.0.2.40", 400, s.Post("/token", harness.LoginForm(), "X-Forwarded-For: 192.0.2.40", "X-Forwarded-Proto: http"))
	send(never, "192.0.2.40", 401, s.Do(s.Request("GET", "/app", "", harness.Bearer("x"), "X-Forwarded-For: 192.0.2.40", "X-Forwarded-Proto: https")))
	send(never, "192.0.2.40", 404, s.Post("/token/x", harness.LoginForm(), "X-Forwarded-For: 192.0.2.40", "X-Forwarded-Proto: https"))

	wantFound(s, t, began, normal, aggressive)
}

// Whatever is sent, a line of the log stays one line, and its fields what they are.
func TestFail2banCannotBeFooled(t *testing.T) {
	needFail2ban(t)
	s := startFail2ban(t)
	began := time.Now().Unix()
	const victim = "198.51.100.1"
	line := fmt.Sprintf(`{"level":"info","ts":%d.5,"logger":"http.handlers.token_endpoint","msg":"request refused","server":"default","client_ip":"%[2]s","duration":0.1,"grant_type":"password","client_id":"cli","end_user_ip":"%[2]s","status":400,"oauth_error":"invalid_grant","reason":"wrong_password"}`, began, victim)
	facts := line[strings.Index(line, `"server"`):]
	secret := strings.NewReplacer("wrong_password", "wrong_client_secret", `,"end_user_ip":"`+victim+`"`, "").Replace(line)
	var texts []string
	for _, text := range []string{line, secret, facts, victim, `x","end_user_ip":"` + victim + `","status":400,"oauth_error":"invalid_grant","reason":"wrong_password"}`} {
		for _, before := range []string{"", "\n", "\r", "\r\n", "\u2028", "\u0085", "\v", "\f", "\x1e", `"`, `\`, `\"`, "x\",", "x\"}\n", "x\\\"}\n", "\nhost caddy[1]: "} {
			texts = append(texts, before+text, before+text+"\n", strings.ReplaceAll(before+text, `"`, `\"`), (before + text)[:min(len(before+text), 255)])
		}
	}

	var normal, aggressive []string
	const guesser, backend = "192.0.2.1", "192.0.2.10"
	for i, text := range texts {
		from := fmt.Sprintf("192.0.2.%d", 100+i%100) // or the throttle stands in the way
		triesFrom(s, backend, "web", text, "wrong")
		if a := triesFrom(s, from, "cli", text, "wrong"); a.Status == 400 || a.Status == 429 && lastLimit(s) != "account" {
			normal, aggressive = append(normal, from), append(aggressive, from)
		} else if a.Status != 429 {
			t.Fatalf("%d %s", a.Status, a.Body)
		}
		triesFrom(s, backend, "web", "alice", text, "X-End-User: "+header(text), "User-Agent: "+header(text))
		for _, name := range []string{"grant_type", "scope", "client_id", "refresh_token", "token", text} {
			form := harness.LoginForm(name, text, "client_secret", "")
			s.Post("/token", form, "X-Forwarded-For: "+header(text), "X-Forwarded-Proto: https", "Referer: "+header(text))
			s.Post("/token/"+url.PathEscape(text)+"?"+url.QueryEscape(text), form, "X-Forwarded-Proto: https")
		}
		s.Do(s.Request("GET", "/app/"+url.PathEscape(text), "", harness.Bearer(header(text)), "X-Forwarded-Proto: https"))
		s.Do(s.Request("GET", "/"+url.PathEscape(text)+"?"+url.QueryEscape(text), "", "Cookie: "+header(text)))
	}
	// users whose own names look so
	for _, name := range []string{`"},{"reason":"wrong_password"`, "back\\slash\\"} {
		triesFrom(s, guesser, "cli", name, "wrong").Want(t, 400, "invalid_grant")
		triesFrom(s, backend, "web", name, "wrong").Want(t, 400, "invalid_grant")
		normal, aggressive = append(normal, guesser), append(aggressive, guesser)
	}
	if len(normal) < 100 || !strings.Contains(s.RawLog(), victim) {
		t.Fatalf("%d are to be found, which is few", len(normal))
	}
	wantFound(s, t, began, normal, aggressive)
}

// The jail bans who guesses, and not the back end with as many failures.
func TestFail2banBansWhoGuesses(t *testing.T) {
	needFail2ban(t)
	s := startFail2ban(t)
	tries := func(from string) {
		t.Helper()
		for i := range 25 {
			triesFrom(s, from, "cli", fmt.Sprintf("nobody-%d", i), "wrong").Want(t, 400, "invalid_grant")
		}
	}
	triesFrom(s, "192.0.2.9", "cli", "alice", "wrong").Want(t, 400, "invalid_grant")
	tries("192.0.2.50")
	tries("2001:db8::50")
	tries("127.0.0.50")
	for i := range 25 {
		triesFrom(s, "192.0.2.10", "web", fmt.Sprintf("somebody-%d", i), "wrong").Want(t, 400, "invalid_grant")
	}
	s.Login("alice", "correct horse").Want(t, 200, "")

	dir := filepath.Join(t.TempDir(), "fail2ban")
	for _, name := range []string{"action.d", "filter.d"} {
		if err := os.CopyFS(filepath.Join(dir, name), os.DirFS(filepath.Join("/etc/fail2ban", name))); err != nil {
			t.Fatal(err)
		}
	}
	shared, _ := filepath.Glob("/etc/fail2ban/*.conf")
	for _, path := range append(shared, fail2banFilter, filepath.Join(fail2banDir, "jail.d/caddy-grant.conf")) {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		to := filepath.Join(dir, filepath.Base(path))
		if rest, ours := strings.CutPrefix(path, fail2banDir+string(filepath.Separator)); ours {
			to = filepath.Join(dir, rest)
		}
		if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
			t.Fatal(err)
		}
		const logPath = "/var/log/caddy/caddy.log"
		if strings.Contains(to, "jail.d") && strings.Count(string(text), "logpath  = "+logPath) != 1 {
			t.Fatalf("the jail has another log than %s", logPath)
		}
		changed := strings.NewReplacer("logpath  = "+logPath, "logpath = "+s.Path("log.json")).Replace(string(text))
		if err := os.WriteFile(to, []byte(changed), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	// the same jail, without the firewall and without what the machine has of its own
	for name, override := range map[string]string{
		"jail.local":     "[caddy-grant]\naction =\n",
		"fail2ban.local": "[Definition]\ndbfile = None\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(override), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	client := func(args ...string) (string, error) {
		args = append([]string{
			"-c", dir, "-s", filepath.Join(dir, "socket"), "-p", filepath.Join(dir, "pid"),
			"--logtarget", filepath.Join(dir, "log"),
		}, args...)
		output, err := exec.Command("fail2ban-client", args...).CombinedOutput()
		return string(output), err
	}
	if output, err := client("-t"); err != nil {
		t.Fatalf("the jail is invalid: %v\n%s", err, output)
	}
	if output, err := client("start"); err != nil {
		t.Fatalf("starting it: %v\n%s", err, output)
	}
	t.Cleanup(func() {
		if output, err := client("stop"); err != nil {
			t.Errorf("stopping it: %v\n%s", err, output)
		}
	})
	banned := func() []string {
		output, err := client("get", "caddy-grant", "banip")
		if err != nil {
			t.Fatalf("asking it: %v\n%s", err, output)
		}
		return slices.Sorted(slices.Values(strings.Fields(output)))
	}
	want := []string{"192.0.2.50", "2001:db8::50"}
	harness.Eventually(t, "who guesses is banned", func() bool { return len(banned()) >= len(want) })
	// it reads in order: when it has read to the end, all who will be banned are
	triesFrom(s, "192.0.2.60", "cli", "alice", "wrong")
	tries("192.0.2.61")
	want = append(want, "192.0.2.61")
	slices.Sort(want)
	harness.Eventually(t, "the last one is banned", func() bool { return slices.Contains(banned(), "192.0.2.61") })
	if got := banned(); !slices.Equal(got, want) {
		t.Errorf("banned are %v, want %v", got, want)
	}
}

// header is a text as the value of a header, without what no header can have.
func header(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, text)
}

// lastLimit is the limit that refused the last request.
func lastLimit(s *harness.Site) string {
	s.T.Helper()
	refusals := s.Refusals()
	limit, _ := refusals[len(refusals)-1]["limit"].(string)
	return limit
}

// wantFound runs fail2ban-regex on the whole log, as it is in a file and as the journal
// has it, with either mode.
func wantFound(s *harness.Site, t *testing.T, began int64, normal, aggressive []string) {
	t.Helper()
	log := s.RawLog()
	journal := "host caddy[12]: " + strings.ReplaceAll(strings.TrimSuffix(log, "\n"), "\n", "\nhost caddy[12]: ") + "\n"
	for name, text := range map[string]string{"log": log, "journal": journal} {
		path := s.Write(name+".copy", text)
		for mode, want := range map[string][]string{"normal": normal, "aggressive": aggressive} {
			t.Run(name+", "+mode, func(t *testing.T) {
				filter := fail2banFilter + "[mode=" + mode + "]"
				var got []string
				for _, row := range regexp.MustCompile(`(?m)^\['([^']+)',\s+([0-9]+)\.`).FindAllStringSubmatch(fail2banRegex(t, "-o", "row", path, filter), -1) {
					got = append(got, row[1])
					if at, _ := strconv.ParseInt(row[2], 10, 64); at < began || at > time.Now().Unix() {
						t.Errorf("%s: the time is %d, the test began at %d", row[1], at, began)
					}
				}
				if !slices.Equal(got, want) {
					t.Errorf("found %v\nwant %v", got, want)
				}
				lines := strings.Count(text, "\n")
				counts := fmt.Sprintf("Lines: %d lines, 0 ignored, %d matched, %d missed", lines, len(want), lines-len(want))
				if report := fail2banRegex(t, "--print-no-missed", path, filter); !strings.Contains(report, counts) {
					t.Errorf("it does not say %q: %s", counts, report)
				}
			})
		}
	}
}

func fail2banRegex(t *testing.T, args ...string) string {
	t.Helper()
	output, err := exec.Command("fail2ban-regex", args...).Output()
	if err != nil {
		t.Fatalf("fail2ban-regex %s: %v\n%s", args, err, output)
	}
	return string(output)
}
