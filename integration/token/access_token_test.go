package token

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
)

// Section H of the conformance list: the access token as a JWT.
func TestAccessTokens(t *testing.T) {
	hash := harness.CheapHash(t, "password")
	sources := `
		client web {
			secret web-secret
			scopes read write
		}
		client once {
			secret web-secret
			grants password
		}
		client short {
			secret web-secret
			access_token_ttl 90s
			audience https://one.example https://two.example
		}
		user alice ` + hash + `
		user bob ` + hash + ` {
			id u-2
			claim email bob@example.com
			claim plan "a \"quoted\" <plan> ü"
		}
		user web ` + hash + `
`
	s := harness.Start(t, `http://127.0.0.1:%PORT% {
	token_endpoint {
		`+sources+`
	}
	token_endpoint /issued {
		name issued
		issuer https://auth.example/tenant
		typ at+jwt
		access_token_ttl 10m
		session_ttl 45d
		`+sources+`
	}
	token_endpoint /aud {
		name aud
		issuer https://auth.example
		audience https://api.example
		`+sources+`
	}
	token_endpoint /rs {
		name rs
		signing_key RS256
		`+sources+`
	}
}
`)
	login := func(path, client, user string) harness.Answer {
		t.Helper()
		a := s.Post(path, "grant_type=password&client_secret=web-secret&password=password&client_id="+client+"&username="+user)
		a.Want(t, 200, "")
		return a
	}

	t.Run("H1: signed with a published key, by ES256 where nothing is set", func(t *testing.T) {
		header, _ := s.Verified(login("/token", "web", "alice").Text(t, "access_token"), "/token")
		if header["alg"] != "ES256" {
			t.Fatalf("alg %v", header["alg"])
		}
	})
	t.Run("H1: RS256 is there", func(t *testing.T) {
		header, _ := s.Verified(login("/rs", "web", "alice").Text(t, "access_token"), "/rs")
		if header["alg"] != "RS256" {
			t.Fatalf("alg %v", header["alg"])
		}
	})
	t.Run("H2, H11: the header has alg, typ and a published kid, and nothing else", func(t *testing.T) {
		for path, typ := range map[string]string{"/token": "JWT", "/issued": "at+jwt"} {
			header, _ := s.Verified(login(path, "web", "alice").Text(t, "access_token"), path)
			if header["typ"] != typ {
				t.Errorf("typ of %s: %v", path, header["typ"])
			}
			if names := slices.Sorted(maps.Keys(header)); !slices.Equal(names, []string{"alg", "kid", "typ"}) {
				t.Errorf("header of %s: %v", path, names)
			}
		}
	})

	always := []string{"cid", "client_id", "cver", "exp", "iat", "jti", "nbf", "scope", "sid", "srv", "sub", "username"}
	for _, test := range []struct {
		name, path, client, user string
		also, without            []string
		want                     map[string]any
	}{
		{
			name: "H3: without an issuer", path: "/token", client: "web", user: "alice",
			want: map[string]any{"sub": "alice", "username": "alice", "cid": "web", "client_id": "web", "scope": "read write"},
		},
		{
			name: "H5: with an issuer, which is the audience where none is set", path: "/issued", client: "web", user: "alice",
			also: []string{"iss", "aud"},
			want: map[string]any{"iss": "https://auth.example/tenant", "aud": []any{"https://auth.example/tenant"}},
		},
		{
			name: "H5: with an audience", path: "/aud", client: "web", user: "alice",
			also: []string{"iss", "aud"},
			want: map[string]any{"iss": "https://auth.example", "aud": []any{"https://api.example"}},
		},
		{
			name: "H5: with the client's audience in place of the server's", path: "/aud", client: "short", user: "alice",
			also: []string{"iss", "aud"}, without: []string{"scope"},
			want: map[string]any{"aud": []any{"https://one.example", "https://two.example"}},
		},
		{
			name: "H4: without any scope there is no claim", path: "/token", client: "short", user: "alice",
			also: []string{"aud"}, without: []string{"scope"},
		},
		{
			name: "H6, H12: a user with an id and claims, and no other personal data", path: "/token", client: "web", user: "bob",
			also: []string{"email", "plan"},
			want: map[string]any{"sub": "u-2", "username": "bob", "email": "bob@example.com", "plan": `a "quoted" <plan> ü`},
		},
		{
			name: "H7: a user named like a client", path: "/token", client: "web", user: "web",
			want: map[string]any{"sub": "web", "username": "web", "client_id": "web"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, claims := s.Verified(login(test.path, test.client, test.user).Text(t, "access_token"), test.path)
			names := slices.DeleteFunc(slices.Sorted(slices.Values(append(test.also, always...))), func(name string) bool {
				return slices.Contains(test.without, name)
			})
			if got := slices.Sorted(maps.Keys(claims)); !slices.Equal(got, names) {
				t.Errorf("claims %v, want %v", got, names)
			}
			for name, want := range test.want {
				if fmt.Sprintf("%#v", claims[name]) != fmt.Sprintf("%#v", want) {
					t.Errorf("%s is %#v, want %#v", name, claims[name], want)
				}
			}
		})
	}

	t.Run("H8: times are whole seconds and say what the answer says", func(t *testing.T) {
		for _, test := range []struct {
			path, client string
			ttl          int64
			session      int64 // how long it is possible, from the login on
		}{
			{"/token", "web", 3600, 30 * 24 * 3600}, {"/token", "short", 90, 30 * 24 * 3600}, {"/token", "once", 3600, 3600},
			{"/issued", "web", 600, 45 * 24 * 3600}, {"/issued", "short", 90, 45 * 24 * 3600}, {"/issued", "once", 600, 600},
		} {
			before := time.Now().Unix()
			a := login(test.path, test.client, "alice")
			_, claims := harness.Decoded(t, a.Text(t, "access_token"))
			second := func(name string) int64 {
				number, ok := claims[name].(json.Number)
				value, err := number.Int64()
				if !ok || err != nil {
					t.Fatalf("%s is %#v", name, claims[name])
				}
				return value
			}
			iat, exp := second("iat"), second("exp")
			if second("nbf") != iat || exp-iat != test.ttl || iat < before || iat > time.Now().Unix() {
				t.Errorf("%s for %s: iat %d, nbf %d, exp %d", test.path, test.client, iat, second("nbf"), exp)
			}
			if a.JSON["expires_in"] != float64(test.ttl) {
				t.Errorf("%s for %s: expires_in %v", test.path, test.client, a.JSON["expires_in"])
			}
			day := time.Unix(iat+test.session, 0).UTC().Format("20060102")
			if sid := claims["sid"].(string); !regexp.MustCompile(`^` + day + `-[0-9a-f]{40,}$`).MatchString(sid) {
				t.Errorf("sid %q, its last day is %s", sid, day)
			}
		}
	})

	t.Run("H12: no claim is made of the hash alone", func(t *testing.T) {
		_, alice := harness.Decoded(t, login("/token", "web", "alice").Text(t, "access_token"))
		_, bob := harness.Decoded(t, login("/token", "web", "bob").Text(t, "access_token"))
		_, elsewhere := harness.Decoded(t, login("/issued", "web", "alice").Text(t, "access_token"))
		if alice["cver"] == bob["cver"] || alice["cver"] == elsewhere["cver"] {
			t.Fatalf("cver of alice %v, of bob with the same hash %v, of alice at another server %v", alice["cver"], bob["cver"], elsewhere["cver"])
		}
		if decoded, err := base64.RawURLEncoding.DecodeString(alice["cver"].(string)); err != nil || len(decoded) != 16 {
			t.Fatalf("cver %v is not 128 bits", alice["cver"])
		}
	})
}

// Identifiers do not repeat, also under parallel logins.
func TestTokenIDs(t *testing.T) {
	s := harness.NewSite(t)
	s.Write("users", "alice:"+harness.HashWith(t, "{SHA}", "password")+"\n")
	s.Reload("", harness.WebSite("users htpasswd %DIR%/users\nallow_weak_hashes\nsigning_key HS256\npassword_checks {\nwait 50s\n}"))

	const workers, each = 8, 400
	var mu sync.Mutex
	seen := map[string]map[string]bool{"jti": {}, "sid": {}}
	versions := make(map[string]bool)
	var group sync.WaitGroup
	for range workers {
		group.Go(func() {
			for range each {
				a, err := s.Attempt("alice", "password")
				token, _ := a.JSON["access_token"].(string)
				if err != nil || token == "" {
					t.Errorf("no token: %d %s %v", a.Status, a.Body, err)
					return
				}
				payload, _ := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[1])
				var claims struct{ JTI, SID, CVer string }
				if err := json.Unmarshal(payload, &claims); err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				seen["jti"][claims.JTI], seen["sid"][claims.SID], versions[claims.CVer] = true, true, true
				mu.Unlock()
			}
		})
	}
	group.Wait()
	t.Run("H8: jti and sid are unique over thousands of tokens", func(t *testing.T) {
		for name, values := range seen {
			if len(values) != workers*each {
				t.Errorf("%d different %s in %d tokens", len(values), name, workers*each)
			}
		}
	})
	t.Run("H8: jti has 160 random bits", func(t *testing.T) {
		for jti := range seen["jti"] {
			if decoded, err := base64.RawURLEncoding.DecodeString(jti); err != nil || len(decoded) < 20 {
				t.Fatalf("jti %q", jti)
			}
		}
	})
	t.Run("cver is the same as long as nothing changes", func(t *testing.T) {
		if len(versions) != 1 {
			t.Fatalf("%d different ones", len(versions))
		}
	})
}

// The credential version follows the password and the server, and nothing else.
func TestCredentialVersion(t *testing.T) {
	s := harness.NewSite(t)
	// another hash of the same password, and another password
	first, again, other := harness.CheapHash(t, "password"), harness.CheapHash(t, "password"), harness.CheapHash(t, "other")
	config := func(name, hash, more string) string {
		return harness.WebSite("name " + name + "\n" + more + "\nuser alice " + hash + " {\nid u-1\n}")
	}
	version := func(password string) string {
		t.Helper()
		a := s.Relogin("alice", password)
		a.Want(t, 200, "")
		_, claims := harness.Decoded(t, a.Text(t, "access_token"))
		return claims["cver"].(string)
	}
	s.Reload("", config("one", first, ""))
	before := version("password")

	s.Reload("", config("one", first, "access_token_ttl 5m"))
	if got := version("password"); got != before {
		t.Errorf("changed by a reload: %s to %s", before, got)
	}
	s.Reload("", config("one", first, "signing_key EdDSA"))
	if got := version("password"); got != before {
		t.Errorf("changed by another signing key: %s to %s", before, got)
	}
	if err := caddy.Stop(); err != nil {
		t.Fatal(err)
	}
	s.Reload("", config("one", first, ""))
	if got := version("password"); got != before {
		t.Errorf("changed by a restart: %s to %s", before, got)
	}
	s.Reload("", config("one", other, ""))
	if got := version("other"); got == before {
		t.Error("not changed by another password")
	}
	s.Reload("", config("one", again, ""))
	if got := version("password"); got == before {
		t.Error("not changed by another hash of the password")
	}
	s.Reload("", config("two", first, ""))
	if got := version("password"); got == before {
		t.Error("not changed by another server name")
	}
}
