package browser

import (
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
)

// startFastAPI serves examples/fastapi by the commands of its comment. The Python is
// Debian's, since FastAPI is.
func startFastAPI(t *testing.T, app string, replacements ...string) *example {
	t.Helper()
	needBrowser(t)
	e := copyExample(t, "fastapi", replacements...)
	comment, err := os.ReadFile(e.path("Caddyfile"))
	if err != nil {
		t.Fatal(err)
	}
	command := regexp.MustCompile(`(?m)^#     python3 (-m uvicorn .*) app:app$`).FindSubmatch(comment)
	if command == nil {
		t.Fatal("the comment does not say how to run the app")
	}
	uvicorn := exec.Command("/usr/bin/python3", append(strings.Fields(string(command[1])), app)...)
	uvicorn.Dir = e.dir
	uvicorn.Env = append(os.Environ(), "PYTHONDONTWRITEBYTECODE=1")
	uvicorn.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	var printed strings.Builder
	uvicorn.Stdout, uvicorn.Stderr = &printed, &printed
	if err := uvicorn.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- uvicorn.Wait() }()
	t.Cleanup(func() {
		_ = uvicorn.Process.Signal(os.Interrupt)
		<-ended
		if t.Failed() {
			t.Logf("uvicorn printed:\n%s", printed.String())
		}
	})
	harness.Eventually(t, "uvicorn listens", func() bool {
		select {
		case err := <-ended:
			ended <- err
			t.Fatalf("uvicorn ended: %v\n%s", err, printed.String())
		default:
		}
		response, err := http.Get(e.url("9000", "/openapi.json"))
		if err != nil {
			return false
		}
		response.Body.Close()
		return response.StatusCode == http.StatusOK
	})
	e.start()
	return e
}

// openDocs opens the app's own page of docs, with npm's files in place of those of the
// CDN that it names.
func openDocs(t *testing.T, e *example) *page {
	t.Helper()
	p := newPage(t)
	ofCDN := regexp.MustCompile(`^https://cdn\.jsdelivr\.net/npm/swagger-ui-dist@([45])[0-9.]*/(swagger-ui-bundle\.js|swagger-ui\.css)$`)
	read := make(map[string][]byte) // here, where the test can fail
	for major, name := range map[string]string{"4": "swagger-ui-dist-4", "5": "swagger-ui-dist"} {
		for _, file := range []string{"swagger-ui-bundle.js", "swagger-ui.css", "favicon-32x32.png"} {
			content, err := os.ReadFile(npmFile(t, name+"/"+file))
			if err != nil {
				t.Fatal(err)
			}
			read[major+file] = content
		}
	}
	p.answerRemote(func(url string) []byte {
		if match := ofCDN.FindStringSubmatch(url); match != nil {
			return read[match[1]+match[2]]
		}
		if url == "https://fastapi.tiangolo.com/img/favicon.png" {
			return read["5favicon-32x32.png"]
		}
		return nil
	})
	p.open(e.url("8080", "/docs"))
	return p
}

func TestDocsPageOfAFastAPIAppLogsInWithoutAClientAndCallsTheApp(t *testing.T) {
	for name, test := range map[string]struct {
		app          string
		replacements []string
	}{
		"the app takes the user from the header": {"app:app", nil},
		"the app verifies the token":             {"verify:app", []string{"#forward_token", "forward_token"}},
	} {
		t.Run(name, func(t *testing.T) {
			e := startFastAPI(t, test.app, test.replacements...)
			p := openDocs(t, e)
			p.authorize(credentials{username: "alice", password: "alice-password"})
			p.wantAuthorized()
			login := p.last("POST", e.url("8080", "/token"))
			if login.Status != 200 || login.Header["Authorization"] != "Basic Og==" {
				t.Errorf("the login was %+v", login)
			}
			status, text := p.tryOut()
			if compact := strings.Join(strings.Fields(text), ""); status != "200" || !strings.Contains(compact, `{"user":"alice"}`) {
				t.Errorf("the page shows %s for the call: %s", status, text)
			}
		})
	}
}

func TestDocsPageOfAFastAPIAppShowsThatAPasswordIsWrong(t *testing.T) {
	e := startFastAPI(t, "app:app")
	p := openDocs(t, e)
	p.authorize(credentials{username: "alice", password: "wrong"})
	if shown := p.text(dialogError); !strings.Contains(shown, "invalid_grant, description: the username or password is wrong") {
		t.Errorf("it shows %q", shown)
	}
	p.click(closeDialog)
	if status, _ := p.tryOut(); status != "401" {
		t.Errorf("the page shows %s for a call without a token", status)
	}
	p.wantErrors(2, "status of 400", "status of 401")
}

// fastAPIToken logs in as the comments say, with a form and without a client.
func fastAPIToken(t *testing.T, e *example) string {
	t.Helper()
	response, err := http.PostForm(e.url("8080", "/token"), url.Values{"grant_type": {"password"}, "username": {"alice"}, "password": {"alice-password"}})
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, _ := io.ReadAll(response.Body)
	match := regexp.MustCompile(`"access_token":"([^"]+)"`).FindSubmatch(body)
	if match == nil {
		t.Fatalf("no token: %d %s", response.StatusCode, body)
	}
	return string(match[1])
}

// meStatus is the answer to GET /me with a token, at the edge (8080) or straight at the
// app (9000).
func meStatus(t *testing.T, e *example, port, token string) int {
	t.Helper()
	request, err := http.NewRequest("GET", e.url(port, "/me"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	return response.StatusCode
}

// verify.py does not take the edge's word: it is asked past the edge.
func TestFastAPIAppThatVerifiesTokensRefusesAllOthers(t *testing.T) {
	e := startFastAPI(t, "verify:app")
	good := fastAPIToken(t, e)
	header, rest, _ := strings.Cut(good, ".")
	payload, signature, _ := strings.Cut(rest, ".")
	other := fastAPIToken(t, startFastAPI(t, "verify:app"))
	for _, test := range []struct {
		name, token string
		status      int
	}{
		{"a good one", good, 200},
		{"none", "", 401},
		{"no token", "x", 401},
		{"another signature", header + "." + payload + "." + strings.Repeat("A", len(signature)), 401},
		{"no signature, and an algorithm that says so", "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0." + payload + ".", 401},
		{"a token of another server", other, 401},
	} {
		if got := meStatus(t, e, "9000", test.token); got != test.status {
			t.Errorf("%s: %d, want %d", test.name, got, test.status)
		}
	}
	// without forward_token, as in the Caddyfile, the edge keeps the token
	if got := meStatus(t, e, "8080", good); got != 401 {
		t.Errorf("without forward_token the app answers %d", got)
	}
}
