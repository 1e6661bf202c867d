package config

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
)

// Endpoints of one name are one server, wherever they are.
func TestSharedServers(t *testing.T) {
	s := harness.NewSite(t)
	s.Write("users", "alice:"+harness.CheapHash(t, "password")+"\n")
	endpoint := `
		users htpasswd %DIR%/users
		client web {
			secret web-secret
		}
	`
	form := url.Values{
		"grant_type": {"password"}, "username": {"alice"}, "password": {"password"},
		"client_id": {"web"}, "client_secret": {"web-secret"},
	}
	from := func(t *testing.T, target string) (kid, version any) {
		t.Helper()
		harness.Eventually(t, "there is a certificate for "+target, func() bool {
			response, err := s.Client.PostForm(target, form)
			if err == nil {
				response.Body.Close()
			}
			return err == nil
		})
		a := s.Do(s.Request("POST", target, form.Encode()))
		a.Want(t, 200, "")
		header, claims := harness.Decoded(t, a.Text(t, "access_token"))
		return header["kid"], claims["cver"]
	}
	plain, encrypted := s.URL("/token"), s.Expand("https://localhost:%TLSPORT%/token")
	host := s.Expand("http://localhost:%PORT%/token")
	for _, test := range []struct {
		name, sites string
		targets     []string
	}{
		{"one site over HTTP and HTTPS", `http://127.0.0.1:%PORT%, https://localhost:%TLSPORT% {
	tls internal
	token_endpoint {` + endpoint + `}
}
`, []string{plain, encrypted}},
		{"a snippet imported into several sites", `(auth) {
	token_endpoint {` + endpoint + `}
}
http://127.0.0.1:%PORT% {
	import auth
}
http://localhost:%PORT% {
	import auth
}
https://localhost:%TLSPORT% {
	tls internal
	import auth
}
`, []string{plain, host, encrypted}},
		{"one name in two sites, at other paths and with other transport", `http://127.0.0.1:%PORT% {
	token_endpoint {
		name shared
		` + endpoint + `
	}
	token_endpoint /second {
		name shared
		allow_http
		` + endpoint + `
	}
}
http://localhost:%PORT% {
	token_endpoint {
		name shared
		` + endpoint + `
	}
}
`, []string{plain, s.URL("/second"), host}},
	} {
		t.Run(test.name, func(t *testing.T) {
			s.Reload(harness.TLSOptions, strings.ReplaceAll(test.sites, "%TLSPORT%", fmt.Sprint(s.TLSPort)))
			s.Client.CloseIdleConnections()
			s.Relogin("alice", "password").Want(t, 200, "")
			kid, version := from(t, test.targets[0])
			for _, target := range test.targets[1:] {
				if k, v := from(t, target); k != kid || v != version {
					t.Errorf("%s signs with kid %v and cver %v, %s with %v and %v", target, k, v, test.targets[0], kid, version)
				}
			}
		})
	}
	t.Run("and all of them read the file once", func(t *testing.T) {
		if lines := s.Logged(func(line map[string]any) bool { return line["msg"] == "users loaded" }); len(lines) != 1 {
			t.Fatalf("%d times: %v", len(lines), lines)
		}
	})
}

// A name with two meanings is refused, in JSON as in the Caddyfile.
func TestServersOfOneNameMustBeEqual(t *testing.T) {
	s := harness.NewSite(t)
	hash := harness.CheapHash(t, "password")
	endpoint := func(path string) string {
		return "token_endpoint " + path + " {\nname twin\nuser alice " + hash + "\nclient web {\nsecret web-secret\n}\n}\n"
	}
	sites := "http://127.0.0.1:%PORT% {\n" + endpoint("/token") + endpoint("/other") + "}\n"
	for _, test := range []struct {
		name, key string
		value     any
	}{
		{"issuer", "issuer", "https://other.example"},
		{"lifetime", "access_token_ttl", "5m"},
		{"users", "users", []any{map[string]any{"source": "inline", "users": []any{map[string]any{"username": "eve", "password_hash": hash}}}}},
	} {
		t.Run("another "+test.name, func(t *testing.T) {
			err := tryEdited(s, sites, func(endpoint map[string]any) {
				if endpoint["path"] == "/other" {
					endpoint[test.key] = test.value
				}
			})
			harness.WantLoadError(t, err, `"twin"`, "different settings", "a name of its own")
		})
	}
	t.Run("equal settings are one server", func(t *testing.T) {
		if err := tryEdited(s, sites, func(map[string]any) {}); err != nil {
			t.Fatal(err)
		}
	})
	t.Run("another path and allow_http are the endpoint's own", func(t *testing.T) {
		err := tryEdited(s, sites, func(endpoint map[string]any) { endpoint["allow_http"] = endpoint["path"] == "/other" })
		if err != nil {
			t.Fatal(err)
		}
	})
	t.Run("the Caddyfile names both places", func(t *testing.T) {
		_, err := harness.Adapt(s.Expand("http://127.0.0.1:%PORT% {\n" + endpoint("/token") + "}\nhttp://localhost:%PORT% {\n" + strings.Replace(endpoint("/token"), "name twin", "name twin\nissuer https://other.example", 1) + "}\n"))
		harness.WantLoadError(t, err, `"twin"`, "Caddyfile:2", "Caddyfile:1")
	})
}

// A config that does not load takes nothing from the one that runs: several times in a
// row, since a reference that is given back once too often only shows then.
func TestFailedReloads(t *testing.T) {
	s := harness.NewSite(t)
	s.Write("users", "alice:"+harness.CheapHash(t, "password")+"\n")
	s.Write("clients.json", `{"clients":[{"id":"app","public":true}]}`)
	s.WriteOld("broken", "no colon\n")
	good := "users htpasswd %DIR%/users\nclients json %DIR%/clients.json\n"
	s.Reload("", harness.WebSite(good))
	before := string(s.JWKS("/token").Body)

	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	for _, test := range []struct{ name, sites, text string }{
		{"a users file that is broken", harness.WebSite(good + "users htpasswd %DIR%/broken"), "broken"},
		{"a users file that is missing", harness.WebSite("users htpasswd %DIR%/missing\n" + good), "missing"},
		{"a signing key that is missing", harness.WebSite(good + "signing_key RS256 file %DIR%/missing"), "missing"},
		{"a duplicate id", harness.WebSite(good + "user bob " + harness.HashBcrypt + " {\nid alice\n}"), "unique"},
		{"a port that is taken, which shows when all is provisioned", harness.WebSite(good) + "http://" + busy.Addr().String() + " {\nrespond x\n}\n", "address already in use"},
		{"another module that fails", harness.WebSite(good) + "http://localhost:%PORT% {\nbasic_auth {\nbob not-a-hash\n}\n}\n", "http_basic"},
	} {
		t.Run("the old config goes on after "+test.name, func(t *testing.T) {
			for range 3 {
				harness.WantLoadError(t, s.TryReload("", test.sites), test.text)
				s.Relogin("alice", "password").Want(t, 200, "")
				s.Relogin("alice", "password", "client_id", "app", "client_secret", "").Want(t, 200, "")
			}
			if after := string(s.JWKS("/token").Body); after != before {
				t.Fatalf("keys changed from %s to %s", before, after)
			}
		})
	}
	t.Run("and still follows its files", func(t *testing.T) {
		s.Write("users", "alice:"+harness.CheapHash(t, "new")+"\n")
		s.Write("clients.json", `{"clients":[{"id":"app2","public":true}]}`)
		harness.Eventually(t, "the new files are active", func() bool {
			return s.Login("alice", "new", "client_id", "app2", "client_secret", "").Status == 200
		})
		s.Login("alice", "password").Want(t, 400, "invalid_grant")
	})
}

// Whoever logs in while the config is reloaded notices nothing.
func TestReloadsUnderLogins(t *testing.T) {
	s := harness.NewSite(t)
	s.Write("users", "alice:"+harness.CheapHash(t, "password")+"\n")
	site := func(i int) string {
		return harness.WebSite(fmt.Sprintf("users htpasswd %%DIR%%/users\naccess_token_ttl %ds\npassword_checks {\nwait 50s\n}", 60+i%2))
	}
	s.Reload("", site(0))
	before := string(s.JWKS("/token").Body)

	stop := make(chan struct{})
	var group sync.WaitGroup
	var logins atomic.Int64
	for range 4 {
		group.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				// no answer at all is Caddy's: it closes connections of the old config
				a, err := s.Attempt("alice", "password")
				if err != nil {
					continue
				}
				if a.Status != 200 {
					t.Errorf("answered %d %s", a.Status, a.Body)
					return
				}
				logins.Add(1)
			}
		})
	}
	for i := range 25 {
		seen := logins.Load()
		s.Reload("", site(i+1))
		harness.Eventually(t, "logins go on", func() bool { return t.Failed() || logins.Load() > seen })
	}
	close(stop)
	group.Wait()
	if after := string(s.JWKS("/token").Body); after != before {
		t.Errorf("keys changed from %s to %s", before, after)
	}
	if objects, _ := filepath.Glob(s.Path("storage/grant/*/keys/*/*")); len(objects) != 1 {
		t.Errorf("keys in storage: %v", objects)
	}
	if lines := s.Logged(func(line map[string]any) bool {
		return line["level"] == "error" || strings.Contains(strings.ToLower(fmt.Sprint(line["msg"])), "panic")
	}); len(lines) > 0 {
		t.Errorf("in the log: %v", lines)
	}
}

// A request that is under way stays with the config that it began with, which Caddy
// cleans up meanwhile.
func TestRequestAcrossReload(t *testing.T) {
	s := harness.NewSite(t)
	s.Write("users", "alice:"+harness.CheapHash(t, "password")+"\n")
	s.Reload("", harness.WebSite("users htpasswd %DIR%/users"))
	body := "grant_type=password&username=alice&password=password&client_id=web&client_secret=web-secret"

	conn, err := net.Dial("tcp", s.Address())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	reader := bufio.NewReader(conn)
	fmt.Fprintf(conn, "POST /token HTTP/1.1\r\nHost: %s\r\nExpect: 100-continue\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n\r\n", s.Address(), len(body))
	// the server asks for the body when the endpoint begins to read it
	if line, err := reader.ReadString('\n'); err != nil || !strings.Contains(line, "100 Continue") {
		t.Fatalf("%q %v", line, err)
	}
	if _, err := reader.ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	s.Reload("", harness.WebSite("user bob "+harness.CheapHash(t, "password")))
	if _, err := io.WriteString(conn, body); err != nil {
		t.Fatal(err)
	}
	response, err := http.ReadResponse(reader, nil)
	if err != nil {
		t.Fatalf("no answer: %v", err)
	}
	defer response.Body.Close()
	if answer, _ := io.ReadAll(response.Body); response.StatusCode != 200 {
		t.Fatalf("%d %s", response.StatusCode, answer)
	}
}

// tryEdited loads a Caddyfile whose token endpoints are changed after it became JSON:
// for what a Caddyfile cannot say, or already refuses.
func tryEdited(s *harness.Site, sites string, edit func(endpoint map[string]any)) error {
	s.T.Helper()
	config, err := harness.Adapt(s.Expand(strings.Replace(harness.GlobalOptions, "%OPTIONS%", "", 1) + sites))
	if err != nil {
		s.T.Fatalf("adapting the Caddyfile: %v", err)
	}
	var tree any
	if err := json.Unmarshal(config, &tree); err != nil {
		s.T.Fatal(err)
	}
	var walk func(any)
	walk = func(node any) {
		switch node := node.(type) {
		case map[string]any:
			if node["handler"] == "token_endpoint" {
				edit(node)
				return
			}
			for _, child := range node {
				walk(child)
			}
		case []any:
			for _, child := range node {
				walk(child)
			}
		}
	}
	walk(tree)
	edited, err := json.Marshal(tree)
	if err != nil {
		s.T.Fatal(err)
	}
	return s.Load(edited)
}
