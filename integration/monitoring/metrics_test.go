// Package monitoring tests what an operator sees: metrics, the log, and what reads
// them.
package monitoring

import (
	"context"
	"fmt"
	"maps"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
)

// countedSite is a server of that name with checks of all kinds, and Caddy's metrics.
const countedSite = `http://127.0.0.1:%PORT% {
	token_endpoint {
		name counted
		issuer http://127.0.0.1:%PORT%
		scopes read write
		refresh_grace 0s
		client web {
			secret web-secret
		}
		client other {
			secret other-secret
			grants password
		}
		client cli {
			public
		}
		user alice ` + harness.HashBcrypt + `
		user bob ` + harness.HashArgon2id + `
		%SETTINGS%
	}
	bearer_auth /app counted
	bearer_auth /write counted {
		scopes write
	}
	bearer_auth /optional counted {
		optional
	}
	bearer_auth /shadow counted {
		shadow
		scopes write
	}
	handle /metrics {
		metrics
	}
	respond "the app"
}
`

func startCounted(t *testing.T, settings string) *harness.Site {
	t.Helper()
	return harness.Start(t, strings.Replace(harness.WithCheapHashes(t, countedSite), "%SETTINGS%", settings, 1))
}

// counted are the counters that have moved and by how much. A histogram is its count.
func counted(before, after map[string]float64) map[string]float64 {
	moved := make(map[string]float64)
	for series, value := range after {
		name, _, _ := strings.Cut(series, "{")
		if (strings.HasSuffix(name, "_total") || strings.HasSuffix(name, "_count")) && value != before[series] {
			moved[series] = value - before[series]
		}
	}
	return moved
}

// wantMoves fails the test unless the counters moved by one for each of the series that
// are named, and no other did.
func wantMoves(s *harness.Site, t *testing.T, before map[string]float64, series ...string) {
	t.Helper()
	want := make(map[string]float64)
	for _, name := range series {
		want[name]++
	}
	got := counted(before, s.Metrics())
	maps.DeleteFunc(got, func(series string, _ float64) bool { return strings.HasPrefix(series, "client_requests_total{") }) // see client_requests_test.go
	if !maps.Equal(got, want) {
		t.Errorf("moved: %v\nwant: %v", got, want)
	}
}

// names of series

func ofRequest(endpoint, grantType, outcome string) string {
	return fmt.Sprintf(`requests_total{endpoint=%q,grant_type=%q,outcome=%q,server="counted"}`, endpoint, grantType, outcome)
}

func ofClient(id, grantType, outcome string) string {
	return fmt.Sprintf(`client_requests_total{client_id=%q,grant_type=%q,outcome=%q,server="counted"}`, id, grantType, outcome)
}

func ofLogin(outcome string) string { return ofRequest("token", "password", outcome) }

func ofCheck(kind, result string) string {
	return fmt.Sprintf(`password_checks_total{kind=%q,result=%q}`, kind, result)
}

func ofBearer(outcome string, shadow bool) string {
	return fmt.Sprintf(`bearer_checks_total{outcome=%q,server="counted",shadow="%t"}`, outcome, shadow)
}

func ofLimit(limit string) string {
	return fmt.Sprintf(`throttled_total{limit=%q,server="counted"}`, limit)
}

const (
	ofReuse = `refresh_reuse_total{server="counted"}`
	ofHash  = `hash_duration_seconds_count{scheme="bcrypt"}`
)

// Each series moves by exactly what happened.
func TestMetricsCountWhatHappened(t *testing.T) {
	s := startCounted(t, "throttle {\n\t\t\tfailures 3\n\t\t}")
	access, refresh := "", ""
	take := func(a harness.Answer) harness.Answer {
		if a.Status == 200 && a.JSON["refresh_token"] != nil {
			access, refresh = a.Text(t, "access_token"), a.Text(t, "refresh_token")
		}
		return a
	}
	login := func(pairs ...string) func() harness.Answer {
		return func() harness.Answer { return take(s.Post("/token", harness.LoginForm(pairs...))) }
	}
	form := func(path, token string, pairs ...string) harness.Answer {
		return s.Post(path, harness.LoginForm(append([]string{"grant_type", "", "username", "", "password", "", "token", token}, pairs...)...))
	}
	refreshing := func(token *string) func() harness.Answer {
		return func() harness.Answer {
			return take(form("/token", "", "grant_type", "refresh_token", "refresh_token", *token))
		}
	}
	get := func(path string, headers ...string) func() harness.Answer {
		return func() harness.Answer { return s.Do(s.Request("GET", path, "", headers...)) }
	}
	app := func(path string, token *string) func() harness.Answer {
		return func() harness.Answer { return get(path, harness.Bearer(*token))() }
	}
	spent := ""
	none := "none"
	client := ofCheck("client", "compared")

	for _, test := range []struct {
		name   string
		send   func() harness.Answer
		status int
		moves  []string
	}{
		{"a login", login(), 200, []string{ofLogin("success"), client, ofCheck("user", "compared"), ofHash}},
		{"the same again, from the cache", login(), 200, []string{ofLogin("success"), client, ofCheck("user", "cached")}},
		{"a login with a public client", func() harness.Answer {
			return s.Post("/token", harness.LoginForm("client_id", "cli", "client_secret", ""))
		}, 200, []string{ofLogin("success"), ofCheck("user", "cached")}},
		{"a wrong password", login("password", "wrong"), 400, []string{ofLogin("invalid_grant"), client, ofCheck("user", "compared"), ofHash}},
		{"an unknown user", login("username", "nobody"), 400, []string{ofLogin("invalid_grant"), client, ofCheck("user", "compared"), ofHash}},
		{"an unknown client", login("client_id", "nobody"), 400, []string{ofLogin("invalid_client"), client}},
		{"a client without its secret", login("client_secret", ""), 400, []string{ofLogin("invalid_client")}},
		{"a scope that there is not", login("scope", "admin"), 400, []string{ofLogin("invalid_scope"), client}},
		{"no password", login("password", ""), 400, []string{ofLogin("invalid_request"), client}},
		{"a grant that there is not", login("grant_type", "implicit"), 400, []string{ofRequest("token", "", "unsupported_grant_type")}},
		{"no grant", login("grant_type", ""), 400, []string{ofRequest("token", "", "invalid_request")}},
		{"a malformed body", func() harness.Answer { return s.Post("/token", "%zz") }, 400, []string{ofRequest("token", "", "invalid_request")}},
		{"a method that there is not", get("/token"), 405, []string{ofRequest("token", "", "invalid_request")}},
		{"plain HTTP on the way", func() harness.Answer { return s.Post("/token", harness.LoginForm(), "X-Forwarded-Proto: http") }, 400, []string{ofRequest("token", "", "invalid_request")}},
		{"no endpoint", get("/token/nothing"), 404, []string{ofRequest("none", "", "invalid_request")}},

		{"a refresh", func() harness.Answer { spent = refresh; return refreshing(&refresh)() }, 200, []string{ofRequest("token", "refresh_token", "success"), client}},
		{"a refresh by a client that may not", func() harness.Answer {
			return form("/token", "", "grant_type", "refresh_token", "refresh_token", refresh, "client_id", "other", "client_secret", "other-secret")
		}, 400, []string{ofRequest("token", "refresh_token", "unauthorized_client"), client}},
		{"a refresh token that is none", refreshing(&none), 400, []string{ofRequest("token", "refresh_token", "invalid_grant"), client}},
		{"a refresh token used twice", refreshing(&spent), 400, []string{ofRequest("token", "refresh_token", "invalid_grant"), client, ofReuse}},
		{"the next one of a session that ended so", refreshing(&refresh), 400, []string{ofRequest("token", "refresh_token", "invalid_grant"), client}},
		{"a token of a session that ended so", app("/app", &access), 401, []string{ofBearer("invalid_token", false)}},
		{"a new login", login(), 200, []string{ofLogin("success"), client, ofCheck("user", "cached")}},

		{"an introspection", func() harness.Answer { return form("/token/introspect", access) }, 200, []string{ofRequest("introspect", "", "success"), client}},
		{"an introspection of nothing", func() harness.Answer { return form("/token/introspect", "") }, 400, []string{ofRequest("introspect", "", "invalid_request"), client}},
		{"an introspection by a public client", func() harness.Answer {
			return form("/token/introspect", access, "client_id", "cli", "client_secret", "")
		}, 400, []string{ofRequest("introspect", "", "invalid_client")}},
		{"the keys", get("/token/jwks"), 200, []string{ofRequest("jwks", "", "success")}},
		{"the metadata", get("/.well-known/oauth-authorization-server"), 200, []string{ofRequest("metadata", "", "success")}},
		{"OPTIONS, which is not ours", func() harness.Answer { return s.Do(s.Request("OPTIONS", "/token", "")) }, 200, nil},
		{"the app", get("/"), 200, nil},

		{"a token at the edge", app("/app", &access), 200, []string{ofBearer("success", false)}},
		{"no token", get("/app"), 401, []string{ofBearer("none", false)}},
		{"another scheme", get("/app", harness.Basic("a", "b")), 401, []string{ofBearer("none", false)}},
		{"a token that is none", app("/app", &none), 401, []string{ofBearer("invalid_token", false)}},
		{"a token in the query", get("/app?access_token=x"), 400, []string{ofBearer("invalid_request", false)}},
		{"anonymous", get("/optional"), 200, []string{ofBearer("anonymous", false)}},
		{"a bad token is not anonymous", app("/optional", &none), 401, []string{ofBearer("invalid_token", false)}},
		{"looking on", app("/shadow", &access), 200, []string{ofBearer("success", true)}},
		{"looking on, no token", get("/shadow"), 200, []string{ofBearer("none", true)}},
		{"looking on, a token that is none", app("/shadow", &none), 200, []string{ofBearer("invalid_token", true)}},
		{"a login for less", login("scope", "read"), 200, []string{ofLogin("success"), client, ofCheck("user", "cached")}},
		{"a token that is not enough", app("/write", &access), 403, []string{ofBearer("insufficient_scope", false)}},
		{"looking on, a token that is not enough", app("/shadow", &access), 200, []string{ofBearer("insufficient_scope", true)}},

		{"a revocation, whatever grant it names", func() harness.Answer { return form("/token/revoke", access, "grant_type", "password") }, 200, []string{ofRequest("revoke", "", "success"), client}},
		{"a revocation of nothing", func() harness.Answer { return form("/token/revoke", "") }, 400, []string{ofRequest("revoke", "", "invalid_request"), client}},
		{"a revocation of another's token", func() harness.Answer {
			return form("/token/revoke", access, "client_id", "other", "client_secret", "other-secret")
		}, 400, []string{ofRequest("revoke", "", "invalid_grant"), client}},
		{"a revoked token", app("/app", &access), 401, []string{ofBearer("invalid_token", false)}},

		{"bob's first wrong password", login("username", "bob", "password", "1"), 400, []string{ofLogin("invalid_grant"), client, ofCheck("user", "compared"), ofHash}},
		{"the second", login("username", "bob", "password", "2"), 400, []string{ofLogin("invalid_grant"), client, ofCheck("user", "compared"), ofHash}},
		{"the third", login("username", "bob", "password", "3"), 400, []string{ofLogin("invalid_grant"), client, ofCheck("user", "compared"), ofHash}},
		{"one too many", login("username", "bob"), 429, []string{ofLogin("temporarily_unavailable"), client, ofCheck("user", "throttled"), ofLimit("pair")}},
		{"a wrong secret", login("client_id", "other", "client_secret", "1"), 400, []string{ofLogin("invalid_client"), client}},
		{"a second one", login("client_id", "other", "client_secret", "2"), 400, []string{ofLogin("invalid_client"), client}},
		{"a third one", login("client_id", "other", "client_secret", "3"), 400, []string{ofLogin("invalid_client"), client}},
		{"one secret too many", login("client_id", "other", "client_secret", "other-secret"), 429, []string{ofLogin("temporarily_unavailable"), ofCheck("client", "throttled"), ofLimit("pair")}},
	} {
		t.Run(test.name, func(t *testing.T) {
			before := s.Metrics()
			a := test.send()
			if a.Status != test.status {
				t.Fatalf("got %d, want %d: %s", a.Status, test.status, a.Body)
			}
			wantMoves(s, t, before, test.moves...)
		})
	}

	t.Run("too many revocations of a user", func(t *testing.T) {
		before := s.Metrics()
		for range 100 {
			if a := login()(); a.Status != 200 {
				t.Fatalf("got %s", a.Body)
			}
			if form("/token/revoke", access).Status == 429 {
				break
			}
		}
		moved := counted(before, s.Metrics())
		if moved[ofLimit("rate")] != 1 || moved[ofRequest("revoke", "", "temporarily_unavailable")] != 1 {
			t.Errorf("moved: %v", moved)
		}
	})
}

// Hashing is bounded: what runs, waits, joins and is shed can be seen.
func TestMetricsOfTheGate(t *testing.T) {
	s := startCounted(t, `throttle off
		password_checks {
			concurrency 1
			queue 1
			wait 50s
		}
		user slow $2y$14$Ve7VhkpZV0UByf3CMebBJuo8MDfBvv6jpjBvBuj51me/1o5bfBHS.`)
	before := s.Metrics()
	for _, gauge := range []string{"hashes_running", "hashes_waiting"} {
		if value, there := before[gauge]; !there || value != 0 {
			t.Fatalf("at first %s is %v", gauge, value)
		}
	}
	var group sync.WaitGroup
	login := func(username string) {
		group.Go(func() {
			if a, err := s.Attempt(username, "wrong"); err != nil || a.Status != 400 {
				t.Errorf("%s: %v %s", username, err, a.Body)
			}
		})
	}
	login("slow")
	harness.Eventually(t, "slow is hashed", func() bool { return s.Metrics()["hashes_running"] == 1 })
	login("alice")
	harness.Eventually(t, "alice waits", func() bool { return s.Metrics()["hashes_waiting"] == 1 })
	login("alice")
	clients := ofCheck("client", "compared")
	harness.Eventually(t, "alice is there twice", func() bool { return s.Metrics()[clients] == before[clients]+3 })
	s.Login("bob", "wrong").Want(t, 503, "temporarily_unavailable")
	if now := s.Metrics(); now["hashes_running"] != 1 || now["hashes_waiting"] != 1 {
		t.Fatalf("slow was too quick: %v are hashed, %v wait", now["hashes_running"], now["hashes_waiting"])
	}
	group.Wait()

	wantMoves(s, t, before, clients, clients, clients, clients,
		ofLogin("invalid_grant"), ofLogin("invalid_grant"), ofLogin("invalid_grant"), ofLogin("temporarily_unavailable"),
		ofCheck("user", "compared"), ofCheck("user", "compared"), ofCheck("user", "joined"), ofCheck("user", "shed"), ofHash, ofHash)
	after := s.Metrics()
	if after["hashes_running"] != 0 || after["hashes_waiting"] != 0 {
		t.Error("a check is left")
	}
	const sum = `hash_duration_seconds_sum{scheme="bcrypt"}`
	if took := after[sum] - before[sum]; took < 0.01 || took > 60 {
		t.Errorf("hashing took %v s", took)
	}
}

// A client that does not wait for its turn is counted as well.
func TestMetricsOfAClientThatHangsUp(t *testing.T) {
	s := startCounted(t, `throttle off
		password_checks {
			concurrency 1
			wait 50s
		}
		user slow $2y$14$Ve7VhkpZV0UByf3CMebBJuo8MDfBvv6jpjBvBuj51me/1o5bfBHS.`)
	before := s.Metrics()
	var group sync.WaitGroup
	defer group.Wait()
	group.Go(func() {
		if a, err := s.Attempt("slow", "wrong"); err != nil || a.Status != 400 {
			t.Errorf("slow: %v %s", err, a.Body)
		}
	})
	harness.Eventually(t, "slow is hashed", func() bool { return s.Metrics()["hashes_running"] == 1 })
	ctx, hangUp := context.WithCancel(t.Context())
	group.Go(func() {
		if response, err := s.Client.Do(s.Request("POST", "/token", harness.LoginForm()).WithContext(ctx)); err == nil {
			response.Body.Close()
			t.Errorf("slow was too quick: got %d", response.StatusCode)
		}
	})
	harness.Eventually(t, "alice waits", func() bool { return s.Metrics()["hashes_waiting"] == 1 })
	hangUp()
	unavailable := ofLogin("temporarily_unavailable")
	harness.Eventually(t, "alice is gone", func() bool { return s.Metrics()[unavailable] == before[unavailable]+1 })
	group.Wait()
	client := ofCheck("client", "compared")
	wantMoves(s, t, before, client, client, ofCheck("user", "compared"), ofCheck("user", "client_gone"), ofHash,
		ofLogin("invalid_grant"), unavailable)
}

// Where nothing can be checked the metrics say so.
func TestMetricsWhileStorageIsDown(t *testing.T) {
	s := harness.NewSite(t)
	s.Write("storage", "a file where a directory should be")
	config, err := harness.Adapt(s.Expand(harness.WithoutPKI + strings.Replace(harness.WithCheapHashes(t, countedSite), "%SETTINGS%", "revocation_poll 100ms", 1)))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Load(config); err != nil {
		t.Fatal(err)
	}
	const view = `revocations_last_read_timestamp_seconds{server="counted"}`
	before := s.Metrics()
	if value, there := before[view]; !there || value != 0 {
		t.Errorf("revocations were read at %v", value)
	}
	s.Login("alice", "correct horse").Want(t, 503, "temporarily_unavailable")
	s.Do(s.Request("GET", "/token/jwks", "")).Want(t, 503, "temporarily_unavailable")
	if a := s.Do(s.Request("GET", "/app", "", harness.Bearer("x.y.z"))); a.Status != 503 {
		t.Errorf("a token gets %d", a.Status)
	}
	if a := s.Do(s.Request("GET", "/shadow", "", harness.Bearer("x.y.z"))); a.Status != 200 {
		t.Errorf("looking on, a token gets %d", a.Status)
	}
	wantMoves(s, t, before, ofLogin("temporarily_unavailable"), ofRequest("jwks", "", "temporarily_unavailable"),
		ofBearer("unavailable", false), ofBearer("unavailable", true))

	if err := os.Remove(s.Path("storage")); err != nil {
		t.Fatal(err)
	}
	harness.Eventually(t, "revocations are read", func() bool { return s.Metrics()[view] > 0 })
}
