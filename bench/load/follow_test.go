package main

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	vegeta "github.com/tsenart/vegeta/v12/lib"
)

// sessionsOnce answers a token such as a.7 with a.8, and each token once.
type sessionsOnce struct {
	mu   sync.Mutex
	seen map[string]bool
}

func (s *sessionsOnce) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	session, number, _ := strings.Cut(r.FormValue("x"), ".")
	var n int
	if _, err := fmt.Sscan(number, &n); err != nil {
		http.Error(w, "no token", http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.seen[r.FormValue("x")] {
		http.Error(w, "spent", http.StatusBadRequest)
		return
	}
	s.seen[r.FormValue("x")] = true
	fmt.Fprintf(w, `{"refresh_token":"%s.%d"}`, session, n+1)
}

func followingPlan(t *testing.T) plan {
	p := linedPlan(t)
	if err := os.WriteFile(p.Lines, []byte("a.0\nb.0\nc.0\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p.Method, p.Header = http.MethodPost, map[string]string{"Content-Type": "application/x-www-form-urlencoded"}
	p.Follow, p.Workers, p.Duration = true, 2, 200*time.Millisecond
	p.Expect = []expectation{{http.StatusOK, "refresh_token"}}
	return p
}

func TestEachSessionGoesOnWithTheTokenOfItsAnswer(t *testing.T) {
	server := &sessionsOnce{seen: make(map[string]bool)}
	first, second := httptest.NewServer(server), httptest.NewServer(server)
	defer first.Close()
	defer second.Close()
	p := followingPlan(t)
	p.URL, p.Others = first.URL, []string{second.URL}
	total := uint64(0)
	for range 2 { // the second plan goes on where the first one ended
		o, err := attack(t.Context(), p)
		if err != nil || o.Unexpected > 0 || o.Answers[0] < 4 {
			t.Fatalf("error %v, outcome %+v", err, o)
		}
		total += o.Answers[0]
	}
	if got := uint64(len(server.seen)); got != total {
		t.Errorf("%d tokens were used, and %d answers counted", got, total)
	}
	left, err := p.readLines()
	if err != nil || len(left) != 3 {
		t.Fatalf("error %v, left are %v", err, left)
	}
	for _, token := range left {
		if server.seen[token] || strings.HasSuffix(token, ".0") {
			t.Errorf("%s is left", token)
		}
	}
}

func TestAnAnswerWithoutATokenIsUnexpected(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"refresh_token":""}`)
	}))
	defer server.Close()
	p := followingPlan(t)
	p.URL = server.URL
	if o, err := attack(t.Context(), p); err != nil || o.Unexpected == 0 || o.Answers[0] > 0 {
		t.Errorf("error %v, outcome %+v", err, o)
	}
}

func TestFewerTokensThanWorkersAreAnError(t *testing.T) {
	f, err := followingPlan(t).follow()
	if err != nil {
		t.Fatal(err)
	}
	var target vegeta.Target
	for range 3 {
		if err := f.next(&target); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.next(&target); !errors.Is(err, errNoToken) {
		t.Errorf("error %v", err)
	}
}

func TestAddressesTakeTurns(t *testing.T) {
	p := plan{URL: "a", Others: []string{"b", "c"}}
	var got strings.Builder
	for n := range uint64(7) {
		got.WriteString(p.address(n))
	}
	if got.String() != "abcabca" {
		t.Errorf("the requests went to %s", &got)
	}
}
