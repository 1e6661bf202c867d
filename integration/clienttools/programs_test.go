package clienttools

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/oauth2"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
	"github.com/caddygrant/caddy-grant/integration/internal/repo"
)

// Debian's python3 has the packages; another one in the path may not.
const python = "/usr/bin/python3"

// program runs a recipe that is a file of a program, in a directory with the secrets.
func program(t *testing.T, typing string, source string, env []string, args ...string) (string, error) {
	t.Helper()
	dir := secretsIn(t, typing)
	if err := os.WriteFile(filepath.Join(dir, args[len(args)-1]), []byte(source), 0o600); err != nil {
		t.Fatal(err)
	}
	printed, err := command(t, dir, env, args...)
	if strings.Contains(printed, typing) || strings.Contains(printed, "web-secret") {
		t.Errorf("it prints a secret:\n%s", printed)
	}
	return printed, err
}

// refused fails the test unless a program ends with an error that says so.
func refused(t *testing.T, says string, run func(wrong string) (string, error)) func(*testing.T, string) {
	return func(t *testing.T, wrong string) {
		t.Helper()
		if printed, err := run(wrong); err == nil || !strings.Contains(printed, says) {
			t.Errorf("after a wrong password: %v: %s", err, printed)
		}
	}
}

func TestRequestsLogsInAndWaits(t *testing.T) {
	need(t, python)
	s := startSite(t, soon)
	short(t, "requests-login")
	run := func(typing string) (string, error) {
		source := recipe(t, "requests-login", "https://api.example.com", origin(s), `"https://"`, `"http://"`)
		return program(t, typing, source, nil, python, "login.py")
	}
	login := func(*testing.T) string { printed, _ := run(password); return printed }
	loginWorks(t, s, login)
	waits(t, s, login)
	refusedOnce(t, s, refused(t, "wrong", run))
}

// The recipe refreshes an expired token by itself, and takes the adapter that waits.
func TestRequestsOAuthlibLogsInAndRefreshes(t *testing.T) {
	need(t, python)
	s := startSite(t, soon)
	short(t, "requests-oauthlib-login")
	insecure := []string{"OAUTHLIB_INSECURE_TRANSPORT=1"} // it is not https here
	source := recipe(t, "requests-oauthlib-login", "https://api.example.com", origin(s))
	run := func(typing string) (string, error) { return program(t, typing, source, insecure, python, "login.py") }
	loginWorks(t, s, func(*testing.T) string { printed, _ := run(password); return printed })

	const expire = `
session.token = dict(session.token, expires_at=1)
before = session.token["access_token"]
print("later", session.get("https://api.example.com/contacts").text, session.token["access_token"] != before)
`
	printed, err := program(t, password, source+strings.ReplaceAll(expire, "https://api.example.com", origin(s)), insecure, python, "login.py")
	if err != nil || !strings.Contains(printed, "later hello alice True") {
		t.Errorf("%v: %s", err, printed)
	}

	s.Login("alice", harness.WrongPassword()).Want(t, 400, "invalid_grant")
	if printed, err := run(password); err == nil || !strings.Contains(printed, "TemporarilyUnavailableError") {
		t.Errorf("told to wait: %v: %s", err, printed)
	}
	mount := "session.mount(" + strings.SplitN(strings.SplitN(recipe(t, "requests-login"), "session.mount(", 2)[1], "\nanswer", 2)[0]
	mount = "import requests.adapters\n" + strings.ReplaceAll(mount, "https://", "http://") + "\nsession.fetch_token("
	waiting := strings.Replace(source, "session.fetch_token(", mount, 1)
	waits(t, s, func(*testing.T) string {
		printed, _ := program(t, password, waiting, insecure, python, "login.py")
		return printed
	})
}

// toldToWait is what the recipes say that do not wait by themselves.
var toldToWait = regexp.MustCompile(`(Retry-After: |try again in )3[56][0-9]{2}`)

func TestAxiosLogsIn(t *testing.T) {
	need(t, "node", "npm")
	s := startSite(t, long)
	short(t, "axios-login")
	modules := filepath.Join(npm(t), "node_modules")
	run := func(typing string) (string, error) {
		dir := secretsIn(t, typing)
		if err := os.Symlink(modules, filepath.Join(dir, "node_modules")); err != nil {
			t.Fatal(err)
		}
		source := recipe(t, "axios-login", "https://api.example.com", origin(s))
		if err := os.WriteFile(filepath.Join(dir, "login.mjs"), []byte(source), 0o600); err != nil {
			t.Fatal(err)
		}
		printed, err := command(t, dir, nil, "node", "login.mjs")
		if strings.Contains(printed, typing) || strings.Contains(printed, "web-secret") {
			t.Errorf("it prints a secret:\n%s", printed)
		}
		return printed, err
	}
	loginWorks(t, s, func(*testing.T) string { printed, _ := run(password); return printed })
	refusedOnce(t, s, refused(t, "wrong", run))
	if printed, err := run(password); err == nil || !toldToWait.MatchString(printed) {
		t.Errorf("told to wait: %v: %s", err, printed)
	}
}

// goProgram is around the recipe of x/oauth2, which is a part of a function.
const goProgram = `package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"

	"golang.org/x/oauth2"
)

func read(name string) string {
	content, err := os.ReadFile(name)
	if err != nil {
		panic(err)
	}
	return string(content)
}

func login(ctx context.Context) error {
RECIPE
	if err != nil {
		return err
	}
	_, err = io.Copy(os.Stdout, response.Body)
	return err
}

func main() {
	if err := login(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
`

// This one needs Go alone, so it is never skipped.
func TestXOAuth2LogsIn(t *testing.T) {
	s := startSite(t, long)
	short(t, "x-oauth2-login")
	build := func(source string) string {
		dir := t.TempDir()
		file, binary := filepath.Join(dir, "main.go"), filepath.Join(dir, "login")
		if err := os.WriteFile(file, []byte(strings.Replace(goProgram, "RECIPE", source, 1)), 0o600); err != nil {
			t.Fatal(err)
		}
		// in the checkout, whose go.mod has the library
		if printed, err := command(t, repo.Path("."), []string{"GOFLAGS=-buildvcs=false"}, "go", "build", "-o", binary, file); err != nil {
			t.Fatalf("%v: %s", err, printed)
		}
		return binary
	}
	source := recipe(t, "x-oauth2-login", "https://api.example.com", origin(s))
	binary := build(source)
	run := func(typing string) (string, error) { return command(t, secretsIn(t, typing), nil, binary) }
	loginWorks(t, s, func(*testing.T) string { printed, _ := run(password); return printed })
	refusedOnce(t, s, refused(t, "wrong", run))
	if printed, err := run(password); err == nil || !toldToWait.MatchString(printed) {
		t.Errorf("told to wait: %v: %s", err, printed)
	}
}

// The style is what keeps the library from sending a refused login twice.
func TestXOAuth2WithoutAnAuthStyleSendsARefusedLoginTwice(t *testing.T) {
	s := startSite(t, long)
	for style, want := range map[oauth2.AuthStyle]int{oauth2.AuthStyleAutoDetect: 2, oauth2.AuthStyleInHeader: 1, oauth2.AuthStyleInParams: 1} {
		config := oauth2.Config{
			ClientID: "web", ClientSecret: "web-secret",
			Endpoint: oauth2.Endpoint{TokenURL: s.URL("/token"), AuthStyle: style},
		}
		before := len(s.Refusals())
		if _, err := config.PasswordCredentialsToken(t.Context(), "alice", harness.WrongPassword()); err == nil {
			t.Fatal("a wrong password gets a token")
		}
		if got := len(s.Refusals()) - before; got != want {
			t.Errorf("with style %d a wrong password is sent %d times, want %d", style, got, want)
		}
	}
}
