package redis

import (
	"bytes"
	"context"
	"net"
	"testing"

	goredis "github.com/redis/go-redis/v9"
	"pgregory.net/rapid"

	"github.com/caddygrant/caddy-grant/sessions"
	"github.com/caddygrant/caddy-grant/sessions/sessionstest"
)

// canStrike prepares an engine that is to be opened with these settings.
func canStrike(t *testing.T, settings *settings) *sessionstest.Strikes {
	of := &sessionstest.Strikes{IsCall: isCall}
	t.Cleanup(of.End)
	dial := func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return of.Conn(conn), nil
	}
	if settings.cluster != nil {
		settings.cluster.Dialer = dial
	} else {
		settings.standalone.Dialer = dial
	}
	return of
}

// isCall tells whether a request runs a script. Of the others, a failed one is no failure
// of the call, or fails calls to come: see examineAgain.
func isCall(request []byte) bool {
	for _, script := range []*goredis.Script{scriptLoad, scriptSwap, scriptRevoke, scriptSweep, scriptFeedAdd, scriptFeedPage, scriptFeedTrim} {
		if bytes.Contains(request, []byte(script.Hash())) {
			return true
		}
	}
	return false
}

func (s *suiteOf) strike(t *rapid.T, e sessions.Engine) (context.Context, bool, func()) {
	return s.strikesOf(e).Draw(t)
}

// strikesOf are those of an engine that open has opened.
func (s *suiteOf) strikesOf(e sessions.Engine) *sessionstest.Strikes {
	of, _ := s.struck.Load(e)
	return of.(*sessionstest.Strikes)
}

func TestStrikesBefallCalls(t *testing.T) {
	r := newServer(t)
	r.allow("caddy", suitePassword, aclRules...)
	of := &suiteOf{shards: []*server{r}, url: r.url(), username: "caddy"}
	other := of.open(t, "default")
	t.Cleanup(func() { other.Close() })
	sessionstest.TestStrikes(t, other, func(t *testing.T) (sessions.Engine, *sessionstest.Strikes) {
		e := of.open(t, "default")
		t.Cleanup(func() { e.Close() })
		return e, of.strikesOf(e)
	})
}
