package integration

import (
	"encoding/base64"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
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
		user alice ` + hashBcrypt + `
		user bob ` + hashArgon2id + `
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

func startCounted(t *testing.T, settings string) *site {
	t.Helper()
	return start(t, strings.Replace(cheap(t, countedSite), "%SETTINGS%", settings, 1))
}

const ourMetrics = "caddy_grant_"

// exposition is what Caddy says of this module's metrics.
func (s *site) exposition() string {
	s.t.Helper()
	var ours strings.Builder
	for line := range strings.Lines(s.allMetrics()) {
		if strings.HasPrefix(strings.TrimPrefix(strings.TrimPrefix(line, "# HELP "), "# TYPE "), ourMetrics) {
			ours.WriteString(line)
		}
	}
	return ours.String()
}

// allMetrics is all that Caddy says. Right after a reload it asks again, like relogin.
func (s *site) allMetrics() string {
	s.t.Helper()
	var failed error
	for range 50 {
		response, err := s.client.Get(s.url("/metrics"))
		if err == nil {
			body, err := io.ReadAll(response.Body)
			response.Body.Close()
			if err != nil || response.StatusCode != http.StatusOK {
				s.t.Fatalf("/metrics: %d %v %s", response.StatusCode, err, body)
			}
			return string(body)
		}
		failed = err
		s.client.CloseIdleConnections()
	}
	s.t.Fatalf("/metrics gives no answer: %v", failed)
	return ""
}

// metrics are the values of the series, by their names without what all have in common.
func (s *site) metrics() map[string]float64 {
	s.t.Helper()
	series := make(map[string]float64)
	for line := range strings.Lines(s.exposition()) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		end := strings.LastIndexByte(line, ' ')
		value, err := strconv.ParseFloat(strings.TrimSpace(line[end:]), 64)
		if err != nil {
			s.t.Fatalf("%s: %v", line, err)
		}
		series[strings.TrimPrefix(line[:end], ourMetrics)] = value
	}
	return series
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
func (s *site) wantMoves(t *testing.T, before map[string]float64, series ...string) {
	t.Helper()
	want := make(map[string]float64)
	for _, name := range series {
		want[name]++
	}
	if got := counted(before, s.metrics()); !maps.Equal(got, want) {
		t.Errorf("moved: %v\nwant: %v", got, want)
	}
}

// names of series

func ofRequest(endpoint, grantType, outcome string) string {
	return fmt.Sprintf(`requests_total{endpoint=%q,grant_type=%q,outcome=%q,server="counted"}`, endpoint, grantType, outcome)
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
	take := func(a answer) answer {
		if a.status == 200 && a.json["refresh_token"] != nil {
			access, refresh = a.text(t, "access_token"), a.text(t, "refresh_token")
		}
		return a
	}
	login := func(pairs ...string) func() answer {
		return func() answer { return take(s.post("/token", loginForm(pairs...))) }
	}
	form := func(path, token string, pairs ...string) answer {
		return s.post(path, loginForm(append([]string{"grant_type", "", "username", "", "password", "", "token", token}, pairs...)...))
	}
	refreshing := func(token *string) func() answer {
		return func() answer {
			return take(form("/token", "", "grant_type", "refresh_token", "refresh_token", *token))
		}
	}
	get := func(path string, headers ...string) func() answer {
		return func() answer { return s.do(s.request("GET", path, "", headers...)) }
	}
	app := func(path string, token *string) func() answer {
		return func() answer { return get(path, bearer(*token))() }
	}
	spent := ""
	none := "none"
	client := ofCheck("client", "compared")

	for _, test := range []struct {
		name   string
		send   func() answer
		status int
		moves  []string
	}{
		{"a login", login(), 200, []string{ofLogin("success"), client, ofCheck("user", "compared"), ofHash}},
		{"the same again, from the cache", login(), 200, []string{ofLogin("success"), client, ofCheck("user", "cached")}},
		{"a login with a public client", func() answer { return s.post("/token", loginForm("client_id", "cli", "client_secret", "")) }, 200, []string{ofLogin("success"), ofCheck("user", "cached")}},
		{"a wrong password", login("password", "wrong"), 400, []string{ofLogin("invalid_grant"), client, ofCheck("user", "compared"), ofHash}},
		{"an unknown user", login("username", "nobody"), 400, []string{ofLogin("invalid_grant"), client, ofCheck("user", "compared"), ofHash}},
		{"an unknown client", login("client_id", "nobody"), 401, []string{ofLogin("invalid_client"), client}},
		{"a client without its secret", login("client_secret", ""), 401, []string{ofLogin("invalid_client")}},
		{"a scope that there is not", login("scope", "admin"), 400, []string{ofLogin("invalid_scope"), client}},
		{"no password", login("password", ""), 400, []string{ofLogin("invalid_request"), client}},
		{"a grant that there is not", login("grant_type", "implicit"), 400, []string{ofRequest("token", "", "unsupported_grant_type")}},
		{"no grant", login("grant_type", ""), 400, []string{ofRequest("token", "", "invalid_request")}},
		{"a malformed body", func() answer { return s.post("/token", "%zz") }, 400, []string{ofRequest("token", "", "invalid_request")}},
		{"a method that there is not", get("/token"), 405, []string{ofRequest("token", "", "invalid_request")}},
		{"plain HTTP on the way", func() answer { return s.post("/token", loginForm(), "X-Forwarded-Proto: http") }, 400, []string{ofRequest("token", "", "invalid_request")}},
		{"no endpoint", get("/token/nothing"), 404, []string{ofRequest("none", "", "invalid_request")}},

		{"a refresh", func() answer { spent = refresh; return refreshing(&refresh)() }, 200, []string{ofRequest("token", "refresh_token", "success"), client}},
		{"a refresh by a client that may not", func() answer {
			return form("/token", "", "grant_type", "refresh_token", "refresh_token", refresh, "client_id", "other", "client_secret", "other-secret")
		}, 400, []string{ofRequest("token", "refresh_token", "unauthorized_client"), client}},
		{"a refresh token that is none", refreshing(&none), 400, []string{ofRequest("token", "refresh_token", "invalid_grant"), client}},
		{"a refresh token used twice", refreshing(&spent), 400, []string{ofRequest("token", "refresh_token", "invalid_grant"), client, ofReuse}},
		{"the next one of a session that ended so", refreshing(&refresh), 400, []string{ofRequest("token", "refresh_token", "invalid_grant"), client}},
		{"a token of a session that ended so", app("/app", &access), 401, []string{ofBearer("invalid_token", false)}},
		{"a new login", login(), 200, []string{ofLogin("success"), client, ofCheck("user", "cached")}},

		{"an introspection", func() answer { return form("/token/introspect", access) }, 200, []string{ofRequest("introspect", "", "success"), client}},
		{"an introspection of nothing", func() answer { return form("/token/introspect", "") }, 400, []string{ofRequest("introspect", "", "invalid_request"), client}},
		{"an introspection by a public client", func() answer { return form("/token/introspect", access, "client_id", "cli", "client_secret", "") }, 401, []string{ofRequest("introspect", "", "invalid_client")}},
		{"the keys", get("/token/jwks"), 200, []string{ofRequest("jwks", "", "success")}},
		{"the metadata", get("/.well-known/oauth-authorization-server"), 200, []string{ofRequest("metadata", "", "success")}},
		{"OPTIONS, which is not ours", func() answer { return s.do(s.request("OPTIONS", "/token", "")) }, 200, nil},
		{"the app", get("/"), 200, nil},

		{"a token at the edge", app("/app", &access), 200, []string{ofBearer("success", false)}},
		{"no token", get("/app"), 401, []string{ofBearer("none", false)}},
		{"another scheme", get("/app", basic("a", "b")), 401, []string{ofBearer("none", false)}},
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

		{"a revocation, whatever grant it names", func() answer { return form("/token/revoke", access, "grant_type", "password") }, 200, []string{ofRequest("revoke", "", "success"), client}},
		{"a revocation of nothing", func() answer { return form("/token/revoke", "") }, 400, []string{ofRequest("revoke", "", "invalid_request"), client}},
		{"a revocation of another's token", func() answer {
			return form("/token/revoke", access, "client_id", "other", "client_secret", "other-secret")
		}, 400, []string{ofRequest("revoke", "", "invalid_grant"), client}},
		{"a revoked token", app("/app", &access), 401, []string{ofBearer("invalid_token", false)}},

		{"bob's first wrong password", login("username", "bob", "password", "1"), 400, []string{ofLogin("invalid_grant"), client, ofCheck("user", "compared"), ofHash}},
		{"the second", login("username", "bob", "password", "2"), 400, []string{ofLogin("invalid_grant"), client, ofCheck("user", "compared"), ofHash}},
		{"the third", login("username", "bob", "password", "3"), 400, []string{ofLogin("invalid_grant"), client, ofCheck("user", "compared"), ofHash}},
		{"one too many", login("username", "bob"), 429, []string{ofLogin("temporarily_unavailable"), client, ofCheck("user", "throttled"), ofLimit("pair")}},
		{"a wrong secret", login("client_id", "other", "client_secret", "1"), 401, []string{ofLogin("invalid_client"), client}},
		{"a second one", login("client_id", "other", "client_secret", "2"), 401, []string{ofLogin("invalid_client"), client}},
		{"a third one", login("client_id", "other", "client_secret", "3"), 401, []string{ofLogin("invalid_client"), client}},
		{"one secret too many", login("client_id", "other", "client_secret", "other-secret"), 429, []string{ofLogin("temporarily_unavailable"), ofCheck("client", "throttled"), ofLimit("pair")}},
	} {
		t.Run(test.name, func(t *testing.T) {
			before := s.metrics()
			a := test.send()
			if a.status != test.status {
				t.Fatalf("got %d, want %d: %s", a.status, test.status, a.body)
			}
			s.wantMoves(t, before, test.moves...)
		})
	}

	t.Run("too many revocations of a user", func(t *testing.T) {
		before := s.metrics()
		for range 100 {
			if a := login()(); a.status != 200 {
				t.Fatalf("got %s", a.body)
			}
			if form("/token/revoke", access).status == 429 {
				break
			}
		}
		moved := counted(before, s.metrics())
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
			wait 1m
		}
		user slow $2y$14$Ve7VhkpZV0UByf3CMebBJuo8MDfBvv6jpjBvBuj51me/1o5bfBHS.`)
	before := s.metrics()
	for _, gauge := range []string{"hashes_running", "hashes_waiting"} {
		if value, there := before[gauge]; !there || value != 0 {
			t.Fatalf("at first %s is %v", gauge, value)
		}
	}
	var group sync.WaitGroup
	login := func(username string) {
		group.Go(func() {
			if a, err := s.attempt(username, "wrong"); err != nil || a.status != 400 {
				t.Errorf("%s: %v %s", username, err, a.body)
			}
		})
	}
	login("slow")
	eventually(t, "slow is hashed", func() bool { return s.metrics()["hashes_running"] == 1 })
	login("alice")
	eventually(t, "alice waits", func() bool { return s.metrics()["hashes_waiting"] == 1 })
	login("alice")
	clients := ofCheck("client", "compared")
	eventually(t, "alice is there twice", func() bool { return s.metrics()[clients] == before[clients]+3 })
	s.login("bob", "wrong").want(t, 503, "temporarily_unavailable")
	if now := s.metrics(); now["hashes_running"] != 1 || now["hashes_waiting"] != 1 {
		t.Fatalf("slow was too quick: %v are hashed, %v wait", now["hashes_running"], now["hashes_waiting"])
	}
	group.Wait()

	s.wantMoves(t, before, clients, clients, clients, clients,
		ofLogin("invalid_grant"), ofLogin("invalid_grant"), ofLogin("invalid_grant"), ofLogin("temporarily_unavailable"),
		ofCheck("user", "compared"), ofCheck("user", "compared"), ofCheck("user", "joined"), ofCheck("user", "shed"), ofHash, ofHash)
	after := s.metrics()
	if after["hashes_running"] != 0 || after["hashes_waiting"] != 0 {
		t.Error("somebody is left")
	}
	const sum = `hash_duration_seconds_sum{scheme="bcrypt"}`
	if took := after[sum] - before[sum]; took < 0.01 || took > 60 {
		t.Errorf("hashing took %v s", took)
	}
}

// Where nothing can be checked the metrics say so.
func TestMetricsWhileStorageIsDown(t *testing.T) {
	s := newSite(t)
	s.write("storage", "a file where a directory should be")
	config, err := adapt(s.expand(withoutPKI + strings.Replace(cheap(t, countedSite), "%SETTINGS%", "revocation_poll 100ms", 1)))
	if err != nil {
		t.Fatal(err)
	}
	if err := caddy.Load(config, true); err != nil {
		t.Fatal(err)
	}
	const view = `revocations_last_read_timestamp_seconds{server="counted"}`
	before := s.metrics()
	if value, there := before[view]; !there || value != 0 {
		t.Errorf("revocations were read at %v", value)
	}
	s.login("alice", "correct horse").want(t, 503, "temporarily_unavailable")
	s.do(s.request("GET", "/token/jwks", "")).want(t, 503, "temporarily_unavailable")
	if a := s.do(s.request("GET", "/app", "", bearer("x.y.z"))); a.status != 503 {
		t.Errorf("a token gets %d", a.status)
	}
	if a := s.do(s.request("GET", "/shadow", "", bearer("x.y.z"))); a.status != 200 {
		t.Errorf("looking on, a token gets %d", a.status)
	}
	s.wantMoves(t, before, ofLogin("temporarily_unavailable"), ofRequest("jwks", "", "temporarily_unavailable"),
		ofBearer("unavailable", false), ofBearer("unavailable", true))

	if err := os.Remove(s.path("storage")); err != nil {
		t.Fatal(err)
	}
	eventually(t, "revocations are read", func() bool { return s.metrics()[view] > 0 })
}

// All that can be counted is there as 0 before it happens, so that a rate sees the first.
func TestMetricsAreThereBeforeTheFirstEvent(t *testing.T) {
	s := startCounted(t, "")
	// a name that no other test has
	s.reload("", strings.NewReplacer("%SETTINGS%", "", "name counted", "name unheard-of", " counted", " unheard-of").Replace(cheap(t, countedSite)))
	fresh := make(map[string]bool)
	for series, value := range s.metrics() {
		if strings.Contains(series, `server="unheard-of"`) {
			fresh[strings.Replace(series, "unheard-of", "counted", 1)] = true
			if strings.Contains(series, "_total{") && value != 0 {
				t.Errorf("%s is %v", series, value)
			}
		}
	}
	want := []string{ofReuse, `revocations_last_read_timestamp_seconds{server="counted"}`}
	for _, code := range []string{"success", "invalid_request", "invalid_client", "invalid_grant", "unauthorized_client", "invalid_scope", "temporarily_unavailable", "server_error"} {
		want = append(want, ofLogin(code), ofRequest("token", "refresh_token", code))
	}
	for endpoint, codes := range map[string]string{
		"token":      "invalid_request unsupported_grant_type",
		"revoke":     "success invalid_request invalid_client invalid_grant temporarily_unavailable server_error",
		"introspect": "success invalid_request invalid_client temporarily_unavailable server_error",
		"jwks":       "success invalid_request temporarily_unavailable",
		"metadata":   "success invalid_request",
		"none":       "invalid_request",
	} {
		for code := range strings.FieldsSeq(codes) {
			want = append(want, ofRequest(endpoint, "", code))
		}
	}
	for _, limit := range []string{"pair", "account", "address", "network", "rate"} {
		want = append(want, ofLimit(limit))
	}
	for _, outcome := range []string{"success", "anonymous", "none", "invalid_request", "invalid_token", "insufficient_scope", "unavailable"} {
		want = append(want, ofBearer(outcome, true), ofBearer(outcome, false))
	}
	slices.Sort(want)
	if got := slices.Sorted(maps.Keys(fresh)); !slices.Equal(got, want) {
		t.Errorf("there are %q\nwant %q", got, want)
	}
	all := s.metrics()
	for _, kind := range []string{"user", "client"} {
		for _, result := range []string{"compared", "cached", "joined", "throttled", "shed"} {
			if _, there := all[ofCheck(kind, result)]; !there {
				t.Errorf("there is no %s", ofCheck(kind, result))
			}
		}
	}
	if _, there := all[ofHash]; !there {
		t.Error("there is no histogram")
	}
}

// What was counted outlives reloads, also those that fail, and is counted on.
func TestMetricsSurviveReloads(t *testing.T) {
	s := startCounted(t, "throttle off")
	count := func(when string) {
		t.Helper()
		before := s.metrics()
		s.relogin("alice", "wrong").want(t, 400, "invalid_grant")
		if moved := counted(before, s.metrics()); moved[ofLogin("invalid_grant")] != 1 || moved[ofHash] != 1 {
			t.Errorf("%s: moved: %v", when, moved)
		}
	}
	same := func(when string, before map[string]float64) {
		t.Helper()
		after := s.metrics()
		if moved := counted(before, after); len(moved) > 0 {
			t.Errorf("%s: moved: %v", when, moved)
		}
		for series := range before {
			if _, there := after[series]; !there {
				t.Errorf("%s: %s is gone", when, series)
			}
		}
	}
	count("at first")
	before := s.metrics()
	s.reload("", strings.Replace(cheap(t, countedSite), "%SETTINGS%", "throttle off\n\t\taccess_token_ttl 2m", 1))
	same("after a reload", before)
	count("after a reload")

	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	for name, more := range map[string]string{
		"does not start":     "http://" + busy.Addr().String() + " {\n\trespond x\n}\n",
		"is no good":         "http://127.0.0.1:%PORT% {\n\ttoken_endpoint /other {\n\t\tname other\n\t\tclient c {\n\t\t\tpublic\n\t\t}\n\t\tusers json /nowhere/users.json\n\t}\n}\n",
		"lacks an endpoint":  "http://localhost:%PORT% {\n\tbearer_auth nowhere\n\trespond x\n}\n",
		"has a wrong source": "http://localhost:%PORT% {\n\ttoken_endpoint {\n\t\tname other\n\t\tclient c {\n\t\t\tpublic\n\t\t}\n\t\tusers htpasswd %DIR%\n\t}\n}\n",
	} {
		before := s.metrics()
		if err := s.tryReload("", strings.Replace(cheap(t, countedSite), "%SETTINGS%", "throttle off", 1)+more); err == nil {
			t.Fatalf("a config that %s loads", name)
		}
		same("after a config that "+name, before)
		count("after a config that " + name)
	}

	before = s.metrics()
	s.reload("", "http://127.0.0.1:%PORT% {\n\thandle /metrics {\n\t\tmetrics\n\t}\n\trespond x\n}\n")
	if left := s.exposition(); left != "" {
		t.Errorf("without the module there is %s", left)
	}
	s.reload("", strings.Replace(cheap(t, countedSite), "%SETTINGS%", "throttle off", 1))
	same("after a config without the module", before)
	count("after a config without the module")
}

func ofFile(metric, path, reads string) string {
	return fmt.Sprintf("file_%s{path=%q,reads=%q}", metric, path, reads)
}

const (
	entries      = "entries"
	successful   = "last_reload_successful"
	successfulAt = "last_reload_success_timestamp_seconds"
)

// What a file has, whether it is in force, and since when.
func TestMetricsOfFiles(t *testing.T) {
	s := newSite(t)
	line := func(name string) string { return name + ":" + quickHash(t, "correct horse") + "\n" }
	users := s.writeOld("users.htpasswd", line("alice")+line("bob"))
	clients := s.writeOld("clients.htpasswd", line("machine"))
	other := s.writeOld("other.htpasswd", line("carol"))
	config := func(name, file string) string {
		return fmt.Sprintf(`
	token_endpoint /%[1]s {
		name %[1]s
		client web {
			secret web-secret
		}
		clients htpasswd %%DIR%%/clients.htpasswd
		users htpasswd %%DIR%%/%[2]s
	}`, name, file)
	}
	load := func(endpoints ...string) error {
		return s.tryReload("", "http://127.0.0.1:%PORT% {"+strings.Join(endpoints, "")+"\n\thandle /metrics {\n\t\tmetrics\n\t}\n\trespond x\n}\n")
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	// the series of files, without the times
	want := func(when string, want map[string]float64) {
		t.Helper()
		got := s.metrics()
		maps.DeleteFunc(got, func(series string, _ float64) bool {
			return !strings.HasPrefix(series, "file_") || strings.Contains(series, successfulAt)
		})
		if !maps.Equal(got, want) {
			t.Errorf("%s: %v, want %v", when, got, want)
		}
	}
	began := float64(time.Now().Unix())
	must(load(config("one", "users.htpasswd")))
	all := map[string]float64{
		ofFile(entries, users, "users"): 2, ofFile(successful, users, "users"): 1,
		ofFile(entries, clients, "clients"): 1, ofFile(successful, clients, "clients"): 1,
	}
	want("at first", all)
	at := s.metrics()[ofFile(successfulAt, users, "users")]
	if at < began || at > float64(time.Now().Unix()+1) {
		t.Errorf("read at %f, the test began at %f", at, began)
	}

	s.writeOld("users.htpasswd", line("alice")+"broken\n")
	broken := ofFile(successful, users, "users")
	eventually(t, "the file is seen to be broken", func() bool { return s.metrics()[broken] == 0 })
	all[broken] = 0
	want("broken", all)
	must(load(config("one", "users.htpasswd"), config("two", "users.htpasswd")))
	want("broken, after a reload", all)
	if now := s.metrics()[ofFile(successfulAt, users, "users")]; now != at {
		t.Errorf("the version in force was read at %f and not at %f", at, now)
	}
	s.writeOld("users.htpasswd", line("alice")+line("bob")+line("dora"))
	eventually(t, "the file is good again", func() bool { return s.metrics()[broken] == 1 })
	all[broken], all[ofFile(entries, users, "users")] = 1, 3
	want("mended", all)
	if now := s.metrics()[ofFile(successfulAt, users, "users")]; now <= at {
		t.Errorf("the new version was read at %f, the one before at %f", now, at)
	}

	must(load(config("one", "users.htpasswd"), config("two", "other.htpasswd")))
	all[ofFile(entries, other, "users")], all[ofFile(successful, other, "users")] = 1, 1
	want("another file as well", all)
	s.write("late.htpasswd", line("eve"))
	if load(config("one", "users.htpasswd"), config("two", "late.htpasswd"), config("three", "nowhere.htpasswd")) == nil {
		t.Fatal("a config with a missing file loads")
	}
	want("after a config that does not load", all)
	must(load(config("two", "other.htpasswd")))
	delete(all, ofFile(entries, users, "users"))
	delete(all, ofFile(successful, users, "users"))
	want("a file that nobody follows any more", all)
	if _, there := s.metrics()[ofFile(successfulAt, users, "users")]; there {
		t.Error("its time is left")
	}
	must(load(config("two", "other.htpasswd"), strings.Replace(config("three", "other.htpasswd"), "name three", "name three\n\t\tallow_weak_hashes", 1)))
	must(load(config("two", "other.htpasswd")))
	want("a file that was followed in two ways", all)
	must(load())
	want("without the module", map[string]float64{})
}

// How old the view of revocations is can be seen wherever tokens are checked, and nowhere
// else: what nobody keeps up with gets no older.
func TestMetricsOfTheRevocationView(t *testing.T) {
	const view = `revocations_last_read_timestamp_seconds{server="counted"}`
	s := newSite(t)
	config := func(settings string, checked bool) string {
		text := strings.Replace(cheap(t, countedSite), "%SETTINGS%", "revocation_poll 100ms"+settings, 1)
		if !checked {
			text = regexp.MustCompile(`(?s)\tbearer_auth.*\thandle`).ReplaceAllString(text, "\thandle")
		}
		return text
	}
	read := func() float64 {
		value, there := s.metrics()[view]
		if !there {
			return -1
		}
		return value
	}
	fresh := func(when string) {
		t.Helper()
		at := read()
		if age := float64(time.Now().UnixNano())/1e9 - at; age < -1 || age > 60 {
			t.Errorf("%s it is %f s old", when, age)
		}
		eventually(t, when+" it is read again", func() bool { return read() > at })
	}
	s.reload("", config("", true))
	fresh("at first")
	s.reload("", config("\n\t\taccess_token_ttl 2m", true))
	fresh("after a reload")
	s.reload("", strings.Replace(config("", true), "issuer http://127.0.0.1", "issuer http://localhost", 1))
	fresh("with another issuer")
	if err := s.tryReload("", config("", true)+"http://localhost:%PORT% {\n\tbearer_auth nowhere\n\trespond x\n}\n"); err == nil {
		t.Fatal("a config that lacks an endpoint loads")
	}
	fresh("after a config that does not start")
	s.reload("", config("", false))
	if at := read(); at != -1 {
		t.Errorf("nobody asks for it, and it was read at %f", at)
	}
	s.reload("", config("", true))
	fresh("when tokens are checked again")
}

// Nothing that a request says becomes a label: whatever is sent, there is no new series.
func TestNoRequestMakesALabel(t *testing.T) {
	const marker, address = "h0stile", "203.0.113.77"
	s := startWith(t, "servers {\n\t\ttrusted_proxies static 127.0.0.0/8\n\t}",
		strings.Replace(cheap(t, countedSite), "%SETTINGS%", `user `+marker+` `+hashBcrypt+`
		client `+marker+` {
			secret web-secret
			end_user_ip X-End-User
		}
		log_usernames
		throttle off`, 1))
	from := []string{"X-Forwarded-For: " + address, "X-Forwarded-Proto: https", "X-End-User: " + address, "User-Agent: " + marker}
	series := func() []string { return slices.Sorted(maps.Keys(s.metrics())) }
	s.login("alice", "correct horse").want(t, 200, "")
	before, counts := series(), s.metrics()

	var secrets []string
	access := marker
	for range 2 { // with and without a good token at hand
		for _, name := range []string{"grant_type", "username", "password", "client_id", "client_secret", "scope", "refresh_token", "token", "token_type_hint", marker} {
			for _, value := range []string{marker, marker + "\"} 1\ncaddy_grant_forged_total{a=\"b", address, access} {
				for _, path := range []string{"/token", "/token/revoke", "/token/introspect", "/token/jwks", "/token/" + marker, "/app"} {
					s.post(path, loginForm(name, value), append(from, bearer(value[:min(len(value), 7)]))...)
					s.post(path, loginForm(name, value), from...)
				}
			}
		}
		for _, token := range []string{
			encodePart(`{"alg":"ES256","kid":"`+marker+`"}`) + "." + encodePart(`{"sub":"`+marker+`"}`) + ".AAAA",
			marker, marker + "." + marker + "." + marker, access,
		} {
			for _, path := range []string{"/app", "/write", "/optional", "/shadow", "/app?access_token=" + marker} {
				s.do(s.request("GET", path, "", append(from, bearer(token))...))
			}
		}
		for _, method := range []string{"PUT", "PROPFIND", "H0STILE"} {
			s.do(s.request(method, "/token", loginForm(), from...))
		}
		a := s.post("/token", loginForm("username", marker, "client_id", "cli", "client_secret", ""))
		a.want(t, 200, "")
		access = a.text(t, "access_token")
		claims := payload(t, access)
		secrets = append(secrets, access, a.text(t, "refresh_token"), fmt.Sprint(claims["jti"]), fmt.Sprint(claims["sid"]))
		header, _ := opened(t, access)
		secrets = append(secrets, fmt.Sprint(header["kid"]))
		s.post("/token", url.Values{"grant_type": {"refresh_token"}, "client_id": {"cli"}, "refresh_token": {a.text(t, "refresh_token")}}.Encode()).want(t, 200, "")
	}
	if len(counted(counts, s.metrics())) < 10 {
		t.Error("hardly anything was counted")
	}
	if after := series(); !slices.Equal(after, before) {
		for _, name := range after {
			if !slices.Contains(before, name) {
				t.Errorf("new: %s", name)
			}
		}
	}
	all := strings.ToLower(s.allMetrics())
	for _, text := range append(secrets, marker, address, "alice", "bob", `"web"`, "cli\"", "web-secret", "correct", "127.0.0.1", "forged") {
		if strings.Contains(all, strings.ToLower(text)) {
			t.Errorf("the metrics have %q", text)
		}
	}
}

// encodePart is a part of a token.
func encodePart(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }

// Names, units and labels are what Prometheus wants, and labels are of closed sets.
func TestMetricsAreWellFormed(t *testing.T) {
	s := newSite(t)
	s.write("users.htpasswd", "carol:"+quickHash(t, "x")+"\n")
	s.reload("", strings.Replace(cheap(t, countedSite), "%SETTINGS%", "users htpasswd %DIR%/users.htpasswd", 1))
	text := s.exposition()
	problems, err := promlint.New(strings.NewReader(text)).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, problem := range problems {
		t.Errorf("%s: %s", problem.Metric, problem.Text)
	}
	values := map[string]string{
		"server": `[a-z0-9_-]{1,32}`, "endpoint": `token|revoke|introspect|jwks|metadata|none`, "grant_type": `|password|refresh_token`,
		"outcome": `success|anonymous|none|unavailable|[a-z]+_[a-z_]+`, "shadow": `true|false`, "limit": `pair|account|address|network|rate`,
		"kind": `user|client`, "result": `compared|cached|joined|throttled|shed`,
		"scheme": `bcrypt|argon2id|apr1|sha(256|512)-crypt|\{S?SHA\}`, "le": `[0-9.]+|\+Inf`, "path": `/.*`, "reads": `users|clients`,
	}
	for series := range s.metrics() {
		_, labels, _ := strings.Cut(strings.TrimSuffix(series, "}"), "{")
		for _, label := range regexp.MustCompile(`([a-z_]+)="([^"]*)"`).FindAllStringSubmatch(labels, -1) {
			if allowed, known := values[label[1]]; !known || !regexp.MustCompile(`^(?:`+allowed+`)$`).MatchString(label[2]) {
				t.Errorf("%s: the label %s is %q", series, label[1], label[2])
			}
		}
	}
}
