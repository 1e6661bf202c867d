// Package keys tests API keys: what bearer_auth does with them, what the app gets to see,
// and what ends them.
package keys

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
	"github.com/caddygrant/caddy-grant/internal/apikey"
)

func TestMain(m *testing.M) { harness.Main(m) }

// owners are lines of an endpoint with owners of keys.
const owners = `issuer https://api.example.com
		throttle off
		scopes   read write
		client web {
			secret web-secret
			scopes read write
		}
		client batch {
			secret   batch-secret
			scopes   read
			audience https://api.example.com https://batch.example.com
		}
		client alice {
			secret alice-secret
			scopes read
		}
		user alice ` + harness.HashCheap + ` {
			claim email alice@example.com
			claim level 3
			claim groups staff
		}
		user bob ` + harness.HashCheapAnother + ` {
			id     u-2
			scopes read
		}
		api_keys lines %DIR%/keys.txt`

// ring is keys that are made at first use, by their names.
type ring map[string]string

// key is the key of that name.
func (r ring) key(name string) string {
	if r[name] == "" {
		r[name] = apikey.Make()
	}
	return r[name]
}

// line is a key in a file.
func (r ring) line(name, fields string) string {
	return name + " " + apikey.DigestOf(r.key(name)).Hash() + " " + fields + "\n"
}

// lines are keys in a file: the names, each with its fields.
func (r ring) lines(pairs ...string) string {
	var text strings.Builder
	for i := 0; i < len(pairs); i += 2 {
		text.WriteString(r.line(pairs[i], pairs[i+1]))
	}
	return text.String()
}

// edge is a site with an app behind it, and keys.
type edge struct {
	*harness.Site
	ring
	app *harness.App
}

// serve serves an endpoint with the owners and these handlers, and a file of the keys.
func serve(t *testing.T, keys ring, file, handlers string) edge {
	t.Helper()
	e := edge{harness.NewSite(t), keys, harness.NewApp(t)}
	e.Write("keys.txt", file)
	e.Reload("", e.app.In("http://127.0.0.1:%PORT% {\n\tbind 127.0.0.1\n\tlog\n\ttoken_endpoint {\n\t\t"+owners+"\n\t}\n\thandle /metrics {\n\t\tmetrics\n\t}\n"+handlers+"\n}\n"))
	return e
}

// get asks for a path.
func (e edge) get(path string, headers ...string) harness.Answer {
	e.T.Helper()
	e.app.Take()
	return e.Do(e.Request(http.MethodGet, path, "", headers...))
}

// want fails the test unless a request is answered so, and reaches the app only with 200.
func (e edge) want(t *testing.T, status int, path string, headers ...string) {
	t.Helper()
	if a := e.get(path, headers...); a.Status != status {
		t.Errorf("%s: got %d, want %d; the log says %q", path, a.Status, status, e.LastReason())
	}
	if e.app.Reached() != (status == 200) {
		t.Errorf("%s: reached the app: %v", path, e.app.Reached())
	}
}

// received is what the app gets with a request that passes.
func (e edge) received(t *testing.T, path string, headers ...string) harness.Received {
	t.Helper()
	if a := e.get(path, headers...); a.Status != 200 {
		t.Fatalf("%s: got %d; the log says %q", path, a.Status, e.LastReason())
	}
	return e.app.One(t)
}

// refused fails the test unless a request is answered 401 for that reason.
func (e edge) refused(t *testing.T, reason, path string, headers ...string) {
	t.Helper()
	e.want(t, 401, path, headers...)
	if got := e.LastReason(); got != reason {
		t.Errorf("the log says %q, want %q", got, reason)
	}
}

// inHeader is the header of keys.
func inHeader(key string) string { return "X-Api-Key: " + key }

// wantNone fails the test if a text has a key or its hash.
func (e edge) wantNone(t *testing.T, where, text string) {
	t.Helper()
	for name, key := range e.ring {
		for what, secret := range map[string]string{"key": key, "end of the key": key[20:], "hash": strings.TrimPrefix(apikey.DigestOf(key).Hash(), "sha256:")} {
			if at := strings.Index(text, secret); at >= 0 {
				t.Errorf("the %s has the %s of %s after …%s", where, what, name, text[max(0, at-300):at])
			}
		}
	}
}

// who responds with what the placeholders say.
const who = `respond /who* "{http.auth.user.kind}|{http.auth.user.id}|{http.auth.user.username}|{http.auth.user.client_id}|{http.auth.user.key_name}|{http.auth.user.scope}|{http.auth.user.email}|{http.auth.user.issuer}"`

// says fails the test unless the placeholders are so.
func (e edge) says(t *testing.T, want, path string, headers ...string) {
	t.Helper()
	if a := e.get(path, headers...); a.Status != 200 || string(a.Body) != want {
		t.Errorf("%s: got %d %s, want %s; the log says %q", path, a.Status, a.Body, want, e.LastReason())
	}
}

// accessLine is the line of a path in the access log, which comes after the answer.
func (e edge) accessLine(path string) (found map[string]any) {
	e.T.Helper()
	harness.Eventually(e.T, "the access log has "+path, func() bool {
		for _, line := range e.Logged(func(line map[string]any) bool { return strings.HasPrefix(text(line, "logger"), "http.log.access") }) {
			if request, _ := line["request"].(map[string]any); request["uri"] == path {
				found = line
			}
		}
		return found != nil
	})
	return found
}

// text is a field of a line of the log.
func text(line map[string]any, field string) string {
	if line[field] == nil {
		return ""
	}
	return fmt.Sprint(line[field])
}
