package docs

import (
	"net/http"
	"strings"
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
)

var engineGroups = []group{
	{"moving to an engine and back ends no session", []string{"engine-default", "engine-step-1", "engine-step-2"}, testMoving},
}

// inRedis is the engine of the page, in whose place the tests have one in memory.
const inRedis = "redis redis://10.0.0.5:6379"

// testMoving takes the steps of the page, and back.
func testMoving(t *testing.T, blocks map[string]block) {
	hash := harness.CheapHash(t, "correct horse")
	step := func(name string) string {
		return strings.NewReplacer(
			"example.com {", "http://127.0.0.1:%PORT% {",
			inRedis, "memory docs",
			"users htpasswd /etc/caddy/users.htpasswd", "user alice "+hash,
		).Replace(blocks[name].text)
	}
	s := harness.Start(t, step("engine-default"))
	web := s.Public("web")
	sessions := []harness.TokenPair{web.Login(t, "alice")}
	for _, name := range []string{"engine-step-1", "engine-step-2", "engine-step-1", "engine-default", "engine-step-2"} {
		s.Reload("", step(name))
		for i, session := range sessions {
			if name == "engine-default" && strings.Contains(harness.TextClaim(t, session.Access, "sid"), "memory") {
				if got := web.Refresh(session.Refresh); got.Status != http.StatusServiceUnavailable {
					t.Errorf("an engine that the node does not know answers %d", got.Status)
				}
				continue
			}
			sessions[i] = web.WantGoing(t, session)
		}
		sessions = append(sessions, web.Login(t, "alice"))
	}
	for _, session := range sessions {
		web.WantGoing(t, session)
	}
}
