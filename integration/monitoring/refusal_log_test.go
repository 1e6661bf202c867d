package monitoring

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
)

// DESIGN §8 and row C16: what the log says about a request, and what it never says.

// logSite has users and clients in every state that a refusal can meet.
const logSite = `http://127.0.0.1:%PORT% {
	log
	token_endpoint {
		client web {
			secret web-secret
			scopes read write
		}
		client cli {
			public
		}
		clients json %DIR%/clients.json
		user alice ` + harness.HashBcrypt + `
		users json %DIR%/users.json
		%SETTING%
	}
	respond "the app"
}
`

func startLog(t *testing.T, setting string) *harness.Site {
	t.Helper()
	s := harness.NewSite(t)
	hash := harness.CheapHash(t, "correct horse")
	s.Write("clients.json", fmt.Sprintf(`{"clients":[{"id":"nogrant","secret_hash":%q,"grants":[]}]}`, harness.CheapHash(t, "web-secret")))
	s.Write("users.json", fmt.Sprintf(`{"users":[
		{"username":"bob","id":"u-2","password_hash":%q,"scopes":["other"]},
		{"username":"carol","id":"u-3","password_hash":%q,"disabled":true}]}`, hash, hash))
	s.Reload("", strings.Replace(harness.WithCheapHashes(t, logSite), "%SETTING%", setting, 1))
	return s
}

func TestARefusalIsOneLogLine(t *testing.T) {
	s := startLog(t, "")
	tests := []struct {
		name   string
		form   string
		reason string
		code   string
		status float64
		client any // nil: not in the line
		user   any
		grant  any
	}{
		{"a malformed body", "%zz", "form_malformed", "invalid_request", 400, nil, nil, nil},
		{"no grant_type", harness.LoginForm("grant_type", ""), "missing_grant_type", "invalid_request", 400, nil, nil, nil},
		{"an unknown grant_type, which may be anything", harness.LoginForm("grant_type", "correct horse"), "grant_type", "unsupported_grant_type", 400, nil, nil, nil},
		{"no client", harness.UserForm(), "no_client", "invalid_client", 401, nil, nil, "password"},
		{"an unknown client", harness.LoginForm("client_id", "web-secret"), "unknown_client", "invalid_client", 400, nil, nil, "password"},
		{"a grant that is not the client's", harness.LoginForm("client_id", "nogrant"), "grant_not_allowed", "unauthorized_client", 400, "nogrant", nil, "password"},
		{"no username", harness.LoginForm("username", ""), "missing_username", "invalid_request", 400, "web", nil, "password"},
		{"no password", harness.LoginForm("password", ""), "missing_password", "invalid_request", 400, "web", nil, "password"},
		{"a malformed scope", harness.LoginForm("scope", "a\tb"), "scope_malformed", "invalid_scope", 400, "web", nil, "password"},
		{"an unknown scope", harness.LoginForm("scope", "correct"), "scope_not_allowed", "invalid_scope", 400, "web", nil, "password"},
		{"an unknown user", harness.LoginForm("username", "nobody"), "unknown_user", "invalid_grant", 400, "web", nil, "password"},
		{"a wrong password", harness.LoginForm("password", "wrong"), "wrong_password", "invalid_grant", 400, "web", "alice", "password"},
		{"a wrong password, public client", harness.LoginForm("client_id", "cli", "client_secret", "", "password", "wrong"), "wrong_password", "invalid_grant", 400, "cli", "alice", "password"},
		{"a disabled user, by id", harness.LoginForm("username", "carol"), "user_disabled", "invalid_grant", 400, "web", "u-3", "password"},
		{"a disabled user with a wrong password", harness.LoginForm("username", "carol", "password", "wrong"), "wrong_password", "invalid_grant", 400, "web", "u-3", "password"},
		{"no scope left", harness.LoginForm("username", "bob"), "scope_not_users", "invalid_scope", 400, "web", "u-2", "password"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			before := len(s.Refusals())
			s.Post("/token", test.form).Want(t, int(test.status), test.code)
			lines := s.Refusals()[before:]
			if len(lines) != 1 {
				t.Fatalf("%d lines: %v", len(lines), lines)
			}
			want := map[string]any{
				"level": "info", "logger": "http.handlers.token_endpoint", "server": "default", "client_ip": "127.0.0.1",
				"reason": test.reason, "oauth_error": test.code, "status": test.status,
				"client_id": test.client, "user_id": test.user, "grant_type": test.grant, "username": nil,
			}
			for field, value := range want {
				if lines[0][field] != value {
					t.Errorf("%s is %v, want %v", field, lines[0][field], value)
				}
			}
		})
	}
}

func TestASuccessIsLoggedAtDebug(t *testing.T) {
	s := startLog(t, "")
	a := s.Login("alice", "correct horse")
	lines := s.Logged(func(line map[string]any) bool {
		return line["logger"] == "http.handlers.token_endpoint" && line["client_ip"] != nil
	})
	if len(lines) != 1 {
		t.Fatalf("%d lines: %v", len(lines), lines)
	}
	claims := harness.Payload(t, a.Text(t, "access_token"))
	for field, value := range map[string]any{
		"level": "debug", "msg": "token issued", "client_id": "web", "user_id": "alice", "grant_type": "password",
		"client_ip": "127.0.0.1", "scope": "read write", "token_id": claims["jti"], "session_id": claims["sid"],
	} {
		if lines[0][field] != value {
			t.Errorf("%s is %v, want %v", field, lines[0][field], value)
		}
	}
	if _, ok := lines[0]["duration"].(float64); !ok {
		t.Errorf("duration is %v", lines[0]["duration"])
	}
}

// Caddy's access log names the user, the grant and the error.
func TestTheAccessLogSaysWhoLoggedIn(t *testing.T) {
	s := startLog(t, "")
	tests := []struct {
		name               string
		send               func() harness.Answer
		user, grant, error any
	}{
		{"a login", func() harness.Answer { return s.Login("alice", "correct horse") }, "alice", "password", nil},
		{"a wrong password", func() harness.Answer { return s.Login("alice", "wrong") }, "", "password", "invalid_grant"},
		{"a wrong password of a user with an id", func() harness.Answer { return s.Login("carol", "wrong") }, "", "password", "invalid_grant"},
		{"an unknown grant", func() harness.Answer { return s.Login("alice", "x", "grant_type", "y") }, "", nil, "unsupported_grant_type"},
		{"a wrong method", func() harness.Answer { return s.Do(s.Request("GET", "/token", "")) }, "", nil, "invalid_request"},
		{"the keys", func() harness.Answer { return s.Do(s.Request("GET", "/token/jwks", "")) }, "", nil, nil},
		{"the app", func() harness.Answer { return s.Do(s.Request("GET", "/", "")) }, "", nil, nil},
	}
	for i, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			test.send()
			var lines []map[string]any
			harness.Eventually(t, "the access log has the request", func() bool {
				lines = s.Logged(func(line map[string]any) bool { return line["msg"] == "handled request" })
				return len(lines) > i
			})
			for field, value := range map[string]any{"user_id": test.user, "grant_type": test.grant, "oauth_error": test.error} {
				if lines[i][field] != value {
					t.Errorf("%s is %v, want %v", field, lines[i][field], value)
				}
			}
		})
	}
}

// People mistype: a password where the username belongs, a secret as an id, everything
// in one field. None of it may be found in the log, at any level.
func TestNoMistakePutsASecretIntoTheLog(t *testing.T) {
	s := startLog(t, "")
	// at debug Caddy writes the config it was given, for which there are placeholders:
	// what counts is what requests add
	config := len(s.RawLog())
	const secret = "hunter2-in-clear"
	encoded := base64.StdEncoding.EncodeToString([]byte(secret))

	var answers []harness.Answer
	post := func(form string, headers ...string) { answers = append(answers, s.Post("/token", form, headers...)) }
	for _, parameter := range []string{"grant_type", "username", "password", "client_id", "client_secret", "scope", "refresh_token", secret} {
		post(harness.LoginForm(parameter, secret))
		post(harness.LoginForm(parameter, secret, "client_id", "cli", "client_secret", ""))
		post(harness.LoginForm(parameter, secret) + "&x=%zz")
		post(harness.LoginForm(parameter, secret) + "&password=" + secret)
		post(harness.LoginForm(parameter, secret), harness.Basic("web", secret))
		post(harness.LoginForm(parameter, secret), "Content-Type: application/json")
		post(harness.LoginForm(parameter, secret), "X-Forwarded-Proto: http")
		answers = append(answers, s.Do(s.Request("PUT", "/token", harness.LoginForm(parameter, secret))))
	}
	for _, header := range []string{
		harness.Basic(secret, "x"), harness.Basic("web", secret), harness.Basic(secret, secret), "Authorization: Basic " + secret,
		"Authorization: " + secret, "Authorization: Bearer " + secret, "Authorization: Basic " + encoded,
	} {
		post(harness.UserForm(), header)
		post(harness.UserForm("username", "alice", "password", secret), header)
	}
	post(harness.LoginForm("username", "carol", "password", "correct horse"))
	post(harness.LoginForm("x", strings.Repeat(secret, 5000)))
	success := s.Login("alice", "correct horse")
	success.Want(t, 200, "")
	harness.Eventually(t, "the access log has all requests", func() bool {
		return len(s.Logged(func(line map[string]any) bool { return line["msg"] == "handled request" })) == len(answers)+1
	})

	log := s.RawLog()[config:]
	token := success.Text(t, "access_token")
	for name, text := range map[string]string{
		"a password or secret that was typed": secret,
		"the same in base64":                  strings.TrimRight(encoded, "="),
		"its beginning":                       secret[:8],
		"the user's password":                 "correct horse",
		"the user's password, encoded":        "correct+horse",
		"the client's secret":                 "web-secret",
		"a token":                             token,
		"a token's claims":                    strings.Split(token, ".")[1],
		"a token's signature":                 strings.Split(token, ".")[2],
		"a hash":                              "$2a$",
		"the name of a user who has an id":    "carol",
	} {
		if strings.Contains(log, text) {
			t.Errorf("C16: %s is in the log", name)
		}
	}
	for _, a := range answers {
		if strings.Contains(string(a.Body), secret[:8]) {
			t.Errorf("C16: an answer repeats it: %s", a.Body)
		}
	}
}

func TestLogUsernames(t *testing.T) {
	names := []string{"nobody", "alice", "two\nlines", "\x1b[31mred", "quote\"d", strings.Repeat("n", 300), "na\u00efve", "back\\slash"}

	t.Run("without it only known users are named", func(t *testing.T) {
		s := startLog(t, "")
		for _, name := range names {
			s.Login(name, "wrong")
		}
		for _, line := range s.Refusals() {
			if _, has := line["username"]; has {
				t.Errorf("logged: %v", line)
			}
		}
		if strings.Contains(s.RawLog(), "nobody") {
			t.Error("an unknown username is in the log")
		}
	})
	t.Run("with it the name is there, and cannot forge a line or color the terminal", func(t *testing.T) {
		s := startLog(t, "log_usernames")
		for _, name := range names {
			s.Login(name, "wrong").Want(t, 400, "invalid_grant")
		}
		var logged []string
		for _, line := range s.Refusals() { // fails on a line that is not JSON
			name, _ := line["username"].(string)
			logged = append(logged, name)
		}
		want := slices.Clone(names)
		want[5] = names[5][:255] // as long as a username may be
		if !slices.Equal(logged, want) {
			t.Errorf("C15: logged %q, want %q", logged, want)
		}
		if strings.ContainsAny(s.RawLog(), "\x1b\r") {
			t.Error("C15: control characters are in the log")
		}
	})
	t.Run("with it a password in the wrong field is not the password", func(t *testing.T) {
		s := startLog(t, "log_usernames")
		s.Login("alice", "hunter2-in-clear")
		if strings.Contains(s.RawLog(), "hunter2") {
			t.Error("the password is in the log")
		}
	})
	t.Run("in the console format neither", func(t *testing.T) {
		s := harness.NewSite(t)
		hash := harness.CheapHash(t, "correct horse")
		config := `{
	admin off
	persist_config off
	storage file_system "%DIR%/storage"
	log default {
		output file "%DIR%/log.json" {
			mode 0644
		}
		format console
	}
}
http://127.0.0.1:%PORT% {
	token_endpoint {
		client web {
			secret web-secret
		}
		user alice ` + hash + `
		log_usernames
	}
}
`
		load(s, config)
		s.Login("x\nforged line\x1b[31m\r", "wrong").Want(t, 400, "invalid_grant")
		for line := range strings.Lines(s.RawLog()) {
			if strings.HasPrefix(line, "forged") {
				t.Errorf("C15: a forged line: %q", line)
			}
			// the level's own color is another one
			if strings.Contains(line, "\x1b[31m") || strings.Contains(line, "\r") {
				t.Errorf("C15: control characters: %q", line)
			}
		}
		if !strings.Contains(s.RawLog(), `\nforged line`) {
			t.Error("the username is not in the log at all")
		}
	})
}

// A client that exists and fails to authenticate is named in the log, as a user is who
// exists and fails: an operator has to find out whose secret is wrong.
func TestARefusedClientThatExistsIsInTheLog(t *testing.T) {
	s := startLog(t, "")
	for name, form := range map[string]string{
		"a wrong secret":                harness.LoginForm("client_secret", "wrong"),
		"no secret":                     harness.LoginForm("client_secret", ""),
		"a public client with a secret": harness.LoginForm("client_id", "cli"),
	} {
		t.Run(name, func(t *testing.T) {
			s.Post("/token", form).Want(t, 400, "invalid_client")
			lines := s.Refusals()
			if id := lines[len(lines)-1]["client_id"]; id == nil {
				t.Errorf("client_id is not there: %v", lines[len(lines)-1])
			}
		})
	}
}

// DESIGN §8 lists duration among the facts of a line.
func TestARefusalSaysHowLongItTook(t *testing.T) {
	s := startLog(t, "")
	s.Login("alice", "wrong")
	if _, ok := s.Refusals()[0]["duration"].(float64); !ok {
		t.Errorf("no duration: %v", s.Refusals()[0])
	}
}

// load runs a whole Caddyfile, for tests that need other global options.
func load(s *harness.Site, caddyfile string) {
	s.T.Helper()
	config, err := harness.Adapt(s.Expand(caddyfile))
	if err != nil {
		s.T.Fatalf("adapting the config: %v", err)
	}
	if err := s.Load(config); err != nil {
		s.T.Fatalf("loading the config: %v", err)
	}
}
