package docs

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
)

// leavingGroups execute docs/leaving-the-password-grant.md.
var leavingGroups = []group{
	{"the clients that use the password grant are told, and turned away", []string{"password-clients", "announced", "announcement", "turned-off", "page-alone"}, testLeavingThePasswordGrant},
}

func testLeavingThePasswordGrant(t *testing.T, blocks map[string]block) {
	r := newRecipe(t)
	r.Client.CheckRedirect = stay
	post := func(path, form string, headers ...string) harness.Answer {
		t.Helper()
		request := r.Request("POST", path, form, headers...)
		request.Host = "api.example.com"
		return r.Do(request)
	}
	login := func() harness.Answer {
		return post("/token", "grant_type=password&username=alice&password=correct+horse", harness.Basic("web", "web-secret"))
	}
	refresh := func(token string) harness.Answer {
		return post("/token", "grant_type=refresh_token&refresh_token="+token, harness.Basic("web", "web-secret"))
	}
	serve := func(name string) {
		t.Helper()
		r.serve(blocks[name].text + "http://localhost:8080 {\n\tmetrics /metrics\n}\n")
		if a := post("/token/login", "username=alice&password=correct+horse", "Origin: http://api.example.com"); a.Status != http.StatusSeeOther {
			t.Errorf("%s: the login page answers %d: %s", name, a.Status, a.Body)
		}
	}
	// count is what the command of the page prints for an outcome.
	count := func(outcome string) string {
		t.Helper()
		command := strings.NewReplacer("127.0.0.1:9180", r.Address(), "curl ", "curl -H 'Host: localhost' ").Replace(blocks["password-clients"].text)
		for line := range strings.Lines(shell(t, r.Dir, command, "")) {
			if of := `{client_id="web",grant_type="password",outcome="` + outcome + `",server="default"}`; strings.Contains(line, of) {
				return line
			}
		}
		t.Fatalf("the client is not counted as %s", outcome)
		return ""
	}
	wantCounted := func(outcome string, do func()) {
		t.Helper()
		before := count(outcome)
		if do(); count(outcome) == before {
			t.Errorf("still counted as %s: %s", outcome, before)
		}
	}

	serve("announced")
	var token string
	wantCounted("success", func() {
		a := login()
		a.Want(t, 200, "")
		token = a.Text(t, "refresh_token")
		for line := range strings.Lines(blocks["announcement"].text) {
			name, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
			if got := a.Header.Values(name); !slices.Equal(got, []string{value}) {
				t.Errorf("%s is %q, the docs say %q", name, got, value)
			}
		}
	})

	serve("turned-off")
	wantCounted("refused", func() { login().Want(t, 400, "unauthorized_client") })
	refresh(token).Want(t, 200, "")

	serve("page-alone")
	login().Want(t, 400, "unsupported_grant_type")
}
