package session

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
)

// DESIGN §4: what is in a refresh token, and in the access token that comes with it.

func TestRefreshTokenClaims(t *testing.T) {
	s := harness.StartSessions(t, "")
	web := s.Web()
	session := web.Login(t, "bob") // whose id is not the username
	chain := []harness.TokenPair{session, web.Refreshed(t, session.Refresh)}
	chain = append(chain, web.Refreshed(t, chain[1].Refresh))

	for generation, session := range chain {
		header, claims := harness.Decoded(t, session.Refresh)
		_, access := harness.Decoded(t, session.Access)
		t.Run("H2: typ is refresh+jwt, signed by HMAC", func(t *testing.T) {
			delete(header, "kid")
			if !maps.Equal(header, map[string]any{"alg": "HS256", "typ": "refresh+jwt"}) {
				t.Errorf("header %v", header)
			}
		})
		t.Run("the claims are those of the sample and what rotation needs, no others", func(t *testing.T) {
			want := []string{
				"access_token_id", "client_id", "cver", "exp", "expire_time", "gen", "iat",
				"refresh_token_id", "scope", "session_exp", "sid", "user_id",
			}
			if got := slices.Sorted(maps.Keys(claims)); !slices.Equal(got, want) {
				t.Errorf("claims %v", got)
			}
		})
		t.Run("they say what they mean", func(t *testing.T) {
			for name, want := range map[string]any{
				"client_id": "web", "user_id": "u-2", "scope": "read", "gen": json.Number(string(rune('0' + generation))),
				"access_token_id": access["jti"], "sid": access["sid"], "cver": access["cver"], "iat": access["iat"],
				"expire_time": claims["exp"],
			} {
				if claims[name] != want {
					t.Errorf("%s is %v, want %v", name, claims[name], want)
				}
			}
			for _, name := range []string{"exp", "iat", "expire_time", "session_exp", "gen"} {
				numericClaim(t, session.Refresh, name)
			}
		})
		t.Run("the defaults are 14 days for a token and 30 days for the session", func(t *testing.T) {
			iat, first := numericClaim(t, session.Refresh, "iat"), numericClaim(t, chain[0].Refresh, "iat")
			if got := numericClaim(t, session.Refresh, "exp"); got != iat+14*24*3600 {
				t.Errorf("exp is iat + %d", got-iat)
			}
			if got := numericClaim(t, session.Refresh, "session_exp"); got != first+30*24*3600 {
				t.Errorf("G15: session_exp is the login + %d", got-first)
			}
		})
		t.Run("sid is copied, and starts with the UTC day of the session's end", func(t *testing.T) {
			ends := time.Unix(numericClaim(t, session.Refresh, "session_exp"), 0).UTC()
			if got := harness.TextClaim(t, session.Refresh, "sid"); got != harness.TextClaim(t, chain[0].Access, "sid") || !strings.HasPrefix(got, ends.Format("20060102-")) {
				t.Errorf("sid is %s, the session ends at %s", got, ends)
			}
		})
		t.Run("H2: the access token is of the server's typ, H3: with its claims", func(t *testing.T) {
			header, _ := harness.Decoded(t, session.Access)
			if header["typ"] != "JWT" || access["sub"] != "u-2" || access["cid"] != "web" || access["client_id"] != "web" || access["username"] != "bob" {
				t.Errorf("header %v, claims %v", header, access)
			}
		})
	}
	t.Run("H12: nothing in it says who the user is, or tells of the password", func(t *testing.T) {
		decoded, err := base64.RawURLEncoding.DecodeString(strings.Split(chain[0].Refresh, ".")[1])
		if err != nil {
			t.Fatal(err)
		}
		for _, part := range []string{"bob", "$2", "correct", "email"} {
			if strings.Contains(string(decoded), part) {
				t.Errorf("%q is in %s", part, decoded)
			}
		}
	})
}

// A token is as hard to guess as its signature (256 bits) and its random ids.
func TestRefreshTokensCannotBeGuessed(t *testing.T) {
	s := harness.StartSessions(t, "")
	web := s.Web()
	session := web.Login(t, "alice")
	seen := make(map[string]bool)
	for range 200 {
		session = web.Refreshed(t, session.Refresh)
		for _, name := range []string{"refresh_token_id", "access_token_id"} {
			id := harness.TextClaim(t, session.Refresh, name)
			if random, err := base64.RawURLEncoding.DecodeString(id); err != nil || len(random) < 20 || seen[id] {
				t.Fatalf("G19: %s is %q: %d bytes, there before: %t", name, id, len(random), seen[id])
			}
			seen[id] = true
		}
	}
	signature, err := base64.RawURLEncoding.DecodeString(session.Refresh[strings.LastIndex(session.Refresh, ".")+1:])
	if err != nil || len(signature) != 32 {
		t.Errorf("G19: the signature has %d bytes", len(signature))
	}
	_, random, _ := strings.Cut(harness.TextClaim(t, session.Refresh, "sid"), "-")
	if len(random) != 40 || strings.Trim(random, "0123456789abcdef") != "" {
		t.Errorf("G19: the random part of sid is %q, not 160 bits in hex", random)
	}

	t.Run("G2, G19: no altered character verifies", func(t *testing.T) {
		for i := 0; i < len(session.Refresh); i += 7 {
			other := "A"
			if session.Refresh[i] == 'A' {
				other = "B"
			}
			web.Refresh(session.Refresh[:i]+other+session.Refresh[i+1:]).Want(t, 400, "invalid_grant")
		}
		for _, last := range []string{"A", "B", "g", "_", "", "=", "\n"} { // base64 has spare bits in the last one
			if altered := session.Refresh[:len(session.Refresh)-1] + last; altered != session.Refresh {
				web.Refresh(altered).Want(t, 400, "invalid_grant")
			}
		}
		web.WantGoing(t, session)
	})
}

// No token outlives its session, and what the answer says of a token is what is in it.
func TestRefreshTokenLifetimes(t *testing.T) {
	const day = 24 * 3600
	s := harness.StartSessions(t, `
		client half {
			secret            half-secret
			refresh_token_ttl 30m
		}
	}
	token_endpoint /brief {
		name              brief
		access_token_ttl  2h
		refresh_token_ttl 3h
		session_ttl       1h
		client web {
			secret web-secret
			scopes read
		}
		client minutes {
			secret            minutes-secret
			scopes            read
			access_token_ttl  2m
			refresh_token_ttl 5m
		}
		user alice `+harness.HashBcrypt+`
	}
	token_endpoint /rfc9068 {
		name   rfc9068
		issuer https://api.example.com
		typ    at+jwt
		client web {
			secret web-secret
		}
		user alice `+harness.HashBcrypt)
	for _, test := range []struct {
		name                     string
		client                   harness.OAuthClient
		access, refresh, session int64
	}{
		{"the server's lifetimes", s.Web(), 3600, 14 * day, 30 * day},
		{"a client's own lifetimes", s.As("short"), 300, 3600, 30 * day},
		{"a client's own lifetime of refresh tokens only", s.As("half"), 3600, 1800, 30 * day},
		{"lifetimes longer than the session", s.Web().At("/brief"), 3600, 3600, 3600},
		{"a client's own lifetimes in a brief session", s.As("minutes").At("/brief"), 120, 300, 3600},
	} {
		t.Run(test.name, func(t *testing.T) {
			a := s.Post(test.client.Path, test.client.Form("grant_type", "password", "username", "alice", "password", "correct horse"))
			login := harness.TokensOf(t, a)
			began := numericClaim(t, login.Refresh, "iat")
			for generation, a := range []harness.Answer{a, test.client.Refresh(login.Refresh)} {
				pair := harness.TokensOf(t, a)
				iat := numericClaim(t, pair.Refresh, "iat")
				ends := began + test.session
				for what, claimed := range map[string][2]int64{
					"exp of the access token":  {numericClaim(t, pair.Access, "exp"), min(iat+test.access, ends)},
					"exp of the refresh token": {numericClaim(t, pair.Refresh, "exp"), min(iat+test.refresh, ends)},
					"expire_time":              {numericClaim(t, pair.Refresh, "expire_time"), min(iat+test.refresh, ends)},
					"session_exp":              {numericClaim(t, pair.Refresh, "session_exp"), ends},
					"expires_in of the answer": {int64(a.JSON["expires_in"].(float64)), min(iat+test.access, ends) - iat},
					"iat of the access token":  {numericClaim(t, pair.Access, "iat"), iat},
					"gen of the refresh token": {numericClaim(t, pair.Refresh, "gen"), int64(generation)},
				} {
					if claimed[0] != claimed[1] {
						t.Errorf("%s is %d, want %d (iat %d)", what, claimed[0], claimed[1], iat)
					}
				}
				want := time.Unix(ends, 0).UTC().Format("20060102-")
				if got := harness.TextClaim(t, pair.Access, "sid"); !strings.HasPrefix(got, want) {
					t.Errorf("sid is %s, want %s…", got, want)
				}
			}
		})
	}
	t.Run("H2: where access tokens are at+jwt, refresh tokens are refresh+jwt all the same", func(t *testing.T) {
		session := s.Web().At("/rfc9068").Login(t, "alice")
		session = s.Web().At("/rfc9068").Refreshed(t, session.Refresh)
		access, _ := harness.Decoded(t, session.Access)
		refresh, _ := harness.Decoded(t, session.Refresh)
		if access["typ"] != "at+jwt" || refresh["typ"] != "refresh+jwt" {
			t.Errorf("typ %v and %v", access["typ"], refresh["typ"])
		}
	})
}

// A token over 8 KiB is not made: a session either cannot begin, or can go on as its
// generation gets longer.
func TestRefreshTokensNeverGrowTooLong(t *testing.T) {
	s := harness.NewSite(t)
	var ids, clients []string
	for size := 5600; size < 5720; size++ {
		var scopes []string // together of that size, with the spaces between them
		for left := size; left > 0; left -= 101 {
			scopes = append(scopes, fmt.Sprintf("%q", fmt.Sprintf("%02d%s", len(scopes), strings.Repeat("x", min(98, max(0, left-3))))))
		}
		ids = append(ids, fmt.Sprint("c", size))
		clients = append(clients, fmt.Sprintf(`{"id": %q, "public": true, "scopes": [%s]}`, ids[len(ids)-1], strings.Join(scopes, ",")))
	}
	s.Write("clients.json", `{"clients": [`+strings.Join(clients, ",")+`]}`)
	s.Reload("", harness.WithCheapHashes(t, `http://127.0.0.1:%PORT% {
	token_endpoint {
		clients json %DIR%/clients.json
		user alice `+harness.HashBcrypt+`
	}
}
`))
	var sessions []harness.TokenPair // in the order of ids
	for _, id := range ids {
		a := s.Post("/token", s.Public(id).Form("grant_type", "password", "username", "alice", "password", "correct horse"))
		if a.Status == 500 {
			break
		}
		sessions = append(sessions, harness.TokensOf(t, a))
	}
	if len(sessions) < 3 || len(sessions) == len(ids) {
		t.Fatalf("%d of %d logins succeed: the limit is not among these", len(sessions), len(ids))
	}
	for i := len(sessions) - 3; i < len(sessions); i++ {
		session := sessions[i]
		for range 11 { // to a generation of two digits
			session = s.Public(ids[i]).Refreshed(t, session.Refresh)
		}
		if length := len(session.Refresh); length < 8140 || length > 8192 {
			t.Errorf("a refresh token has %d bytes", length)
		}
	}
}

// RFC 6749 §5.1: a refresh token is for clients that may refresh.
func TestRefreshTokensAreForClientsThatMayRefresh(t *testing.T) {
	s := harness.StartSessions(t, `
	}
	token_endpoint /logins {
		name   logins
		grants password
		client web {
			secret web-secret
		}
		client both {
			secret both-secret
			grants password refresh_token
		}
		user alice `+harness.HashBcrypt)
	for _, test := range []struct {
		name   string
		client harness.OAuthClient
		code   string // of a refresh
	}{
		{"D6: a client that may only log in", s.As("logins"), "unauthorized_client"},
		{"D6: any client of a server that has only logins", s.Web().At("/logins"), "unsupported_grant_type"},
		{"D6: there, also one that lists the grant", s.As("both").At("/logins"), "unsupported_grant_type"},
	} {
		t.Run(test.name, func(t *testing.T) {
			a := s.Post(test.client.Path, test.client.Form("grant_type", "password", "username", "alice", "password", "correct horse"))
			a.Want(t, 200, "")
			if _, there := a.JSON["refresh_token"]; there {
				t.Errorf("the answer is %s", a.Body)
			}
			token := a.Text(t, "access_token")
			if exp := time.Unix(numericClaim(t, token, "exp"), 0).UTC(); !strings.HasPrefix(harness.TextClaim(t, token, "sid"), exp.Format("20060102-")) {
				t.Errorf("sid is %s: the session ends with its access token, at %s", harness.TextClaim(t, token, "sid"), exp)
			}
			test.client.Refresh(token).Want(t, 400, test.code)
			test.client.Refresh(s.Web().Login(t, "alice").Refresh).Want(t, 400, test.code)
		})
	}
	t.Run("J7: the session of such a client can be revoked too", func(t *testing.T) {
		a := s.Post("/token", s.As("logins").Form("grant_type", "password", "username", "alice", "password", "correct horse"))
		token := a.Text(t, "access_token")
		s.As("logins").Revoke(token).Want(t, 200, "")
		if got := s.Edge(token); got != 401 {
			t.Errorf("the edge answers %d", got)
		}
	})
}
