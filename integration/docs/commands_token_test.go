package docs

import (
	"regexp"
	"strings"
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
)

// tokenCommandGroups are the commands that look into tokens, and get them.
var tokenCommandGroups = []group{
	{"a token is explained", []string{"explain", "explain-output", "explain-jwks", "explain-offline"}, testExplain},
	{"a person logs in from a terminal", []string{"login", "login-curl", "login-script", "whoami", "whoami-output"}, testTerminalLogin},
}

// commandSite is a site with the commands' names for things.
const commandSite = `http://127.0.0.1:%PORT% {
	token_endpoint {
		issuer http://127.0.0.1:%PORT%
		allow_weak_hashes
		%SETTINGS%
		users htpasswd %DIR%/users.htpasswd
		client web {
			secret {file.%DIR%/web.secret}
			scopes contacts.read contacts.write
		}
	}
	bearer_auth {
		copy_claims sub>X-User
	}
	respond "You are {http.request.header.X-User}."
}
`

// startCommands serves it, and returns what stands for its addresses in the docs.
func startCommands(t *testing.T, settings string) (*harness.Site, *strings.Replacer) {
	t.Helper()
	s := harness.ApartIn(t, strings.Replace(commandSite, "%SETTINGS%", settings, 1), func(s *harness.Site) {
		s.Write("users.htpasswd", "alice:"+harness.HashCheap+"\n")
		s.Write("web.secret", "web-secret")
	})
	return s, strings.NewReplacer("https://api.example.com", s.URL(""),
		"caddy grant explain <", "caddy grant explain --address "+s.Admin()+" <")
}

// as the time passes, and keys and directories differ
var (
	moments   = regexp.MustCompile(`(?:(?:\d+ \w+ ){1,2}(?:from now|ago)|now) \([^)]*\)|ends [^,]*,|checked .*, when`)
	kids      = regexp.MustCompile(`key [\w-]{43}`)
	elsewhere = regexp.MustCompile(`[^ ]*/(users\.htpasswd|caddy-grant/)[0-9a-f]*`)
)

func sameButForTheMoment(printed string) string {
	printed = kids.ReplaceAllString(moments.ReplaceAllString(printed, "a moment"), "a key")
	return strings.TrimSpace(elsewhere.ReplaceAllString(printed, "$1"))
}

func testExplain(t *testing.T, blocks map[string]block) {
	s, here := startCommands(t, "")
	a := s.Login("alice", "correct horse")
	a.Want(t, 200, "")
	s.Write("token.txt", string(a.Body)) // the answer of the token endpoint will do
	for _, name := range []string{"explain", "explain-jwks"} {
		if printed := shell(t, s.Dir, here.Replace(blocks[name].text), ""); !strings.HasPrefix(printed, "Access token, good") {
			t.Errorf("%s: %s", blocks[name].place, printed)
		}
	}
	s.Write("users.htpasswd", "bob:"+harness.HashCheap+"\n")
	harness.Eventually(t, "alice's token is refused", func() bool {
		return s.Do(s.Request("GET", "/", "", harness.Bearer(a.Text(t, "access_token")))).Status == 401
	})
	printed := shell(t, s.Dir, strings.TrimSpace(here.Replace(blocks["explain"].text))+" || test $? = 1", "")
	printed, claims, _ := strings.Cut(printed, "\nIts claims:\n")
	printed = strings.ReplaceAll(printed, s.URL(""), "https://api.example.com")
	if got, want := sameButForTheMoment(printed), sameButForTheMoment(blocks["explain-output"].text); got != want {
		t.Errorf("it prints\n%s\nthe docs have\n%s", got, want)
	}
	if !strings.Contains(claims, `"alice"`) {
		t.Errorf("the claims are %s", claims)
	}

	const given = "signing_key HS256 " + harness.SharedSecret
	s, here = startCommands(t, given)
	s.Write("token.txt", s.Token("alice"))
	s.Write("Caddyfile", s.Expand(strings.Replace(commandSite, "%SETTINGS%", given, 1)))
	printed = shell(t, s.Dir, here.Replace(blocks["explain-offline"].text), "")
	if !strings.HasPrefix(printed, "Access token, good") || strings.Count(printed, "\n  ?") != 3 {
		t.Errorf("it prints %s", printed)
	}
}

func testTerminalLogin(t *testing.T, blocks map[string]block) {
	s, here := startCommands(t, "")
	home := "HOME=" + t.TempDir()
	run := func(name, stdin string) string {
		t.Helper()
		return shell(t, s.Dir, here.Replace(blocks[name].text), stdin, home, "DBUS_SESSION_BUS_ADDRESS=", "XDG_RUNTIME_DIR=")
	}
	run("login", "correct horse\n")
	if got := run("login-curl", ""); got != "You are alice." {
		t.Errorf("the app answers %q", got)
	}
	if got := run("login-script", ""); !regexp.MustCompile(`^[0-9]{3,4} characters\n$`).MatchString(got) {
		t.Errorf("it prints %q", got)
	}
	printed := strings.ReplaceAll(run("whoami", ""), s.URL(""), "https://api.example.com")
	if got, want := sameButForTheMoment(printed), sameButForTheMoment(blocks["whoami-output"].text); got != want {
		t.Errorf("it prints\n%s\nthe docs have\n%s", got, want)
	}
}
