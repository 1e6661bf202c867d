package throttle

import (
	"fmt"
	"net"
	"sync"
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
)

// A config that does not start leaves the limits of the one that goes on.
func TestAFailedReloadLeavesTheLimitsOfPasswordChecks(t *testing.T) {
	const slow = `$2y$11$Ve7VhkpZV0UByf3CMebBJuo8MDfBvv6jpjBvBuj51me/1o5bfBHS.`
	s := harness.NewSite(t)
	config := func(queue int) string {
		return harness.WebSite(fmt.Sprintf("user alice %s\npassword_checks {\nconcurrency 1\nqueue %d\nwait 50s\n}\nthrottle off", slow, queue))
	}
	s.Reload("", config(1))
	busy, _ := net.Listen("tcp", "127.0.0.1:0")
	defer busy.Close()
	for range 6 { // the order in which Caddy starts apps is that of a map
		if err := s.TryReload("", config(1000)+"http://"+busy.Addr().String()+" {\nrespond x\n}\n"); err == nil {
			t.Fatal("it loads")
		}
	}
	var busyAnswers int
	var mu sync.Mutex
	var group sync.WaitGroup
	for i := range 8 { // different ones: equal ones would share a hash
		group.Go(func() {
			a, _ := s.Attempt("alice", fmt.Sprint("wrong", i))
			mu.Lock()
			defer mu.Unlock()
			if a.Status == 503 {
				busyAnswers++
			}
		})
	}
	group.Wait()
	if busyAnswers == 0 {
		t.Fatal("queue 1 no longer applies: no request was answered 503")
	}
}
