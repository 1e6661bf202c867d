package docs

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	caddygrant "github.com/caddygrant/caddy-grant"
	"github.com/caddygrant/caddy-grant/directory"
	"github.com/caddygrant/caddy-grant/integration/internal/harness"
	"github.com/caddygrant/caddy-grant/integration/internal/outside"
	"github.com/caddygrant/caddy-grant/internal/apikey"
)

func testJSON(t *testing.T, blocks map[string]block) {
	wantAllKeys(t, blocks["bearer-config"], reflect.TypeFor[caddygrant.BearerAuth](), reflect.TypeFor[caddygrant.CopyClaim](),
		reflect.TypeFor[caddygrant.OutsideIssuer](), reflect.TypeFor[caddygrant.IssuerClaims](), reflect.TypeFor[caddygrant.AcceptedKeys](),
		reflect.TypeFor[caddygrant.RequiredClaim](), reflect.TypeFor[caddygrant.AcceptedClients]())
	wantAllKeys(t, blocks["config"], []reflect.Type{
		reflect.TypeFor[caddygrant.Handler](), reflect.TypeFor[caddygrant.LoginPage](), reflect.TypeFor[caddygrant.SigningKey](), reflect.TypeFor[caddygrant.PasswordChecks](), reflect.TypeFor[caddygrant.Throttle](),
		reflect.TypeFor[caddygrant.InlineUsers](), reflect.TypeFor[caddygrant.HtpasswdUsers](), reflect.TypeFor[caddygrant.JSONUsers](), reflect.TypeFor[directory.User](),
		reflect.TypeFor[caddygrant.InlineClients](), reflect.TypeFor[caddygrant.HtpasswdClients](), reflect.TypeFor[caddygrant.JSONClients](), reflect.TypeFor[directory.Client](),
		reflect.TypeFor[caddygrant.APIKeyFile](),
	}...)

	// It works, with the docs' files.
	const url, keysPath = "https://id.example.com/realms/staff", "/protocol/openid-connect/certs"
	staff := outside.New(t, outside.Options{Path: "/realms/staff", TLS: true})
	key := apikey.Make()
	r := newRecipe(t)
	r.Write("etc/keys.txt", "deploy "+apikey.DigestOf(key).Hash()+" user_id=512a scopes=contacts.read\n")
	r.writeOldKey()
	r.Write("etc/users.json", blocks["users-file"].text)
	r.Write("etc/clients.json", blocks["clients-file"].text)
	r.Write("etc/users.htpasswd", "carol:"+harness.HashBcrypt+"\n")
	r.Write("etc/clients.htpasswd", "batch:"+harness.HashArgon2id+"\n")
	r.Write("etc/login.html", blocks["login-template"].text)
	r.Write("etc/hs256.secret", strings.Repeat("0123456789abcdef", 2)+"\n")
	config := `{"admin": {"disabled": true, "config": {"persist": false}}, "storage": {"module": "file_system", "root": "` + r.Dir + `/storage"},
		"apps": {"http": {"servers": {"site": {"listen": ["` + r.Address() + `"], "automatic_https": {"disable": true},
		"routes": [{"handle": [` + strings.ReplaceAll(blocks["config"].text, "/etc/caddy", r.etc) + `,
		` + strings.NewReplacer(url+keysPath, staff.URL+"/keys", url, staff.URL, "/etc/caddy/ca.pem", staff.CAFile).Replace(blocks["bearer-config"].text) + `, {"handler": "static_response", "body": "{http.request.header.X-User}"}]}]}}}}}`
	if err := r.Load([]byte(config)); err != nil {
		t.Fatal(err)
	}
	for _, login := range []struct {
		client, secret, username, password, scope string
		status                                    int
	}{
		{"web", "web-secret", "alice", "demo-password", "contacts.read", 200},
		{"cli", "", "carol", "correct horse", "contacts.read contacts.write", 200},
		{"cron", "cron-secret", "carol", "correct horse", "contacts.read contacts.write", 200},
		{"batch", "correct horse", "carol", "correct horse", "contacts.read contacts.write", 200},
		{"kiosk", "", "carol", "correct horse", "contacts.read", 200},
		{"web", "web-secret", "bob", "correct horse", "", 400}, // disabled
	} {
		a := r.Login(login.username, login.password, "client_id", login.client, "client_secret", login.secret)
		if a.Status != login.status || login.status == 200 && a.Text(t, "scope") != login.scope {
			t.Errorf("%s for %s: %d %s", login.client, login.username, a.Status, a.Body)
		}
		if a.Status == 200 && login.username == "alice" {
			r.wantBody("/", "512a", harness.Bearer(a.Text(t, "access_token")))
		} else if a.Status == 200 { // and has no e-mail address
			r.wantStatus("/", 403, harness.Bearer(a.Text(t, "access_token")))
		}
	}
	r.wantBody("/", "512a", "X-API-Key: "+key)
	outsideToken := staff.Token(outside.Claim("aud", "contacts"), outside.Claim("sub", "f81d4fae"), outside.Claim("scope", "contacts.read"), outside.Claim("email", "alice@example.org"))
	harness.Eventually(t, "the keys are there", func() bool { return r.get("/", outsideToken).Status != 503 })
	r.wantBody("/", "staff:f81d4fae", harness.Bearer(outsideToken))

	r.wantStatus("/", 401)
	r.wantBody("/healthz", "", "X-User: carol")

	// The files by themselves.
	var content struct {
		Users []struct {
			Claims map[string]any `json:"claims"`
		} `json:"users"`
	}
	unmarshal(t, blocks["users-file"].text, &content)
	r.serve("http://api.example.com {\n\ttoken_endpoint {\n\t\tusers json /etc/caddy/users.json\n\t\tclients json /etc/caddy/clients.json\n\t}\n}\n")
	a := r.Login("alice", "demo-password", "client_secret", "correct horse")
	a.Want(t, 200, "")
	var claims map[string]any
	unmarshal(t, decodePart(t, a.Text(t, "access_token"), 1), &claims)
	if claims["sub"] != "512a" || claims["exp"].(float64)-claims["iat"].(float64) != 15*60 {
		t.Errorf("the claims are %v", claims)
	}
	for name, want := range content.Users[0].Claims {
		if !reflect.DeepEqual(claims[name], want) {
			t.Errorf("claim %s is %v, in the file it is %v", name, claims[name], want)
		}
	}
}

func testSigningKeys(t *testing.T, blocks map[string]block) {
	r := newRecipe(t)
	r.writeOldKey()
	r.serve(blocks["signing-keys"].text)
	a := r.Login("alice", "correct horse")
	a.Want(t, 200, "")
	if header := decodePart(t, a.Text(t, "access_token"), 0); !strings.Contains(header, `"EdDSA"`) {
		t.Errorf("signed with %s", header)
	}
	jwks := r.Do(r.Request("GET", "/token/jwks", ""))
	for _, alg := range []string{"EdDSA", "RS256"} {
		if !strings.Contains(string(jwks.Body), `"alg":"`+alg+`"`) {
			t.Errorf("the keys lack %s: %s", alg, jwks.Body)
		}
	}
}

// writeOldKey writes the PEM file of the docs' signing keys.
func (r *recipe) writeOldKey() {
	r.T.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		r.T.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		r.T.Fatal(err)
	}
	r.Write("etc/old-key.pem", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})))
}

func testHtpasswd(t *testing.T, blocks map[string]block) {
	r := newRecipe(t)
	if err := os.Remove(filepath.Join(r.etc, "users.htpasswd")); err != nil {
		t.Fatal(err)
	}
	// what a person would type
	const typing = "htpasswd() { case \" $* \" in *' -D '*) command htpasswd \"$@\";; *) echo 'correct horse' | command htpasswd -i \"$@\";; esac; }\n"
	shell(t, r.etc, typing+blocks["htpasswd"].text, "")
	content, err := os.ReadFile(filepath.Join(r.etc, "users.htpasswd"))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(string(content), "alice:$2y$12$") || strings.Contains(string(content), "bob") {
		t.Errorf("the file is %s", content)
	}
	r.serve("http://api.example.com {\n\timport tokens\n}\n")
	r.Login("alice", "correct horse").Want(t, 200, "")
	r.Login("bob", "correct horse").Want(t, 400, "invalid_grant")

	// what the docs say of its defaults
	for flags, prefix := range map[string]string{"": "u:$apr1$", "-B": "u:$2y$05$", "-2": "u:$5$", "-5": "u:$6$", "-s": "u:{SHA}"} {
		if line := shell(t, r.Dir, "htpasswd -nb "+flags+" u p", ""); !strings.HasPrefix(line, prefix) {
			t.Errorf("htpasswd %s writes %s", flags, line)
		}
	}
}

// wantAllKeys compares the keys of a block with those of the module's types.
func wantAllKeys(t *testing.T, b block, types ...reflect.Type) {
	t.Helper()
	known := map[string]bool{"handler": true}
	for _, typ := range types {
		for _, field := range reflect.VisibleFields(typ) {
			if name, _, _ := strings.Cut(field.Tag.Get("json"), ","); field.IsExported() && name != "" && name != "-" {
				known[name] = true
			}
		}
	}
	delete(known, "defined_at") // the Caddyfile adapter's note to itself
	var handler any
	unmarshal(t, b.text, &handler)
	shown := make(map[string]bool)
	var walk func(any)
	walk = func(v any) {
		switch v := v.(type) {
		case []any:
			for _, element := range v {
				walk(element)
			}
		case map[string]any:
			for key, value := range v {
				shown[key] = true
				if _, ofUser := v["username"].(string); key != "match" && key != "ca" && !(key == "claims" && ofUser) {
					walk(value)
				}
			}
		}
	}
	walk(handler)
	delete(shown, "source") // the inline key of guest modules, and that of a file of keys
	delete(known, "source")
	delete(shown, "engine") // that of engines
	if got, want := slices.Sorted(maps.Keys(shown)), slices.Sorted(maps.Keys(known)); !slices.Equal(got, want) {
		t.Errorf("the docs' JSON has the keys\n%v, the module\n%v", got, want)
	}
}

func testMetadata(t *testing.T, blocks map[string]block) {
	r := newRecipe(t)
	r.serve("http://api.example.com {\n\ttoken_endpoint {\n\t\tissuer https://api.example.com\n\t\tscopes contacts.read contacts.write\n" +
		"\t\tusers htpasswd /etc/caddy/users.htpasswd\n\t\tclient web {\n\t\t\tsecret {file./etc/caddy/web.secret}\n\t\t}\n\t}\n}\n")
	a := r.Do(r.Request("GET", "/.well-known/oauth-authorization-server", ""))
	sameMembers(t, blocks["metadata"], string(a.Body))
	var want map[string]any
	unmarshal(t, blocks["metadata"].text, &want)
	if !reflect.DeepEqual(a.JSON, want) {
		t.Errorf("got %s", a.Body)
	}

	// an issuer with a path, a public client, and no public key
	r.serve("http://api.example.com {\n\ttoken_endpoint {\n\t\tissuer https://example.com/auth\n\t\tsigning_key HS256\n" +
		"\t\tusers htpasswd /etc/caddy/users.htpasswd\n\t\tclient web {\n\t\t\tpublic\n\t\t}\n\t}\n}\n")
	a = r.Do(r.Request("GET", "/.well-known/oauth-authorization-server/auth", ""))
	if a.JSON["jwks_uri"] != nil || a.JSON["scopes_supported"] != nil || a.JSON["token_endpoint"] != "https://example.com/token" ||
		!reflect.DeepEqual(a.JSON["token_endpoint_auth_methods_supported"], []any{"none"}) {
		t.Errorf("got %d %s", a.Status, a.Body)
	}
}
