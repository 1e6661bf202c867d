package login

import (
	"strings"
	"testing"
)

// A password in the URL is in logs and histories: it counts for nothing, and the page
// does not repeat it.
func TestCredentialsInTheURLOfThePage(t *testing.T) {
	s, _ := startPage(t, lines{})
	for _, query := range []string{"?username=alice&password=correct+horse", "?return_to=/x&password=correct%20horse", "?pass%77ord=correct+horse"} {
		b := newTab(t, s)
		for name, a := range map[string]string{"GET": "", "POST": credentials("alice")} {
			answer := b.open(page + query)
			if name == "POST" {
				answer = b.submit(page+query, a)
			}
			if body := string(answer.Body); answer.Status != 400 || strings.Contains(body, "correct") || !strings.Contains(body, `href="`+page+`"`) || strings.Contains(body, "<form") {
				t.Errorf("%s %s: %d %s", name, query, answer.Status, body)
			}
		}
		b.wantUser("401")
	}
}
