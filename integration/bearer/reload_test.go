package bearer

import (
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
)

const (
	reloads          = 20
	reloadingClients = 4

	requestsPerConfig = 40
)

// Reloads under traffic: every answer is right, from the first one of a config to the
// last. Caddy itself loses a connection now and then when it swaps its listeners; the
// module must not make that worse, so the same Caddy without it is measured beside it.
func TestReloadsUnderBearerTraffic(t *testing.T) {
	app := harness.NewApp(t)
	module := func(round int) string {
		return app.In(`http://127.0.0.1:%PORT% {
	token_endpoint {
		issuer https://api.example.com
		client web {
			secret web-secret
			scopes read write
		}
		users json %DIR%/users.json
	}
	bearer_auth {
		scopes read
		copy_claims sub>X-User
	}
	bearer_auth /write* default {
		scopes write
	}
	header X-Round ` + fmt.Sprint(round) + `
	reverse_proxy %APP%
}
`)
	}
	plain := func(round int) string {
		return app.In("http://127.0.0.1:%PORT% {\n\theader X-Round " + fmt.Sprint(round) + "\n\treverse_proxy %APP%\n}\n")
	}

	s := harness.NewSite(t)
	s.Write("users.json", hygieneUsers)
	s.Reload("", module(0))
	token, narrow := s.Token("alice"), s.Token("alice", "scope", "read")
	questions := []question{
		{"a good token", "/", harness.Bearer(token), 200},
		{"a bad token", "/", harness.Bearer("a.b.c"), 401},
		{"no token", "/", "", 401},
		{"a token with little scope", "/write", harness.Bearer(narrow), 403},
		{"a token with all scopes", "/write", harness.Bearer(token), 200},
		{"two tokens", "/?access_token=x", harness.Bearer(token), 400},
	}
	with := askWhileReloading(s, module, questions)
	for i := range questions {
		questions[i].status = 200
	}
	without := askWhileReloading(s, plain, questions)

	t.Logf("with the module %d of %d requests had no answer, without it %d of %d", with.lost, with.asked, without.lost, without.asked)
	for _, wrong := range append(with.wrong, without.wrong...) {
		t.Error(wrong)
	}
	// how many is chance; each of the clients could lose one at each reload
	if most := without.lost + reloads*reloadingClients/2; with.lost > most {
		t.Errorf("%d connections were lost, %d without the module", with.lost, without.lost)
	}
}

type question struct {
	name, path, header string
	status             int
}

// traffic is what became of requests while configs were swapped.
type traffic struct {
	asked, lost int64
	wrong       []string
}

// askWhileReloading asks from several clients until 20 reloads are done.
func askWhileReloading(s *harness.Site, config func(round int) string, questions []question) traffic {
	s.T.Helper()
	s.Reload("", config(0))
	var (
		asked, lost atomic.Int64
		mu          sync.Mutex
		wrong       []string
		clients     sync.WaitGroup
		done        = make(chan struct{})
	)
	for n := range reloadingClients {
		clients.Go(func() {
			transport := &http.Transport{DisableKeepAlives: n%2 == 0}
			defer transport.CloseIdleConnections()
			for i := n; ; i++ {
				select {
				case <-done:
					return
				default:
				}
				q := questions[i%len(questions)]
				r, err := http.NewRequest("GET", s.URL(q.path), nil)
				if err != nil {
					panic(err)
				}
				if name, value, ok := strings.Cut(q.header, ": "); ok {
					r.Header.Set(name, value)
				}
				asked.Add(1)
				response, err := transport.RoundTrip(r)
				if err != nil {
					lost.Add(1)
					continue
				}
				body, err := io.ReadAll(response.Body)
				response.Body.Close()
				byApp := response.Header.Get("X-App") == "yes"
				if err != nil || response.StatusCode != q.status || byApp != (q.status == 200) {
					mu.Lock()
					wrong = append(wrong, fmt.Sprintf("%s is answered %d %s (%v), want %d", q.name, response.StatusCode, body, err, q.status))
					mu.Unlock()
				}
			}
		})
	}
	for round := range reloads {
		s.Reload("", config(round+1))
		// each config has traffic of its own before the next one comes
		for before := asked.Load(); asked.Load() < before+requestsPerConfig; {
			runtime.Gosched()
		}
	}
	close(done)
	clients.Wait()
	return traffic{asked.Load(), lost.Load(), wrong}
}
