package guest

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// Strangers make ids up while a source of clients hangs: those who log in by a client
// that was found before do not notice. Reloads give a new chance to the source, and not
// without end.
func TestStrangersWhileASourceOfClientsHangs(t *testing.T) {
	_, clients := tablesOf()
	s := newSite(t, sources)
	issued := s.login("alice", password).want(t, 200, "")
	config, err := s.adapt(sources)
	if err != nil {
		t.Fatal(err)
	}

	over := make(chan struct{})
	defer close(over)
	var toHang, hanging atomic.Int64
	clients.SetFault(func(context.Context) error {
		if toHang.Add(-1) >= 0 {
			hanging.Add(1)
			<-over
		}
		return nil
	})
	for round := range int64(4) {
		more := min(100*(round+1), 300) // of all configs
		toHang.Store(more - hanging.Load())
		strangers, leave := context.WithCancel(t.Context())
		var group sync.WaitGroup
		for i := range 120 {
			group.Go(func() { s.ask(strangers, fmt.Sprint("nobody", i)) })
		}
		eventually(t, "strangers hold all places that they can", func() bool { return hanging.Load() == more })
		if round == 0 {
			s.login("alice", password).want(t, 200, "")
			s.introspect(issued.text("access_token")).want(t, 200, "")
			s.login("alice", password, "client_id", "mobile", "client_secret", "").want(t, 503, "temporarily_unavailable") // never seen
		}
		leave()
		group.Wait()

		s.load(config)
		toHang.Store(0)
		if round < 2 {
			s.login("alice", password).want(t, 200, "")
		} else { // the places of all configs are held
			s.login("alice", password).want(t, 503, "temporarily_unavailable")
		}
	}
}

// ask sends a request of a client without a secret, and forgets the answer.
func (s *site) ask(ctx context.Context, id string) {
	body := url.Values{"grant_type": {"password"}, "client_id": {id}}.Encode()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, fmt.Sprintf("http://127.0.0.1:%d/token", s.port), strings.NewReader(body))
	if err != nil {
		s.t.Error(err)
		return
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if response, err := http.DefaultClient.Do(r); err == nil {
		_ = response.Body.Close()
	}
}
