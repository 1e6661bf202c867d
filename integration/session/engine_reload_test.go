package session

import (
	"fmt"
	"strings"
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
)

// A request that a reload meets is answered by the config before, which still has its
// engine.
func TestARequestThatAReloadMeetsFindsItsEngine(t *testing.T) {
	s := onEngine(t, "sessions %ENGINE%")
	web := s.Web()
	session := web.Refreshed(t, web.Login(t, "alice").Refresh)
	form := web.RefreshForm(session.Refresh)
	conn := s.Dial()
	defer conn.Close()
	conn.Send(s.RawRequest("POST", "/token", "", harness.FormType, fmt.Sprintf("Content-Length: %d", len(form)), "Expect: 100-continue"))
	if a := conn.Receive(); a.Status != 100 { // the endpoint reads the body
		t.Fatalf("got %d %s", a.Status, a.Body)
	}
	for _, settings := range []string{"sessions %ENGINE% {\nalso storage\n}", "sessions %ENGINE%"} {
		s.reload(settings)
	}
	conn.Send(form)
	next := harness.TokensOf(t, conn.Receive())
	if !strings.Contains(harness.TextClaim(t, next.Access, "sid"), "-memory-") {
		t.Error("the session lives elsewhere")
	}
	web.WantGoing(t, next)
}
