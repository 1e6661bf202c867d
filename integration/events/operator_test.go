package events

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
	"github.com/caddygrant/caddy-grant/internal/event"
)

func TestWhatAnOperatorRevokesIsRevoked(t *testing.T) {
	got.clear()
	s := harness.NewSite(t)
	admin := fmt.Sprintf("127.0.0.1:%d", harness.FreePort(t))
	options := strings.NewReplacer("admin off", "admin "+admin, "%OPTIONS%", on("notes", event.Revoked)).Replace(harness.GlobalOptions)
	config, err := harness.Adapt(s.Expand(options + harness.WithCheapHashes(t, siteWith(""))))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Load(config); err != nil {
		t.Fatal(err)
	}
	session := fmt.Sprint(harness.Payload(t, s.Token("alice"))["sid"])
	for i, test := range []struct{ request, what, name, of string }{
		{`{"session":"` + session + `"}`, "session", "session_id", session},
		{`{"user":"alice"}`, "user", "user_id", "u-1"},
		{`{"subject":"gone"}`, "user", "user_id", "gone"},
		{`{"client":"web"}`, "client", "client_id", "web"},
		{`{"all":true}`, "server", "", ""},
	} {
		response, err := s.Client.Post("http://"+admin+"/grant/servers/default/revoke", "application/json", strings.NewReader(test.request))
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != http.StatusOK {
			t.Fatalf("%s: %d", test.request, response.StatusCode)
		}
		h := got.wait(t, event.Revoked, i+1)[i]
		wantData(t, h, map[string]any{"server": "default", "by": "operator", "what": test.what})
		for _, name := range []string{event.SessionID, event.UserID, event.ClientID} {
			if value, there := h.data[name]; there != (name == test.name) || there && value != test.of {
				t.Errorf("%s: %s is %v", test.request, name, value)
			}
		}
	}
}
