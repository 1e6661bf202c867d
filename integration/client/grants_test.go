package client

import (
	"strings"
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
)

// A grant that a client lists and its server does not offer is silently never given:
// the log says so when the config is loaded, and no request makes it say so again.
func TestClientsThatListAGrantThatIsNotOffered(t *testing.T) {
	warnings := func(s *harness.Site) []map[string]any {
		return s.Logged(func(line map[string]any) bool {
			return line["level"] == "warn" && line["msg"] == "clients list a grant that the server does not offer"
		})
	}
	for _, test := range []struct {
		name    string
		lines   string
		grant   string // "": no warning
		source  string
		client  string
		clients float64
	}{
		{"all are offered", "client one {\nsecret s1\ngrants refresh_token\n}", "", "", "", 0},
		{"a client without a list", "grants password\nclient one {\nsecret s1\n}", "", "", "", 0},
		{"a client that lists less", "client one {\nsecret s1\ngrants password\n}", "", "", "", 0},
		{"one that lists more", "grants password\nclient one {\nsecret s1\ngrants password refresh_token\n}", "refresh_token", "clients in the config", "one", 1},
		{"one that gets nothing at all", "grants refresh_token\nclient one {\nsecret s1\ngrants password\n}", "password", "clients in the config", "one", 1},
		{"several", "grants password\nclient one {\nsecret s1\ngrants refresh_token\n}\nclient two {\npublic\ngrants refresh_token\n}", "refresh_token", "clients in the config", "one", 2},
		{"one that introspects and shall get nothing", "grants password\nclient one {\nsecret s1\nintrospect api\ngrants refresh_token\n}", "", "", "", 0},
		{"one in a file", "grants password\nclients json %DIR%/clients.json", "refresh_token", "clients file %DIR%/clients.json", "filed", 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := harness.NewSite(t)
			s.Write("clients.json", `{"clients": [{"id": "filed", "public": true, "grants": ["password", "refresh_token"]}]}`)
			s.Reload("", harness.WebSite("user alice "+harness.CheapHash(t, "wonderland")+"\n"+test.lines))
			for range 3 {
				s.Login("alice", "wrong")
				s.Login("alice", "wonderland", "client_id", "filed", "client_secret", "")
			}
			lines := warnings(s)
			if test.grant == "" {
				if len(lines) > 0 {
					t.Errorf("warned: %v", lines)
				}
				return
			}
			if len(lines) != 1 {
				t.Fatalf("%d warnings: %v", len(lines), lines)
			}
			line, source := lines[0], strings.ReplaceAll(test.source, "%DIR%", s.Dir)
			if line["grant_type"] != test.grant || line["source"] != source || line["client_id"] != test.client || line["count"] != test.clients || line["server"] != "default" {
				t.Errorf("warned: %v", line)
			}
			if advice, _ := line["advice"].(string); !strings.Contains(advice, "add "+test.grant+" to the grants of the server") {
				t.Errorf("advice: %v", line["advice"])
			}
		})
	}
}
