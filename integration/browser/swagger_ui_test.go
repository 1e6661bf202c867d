package browser

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// startSwaggerUI serves examples/swagger-ui, with an app behind it.
func startSwaggerUI(t *testing.T, replacements ...string) (*example, *app) {
	t.Helper()
	needBrowser(t)
	e := copyExample(t, "swagger-ui", replacements...)
	if err := os.Mkdir(e.path("node_modules"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(npmFile(t, "swagger-ui-dist"), e.path("node_modules/swagger-ui-dist")); err != nil {
		t.Fatal(err)
	}
	a := e.startApp()
	e.start()
	return e, a
}

// What is in Swagger UI's page, of version 4 and 5.
const (
	openDialog   = ".btn.authorize"
	dialogButton = ".modal-ux .btn.authorize"
	dialogError  = ".modal-ux .errors"
	dialogTitle  = ".modal-ux h6" // "Authorized"
	closeDialog  = ".modal-ux .btn-done"
)

// credentials are what is typed into the dialog; a nil field is left as it is.
type credentials struct {
	username, password string
	location           string // "basic" or "request-body"
	id, secret         *string
}

// authorize fills the dialog and sends it.
func (p *page) authorize(c credentials) {
	p.t.Helper()
	p.click(openDialog)
	p.fill("#oauth_username", c.username)
	p.fill("#oauth_password", c.password)
	if c.location != "" {
		p.choose("#password_type", c.location)
	}
	for selector, text := range map[string]*string{"#client_id_password": c.id, "#client_secret_password": c.secret} {
		if text != nil {
			p.fill(selector, *text)
		}
	}
	p.click(dialogButton)
}

// wantAuthorized waits until the dialog says so, and closes it.
func (p *page) wantAuthorized() {
	p.t.Helper()
	p.text(dialogTitle)
	p.click(closeDialog)
}

// tryOut executes the one operation of the page, and returns the status and the text
// that it shows for the answer.
func (p *page) tryOut() (status, text string) {
	p.t.Helper()
	p.click(".opblock-summary-control")
	p.click(".try-out__btn")
	p.click(".execute")
	const answer = ".live-responses-table .response "
	status, _, _ = strings.Cut(p.text(answer+".response-col_status"), "\n") // it may say "Undocumented"
	return status, p.text(answer + ".response-col_description")
}

func TestSwaggerUILogsInFromAnotherOriginAndCallsTheApp(t *testing.T) {
	web, secret, none := "web", "demo-secret", ""
	anyone := []string{"\t\tclient swagger-ui {", "\t\tdefault_client swagger-ui\n\t\tclient swagger-ui {"}
	for _, config := range []struct {
		name         string
		replacements []string
		rows         map[string]credentials
		basic        string // what is sent in the header where that is the location
	}{
		{"the public client that is filled in", nil, map[string]credentials{"basic": {}, "request-body": {}}, "Basic c3dhZ2dlci11aTo="},
		{"a client with a secret", nil, map[string]credentials{"basic": {id: &web, secret: &secret}, "request-body": {id: &web, secret: &secret}}, "Basic d2ViOmRlbW8tc2VjcmV0"},
		{"no client, with default_client", anyone, map[string]credentials{"basic": {id: &none}, "request-body": {id: &none}}, "Basic Og=="},
	} {
		t.Run(config.name, func(t *testing.T) {
			e, a := startSwaggerUI(t, config.replacements...)
			for location, c := range config.rows {
				t.Run(location, func(t *testing.T) {
					p := newPage(t)
					p.open(e.url("8081", "/"))
					c.username, c.password, c.location = "alice", "alice-password", location
					p.authorize(c)
					p.wantAuthorized()
					login := p.last("POST", e.url("8080", "/token"))
					want := ""
					if location == "basic" {
						want = config.basic
					}
					if login.Status != 200 || login.Header["Authorization"] != want {
						t.Errorf("the login was %+v, want Authorization %q", login, want)
					}
					if login.Header["X-Requested-With"] != "XMLHttpRequest" || !strings.Contains(p.last("OPTIONS", login.URL).Header["Access-Control-Request-Headers"], "x-requested-with") {
						t.Error("Swagger UI sends X-Requested-With no longer: say so in the docs")
					}
					if status, text := p.tryOut(); status != "200" || !strings.Contains(text, "hello alice") {
						t.Errorf("the page shows %s for the call: %s", status, text)
					}
					seen := a.take()
					if len(seen) != 1 || fmt.Sprint(seen[0]["X-User"]) != "[alice]" || seen[0].Get("Authorization") != "" {
						t.Errorf("the app received %v", seen)
					}
					// Logout forgets the token and sends nothing
					p.click(openDialog)
					p.click(dialogButton)
					p.text("#oauth_username") // there is none while logged in
					if p.sent("POST") != 1 {
						t.Error("Swagger UI sends something when it logs out: say so in the docs")
					}
				})
			}
		})
	}
}

func TestSwaggerUIShowsWhatTheEdgeRefuses(t *testing.T) {
	e, a := startSwaggerUI(t)
	none, web, wrong := "", "web", "wrong"
	for _, test := range []struct {
		name string
		credentials
		want string
	}{
		{"a wrong password", credentials{password: "wrong"}, "invalid_grant, description: the username or password is wrong"},
		{"no client in the header", credentials{password: "alice-password", id: &none}, "invalid_client, description: no client is named"},
		{"no client in the body", credentials{password: "alice-password", id: &none, location: "request-body"}, "invalid_client, description: no client is named"},
		{"a wrong secret in the header", credentials{password: "alice-password", id: &web, secret: &wrong}, "invalid_client, description: client authentication failed"},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := newPage(t)
			p.open(e.url("8081", "/"))
			test.username = "alice"
			p.authorize(test.credentials)
			if shown := p.text(dialogError); !strings.Contains(shown, test.want) {
				t.Errorf("it shows %q, want %q in it", shown, test.want)
			}
			p.wantErrors(1, "status of 400")
		})
	}
	t.Run("no token", func(t *testing.T) {
		p := newPage(t)
		p.open(e.url("8081", "/"))
		if status, _ := p.tryOut(); status != "401" {
			t.Errorf("the page shows %s", status)
		}
		p.wantErrors(1, "status of 401")
	})
	if seen := a.take(); len(seen) != 0 {
		t.Errorf("the app received %v", seen)
	}
}

func TestSwaggerUIShowsThatALoginIsThrottled(t *testing.T) {
	e, _ := startSwaggerUI(t)
	p := newPage(t)
	p.open(e.url("8081", "/"))
	failures := p.failUntilThrottled(e.url("8080", "/token"), "swagger-ui")
	p.authorize(credentials{username: "alice", password: "alice-password"})
	if shown := p.text(dialogError); !strings.Contains(shown, "too many failed attempts, try again later") {
		t.Errorf("it shows %q", shown)
	}
	p.wantErrors(failures+1, "the server responded with a status of 4")
}

// Without it in Access-Control-Allow-Headers, as in many recipes for CORS, the browser
// does not even send the login.
func TestSwaggerUICannotLogInWhereXRequestedWithIsNotAllowed(t *testing.T) {
	e, _ := startSwaggerUI(t, ", X-Requested-With\"", "\"")
	p := newPage(t)
	p.open(e.url("8081", "/"))
	p.authorize(credentials{username: "alice", password: "alice-password"})
	if shown := p.text(dialogError); !strings.Contains(shown, "Failed to fetch") {
		t.Errorf("it shows %q", shown)
	}
	p.wantErrors(2, "x-requested-with is not allowed by Access-Control-Allow-Headers", "net::ERR_FAILED")
}
