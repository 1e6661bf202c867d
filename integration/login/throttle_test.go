package login

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
)

// Guessing has to wait, and people are told how long in words.
func TestTooManyAttempts(t *testing.T) {
	app := harness.NewApp(t)
	s := startSite(t, "servers {\n\t\ttrusted_proxies static 127.0.0.1\n\t}", app.In(strings.Replace(lines{server: "allow_http"}.in(pageSite), "throttle off", "", 1)))
	from := func(address string) *tab {
		b := newTab(t, s)
		b.always = []string{"X-Forwarded-For: " + address}
		return b
	}
	guesser := from("192.0.2.1")
	var a harness.Answer
	for i := range 100 {
		if a = guesser.submit(page, fmt.Sprintf("username=alice&password=guess%d", i)); a.Status != 401 {
			break
		}
	}
	if a.Status != 429 {
		t.Fatalf("a hundred guesses end with %d", a.Status)
	}
	wait, err := strconv.Atoi(a.Header.Get("Retry-After"))
	if err != nil || wait <= 0 {
		t.Errorf("Retry-After: %q", a.Header.Get("Retry-After"))
	}
	words := regexp.MustCompile(`Try again (in a moment|in \d+ (second|minute|hour)s?|in 1 minute|in about .* hours?)\.`)
	if !words.Match(a.Body) || !strings.Contains(string(a.Body), `name="password"`) || !strings.Contains(string(a.Body), `value="alice"`) {
		t.Errorf("the page: %s", a.Body)
	}
	if strings.Contains(string(a.Body), "guess") || a.Header.Get("Cache-Control") != "no-store" || len(a.Header["Set-Cookie"]) > 0 {
		t.Errorf("the answer: %v", a.Header)
	}
	if german := guesser.submit(page, "username=alice&password=x", "Accept-Language: de"); german.Status != 429 || strings.Contains(string(german.Body), "Try again") {
		t.Errorf("in German: %d %s", german.Status, german.Body)
	}
	t.Run("the right password has to wait too", func(t *testing.T) {
		if a := guesser.submit(page, credentials("alice")); a.Status != 429 {
			t.Errorf("got %d", a.Status)
		}
	})
	t.Run("other users and addresses do not", func(t *testing.T) {
		if a := from("198.51.100.9").submit(page, credentials("bob")); a.Status != 303 {
			t.Errorf("got %d", a.Status)
		}
	})
	t.Run("the log has the browser's address", func(t *testing.T) {
		if line := s.LastRefusal(); line["client_ip"] == nil {
			t.Errorf("%v", line)
		}
		found := s.Logged(func(line map[string]any) bool {
			return line["msg"] == "request refused" && line["client_ip"] == "192.0.2.1" && line["status"] == 429.0
		})
		if len(found) == 0 {
			t.Error("no refusal of 192.0.2.1 with 429")
		}
	})
}

// While too many passwords are being checked, the form says to try again, and keeps the
// name.
func TestAFullQueueSaysToTryAgain(t *testing.T) {
	const slow = `$2y$11$Ve7VhkpZV0UByf3CMebBJuo8MDfBvv6jpjBvBuj51me/1o5bfBHS.`
	s, _ := startPage(t, lines{server: "user slow " + slow + "\n\t\tpassword_checks {\n\t\t\tconcurrency 1\n\t\t\tqueue 1\n\t\t\twait 50s\n\t\t}"})
	answers := make(chan harness.Answer, 8)
	for i := range cap(answers) { // different ones: equal ones would share a hash
		go func() { answers <- newTab(t, s).submit(page, fmt.Sprintf("username=slow&password=wrong%d", i)) }()
	}
	busy := 0
	for range cap(answers) {
		a := <-answers
		if a.Status != 503 {
			continue
		}
		busy++
		if body := string(a.Body); a.Header.Get("Retry-After") == "" || !strings.Contains(body, "Wait a few seconds and try again.") || !strings.Contains(body, `value="slow"`) {
			t.Errorf("%v %s", a.Header, body)
		}
	}
	if busy == 0 {
		t.Error("no request was answered 503")
	}
}
