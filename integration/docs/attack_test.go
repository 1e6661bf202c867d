package docs

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
	"github.com/caddygrant/caddy-grant/integration/internal/repo"
)

func testUnderAttack(t *testing.T, blocks map[string]block) {
	r := newRecipe(t)
	config := strings.ReplaceAll(blocks["end-user-ip"].text, "\t\tusers ", "\t\tallow_http\n\t\tclient app {\n\t\t\tpublic\n\t\t}\n\t\tusers ")
	r.serve(config)
	const named = "203.0.113.7"
	login := func(password, address string) string {
		command := strings.ReplaceAll(blocks["end-user-login"].text, "https://api.example.com", r.URL(""))
		command = strings.Replace(strings.Replace(command, named, address, 1), "curl ", "curl -si ", 1)
		return strings.ReplaceAll(shell(t, r.etc, command, "", "PASSWORD="+password), "\r", "")
	}
	want := func(status int, answer string) {
		t.Helper()
		if !strings.HasPrefix(answer, fmt.Sprintf("HTTP/1.1 %d ", status)) {
			t.Fatalf("want %d, got %s", status, answer)
		}
	}
	for i := range 10 {
		want(400, login(fmt.Sprint("wrong", i), named))
	}
	refused := login("correct horse", named)
	var shown []string
	for line := range strings.Lines(refused) {
		if name, _, header := strings.Cut(line, ": "); !header || slices.Contains([]string{"Cache-Control", "Content-Type", "Retry-After"}, name) {
			shown = append(shown, strings.TrimSpace(line))
		}
	}
	got := strings.Join(shown, "\n") + "\n"
	for _, second := range []string{"9", "8", "7"} { // it is what is left
		got = strings.Replace(got, "Retry-After: "+second+"\n", "Retry-After: 10\n", 1)
	}
	if got != blocks["throttled"].text {
		t.Errorf("the answer is\n%s\nthe docs have\n%s", got, blocks["throttled"].text)
	}
	r.WantLimit("pair")
	if line := r.LastRefusal(); line["end_user_ip"] != named || line["client_ip"] != "127.0.0.1" {
		t.Errorf("the log has %v", line)
	}

	// as if they had come from there by a public client, and from nowhere else
	app := func(address string) int {
		form := "grant_type=password&client_id=app&username=alice&password=correct+horse"
		return r.from(address, r.Request("POST", "/token", form)).Status
	}
	if there, elsewhere := app(named), app("203.0.113.9"); there != 429 || elsewhere != 200 {
		t.Errorf("by a public client it is %d from there, %d from elsewhere", there, elsewhere)
	}
	want(200, login("correct horse", "203.0.113.8"))
	for _, none := range []string{"", "203.0.113.8, 203.0.113.7", "203.0.113.7:1234"} {
		want(200, login("correct horse", none))
	}

	// what opens it: more failures
	r.serve(strings.Replace(config, "failures 10", "failures 11", 1))
	want(200, login("correct horse", named))
}

// The owner gets in from where they have been, and opens the account for all; so does a
// ceiling that is raised.
func TestDocsHowToOpenAnAccount(t *testing.T) {
	const ceiling = "throttle {\nfailures 2\naccount_ceiling 4\n}"
	burn := func(s *harness.Site) {
		t.Helper()
		for n := range 2 {
			harness.WrongLogins(t, 2, func(password string) harness.Answer { return s.AppLogin(harness.StrangerAddress(n), "alice", password) })
		}
		s.AppLogin(harness.StrangerAddress(9), "alice", "correct horse").Throttled(t, 3600)
		s.WantLimit("account")
	}
	s := harness.StartThrottle(t, ceiling)
	s.AppLogin(harness.HomeAddress, "alice", "correct horse").Want(t, 200, "")
	burn(s)
	s.AppLogin(harness.HomeAddress, "alice", "correct horse").Want(t, 200, "")
	s.AppLogin(harness.StrangerAddress(9), "alice", "wrong").Want(t, 400, "invalid_grant")
	s.AppLogin(harness.StrangerAddress(0), "alice", "correct horse").Throttled(t, 30) // by itself
	s.WantLimit("pair")

	s.Restart(harness.ThrottleOptions, harness.ThrottleConfig(t, ceiling))
	burn(s)
	s.AppLogin(harness.HomeAddress, "alice", "correct horse").Throttled(t, 3600) // it is no longer known
	s.Reload(harness.ThrottleOptions, harness.ThrottleConfig(t, strings.Replace(ceiling, "ceiling 4", "ceiling 5", 1)))
	s.Relogin("alice", "correct horse").Want(t, 200, "")
}

// The numbers of the page are those of the code.
func TestDocsNumbersOfThrottle(t *testing.T) {
	text := repo.Read(t, "docs/attacks.md")
	for _, number := range []struct{ says, constant, value string }{
		{"| 50 | the same |", "addressFactor", "10"},
		{"| 500 | the same |", "networkFactor", "100"},
		{"forgotten after 24 hours", "quietTime", "24 * time.Hour"},
		{"the last 16 of each account", "maxKnownPerAccount", "16"},
		{"| accounts | 131,072 |", "maxAccounts", "1 << 17"},
		{"| pairs of account and source | 131,072 |", "maxPairs", "1 << 17"},
		{"| addresses, /48s included | 65,536 |", "maxAddresses", "1 << 16"},
		{"| known sources | 65,536 |", "maxKnown", "1 << 16"},
		{"[writes](#what-fills-the-storage) | 65,536 |", "maxRates", "1 << 16"},
		{"| pairs with wrong passwords | 16,384 |", "maxRepeats", "1 << 14"},
		{"The last 4 wrong passwords of each account and source", "repeatsPerPair", "4"},
		{"not been sent for 5 minutes", "repeatTime", "5 * time.Minute"},
		{"the 10,000 that were used last", "maxCached", "10_000"},
		{"of the 2,048 accounts, 2,048 addresses, and 2,048 pairs", "MaxCounts", "2048"},
		{"and 2,048 in all", "MaxKnown", "2048"},
		{"at most 512 KB", "maxObject", "512 << 10"},
		{"for 24 hours", "AgesOut", "24 * time.Hour"},
		{"at most every 1.5 seconds", "PublishEvery", "1500 * time.Millisecond"},
		{"every 2.5 seconds", "ReadEvery", "2500 * time.Millisecond"},
		{"60 times a minute", "maxRevocationsPerMinute", "60"},
	} {
		if value := repo.ValueText(t, number.constant); value != number.value {
			t.Errorf("%s is %s now, and the docs say %q", number.constant, value, number.says)
		}
		if !strings.Contains(text, number.says) {
			t.Errorf("the docs do not say %q", number.says)
		}
	}
}
