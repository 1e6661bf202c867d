package monitoring

import (
	"encoding/base64"
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
)

// All that can be counted is there as 0 before it happens, so that a rate sees the
// first.
func TestMetricsAreThereBeforeTheFirstEvent(t *testing.T) {
	s := startCounted(t, "")
	// a name that no other test has
	s.Reload("", strings.NewReplacer("%SETTINGS%", "", "name counted", "name unheard-of", " counted", " unheard-of").Replace(harness.WithCheapHashes(t, countedSite)))
	fresh := make(map[string]bool)
	for series, value := range s.Metrics() {
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
	for _, limit := range []string{"pair", "account", "address", "network", "rate", "sessions", "revocations", "client"} {
		want = append(want, ofLimit(limit))
	}
	for _, outcome := range []string{"success", "anonymous", "none", "invalid_request", "invalid_token", "insufficient_scope", "unavailable", "cross_origin", "wrong_audience"} {
		want = append(want, ofBearer(outcome, true), ofBearer(outcome, false))
	}
	for _, outcome := range []string{"success", "refused"} {
		want = append(want, ofClient("other", "password", outcome))
		for _, client := range []string{"web", "cli"} {
			want = append(want, ofClient(client, "password", outcome), ofClient(client, "refresh_token", outcome))
		}
	}
	slices.Sort(want)
	if got := slices.Sorted(maps.Keys(fresh)); !slices.Equal(got, want) {
		t.Errorf("there are %q\nwant %q", got, want)
	}
	all := s.Metrics()
	for _, kind := range []string{"user", "client"} {
		for _, result := range []string{"compared", "cached", "repeated", "joined", "throttled", "shed", "client_gone"} {
			if _, there := all[ofCheck(kind, result)]; !there {
				t.Errorf("there is no %s", ofCheck(kind, result))
			}
		}
	}
	if _, there := all[ofHash]; !there {
		t.Error("there is no histogram")
	}
}

// Nothing that a request says becomes a label: whatever is sent, there is no new
// series.
func TestNoRequestMakesALabel(t *testing.T) {
	const marker, address = "h0stile", "203.0.113.77"
	s := harness.StartWith(t, "servers {\n\t\ttrusted_proxies static 127.0.0.0/8\n\t}",
		strings.Replace(harness.WithCheapHashes(t, countedSite), "%SETTINGS%", `user `+marker+` `+harness.HashBcrypt+`
		client `+marker+` {
			secret web-secret
			end_user_ip X-End-User
		}
		log_usernames
		throttle off`, 1))
	from := []string{"X-Forwarded-For: " + address, "X-Forwarded-Proto: https", "X-End-User: " + address, "User-Agent: " + marker}
	series := func() []string { return slices.Sorted(maps.Keys(s.Metrics())) }
	s.Login("alice", "correct horse").Want(t, 200, "")
	before, counts := series(), s.Metrics()

	var secrets []string
	access := marker
	for range 2 { // with and without a good token at hand
		for _, name := range []string{"grant_type", "username", "password", "client_id", "client_secret", "scope", "refresh_token", "token", "token_type_hint", marker} {
			for _, value := range []string{marker, marker + "\"} 1\ncaddy_grant_forged_total{a=\"b", address, access} {
				for _, path := range []string{"/token", "/token/revoke", "/token/introspect", "/token/jwks", "/token/" + marker, "/app"} {
					s.Post(path, harness.LoginForm(name, value), append(from, harness.Bearer(value[:min(len(value), 7)]))...)
					s.Post(path, harness.LoginForm(name, value), from...)
				}
			}
		}
		for _, token := range []string{
			encodePart(`{"alg":"ES256","kid":"`+marker+`"}`) + "." + encodePart(`{"sub":"`+marker+`"}`) + ".AAAA",
			marker, marker + "." + marker + "." + marker, access,
		} {
			for _, path := range []string{"/app", "/write", "/optional", "/shadow", "/app?access_token=" + marker} {
				s.Do(s.Request("GET", path, "", append(from, harness.Bearer(token))...))
			}
		}
		for _, method := range []string{"PUT", "PROPFIND", "H0STILE"} {
			s.Do(s.Request(method, "/token", harness.LoginForm(), from...))
		}
		a := s.Post("/token", harness.LoginForm("username", marker, "client_id", "cli", "client_secret", ""))
		a.Want(t, 200, "")
		access = a.Text(t, "access_token")
		claims := harness.Payload(t, access)
		secrets = append(secrets, access, a.Text(t, "refresh_token"), fmt.Sprint(claims["jti"]), fmt.Sprint(claims["sid"]))
		header, _ := harness.Decoded(t, access)
		secrets = append(secrets, fmt.Sprint(header["kid"]))
		s.Post("/token", url.Values{"grant_type": {"refresh_token"}, "client_id": {"cli"}, "refresh_token": {a.Text(t, "refresh_token")}}.Encode()).Want(t, 200, "")
	}
	if len(counted(counts, s.Metrics())) < 10 {
		t.Error("hardly anything was counted")
	}
	if after := series(); !slices.Equal(after, before) {
		for _, name := range after {
			if !slices.Contains(before, name) {
				t.Errorf("new: %s", name)
			}
		}
	}
	all := strings.ToLower(withoutClients(s.AllMetrics()))
	for _, text := range append(secrets, marker, address, "alice", "bob", `"web"`, "cli\"", "web-secret", "correct", "127.0.0.1", "forged") {
		if strings.Contains(all, strings.ToLower(text)) {
			t.Errorf("the metrics have %q", text)
		}
	}
}

// withoutClients is without the one metric that names clients, those of the config.
func withoutClients(metrics string) string {
	return regexp.MustCompile(`(?m)^caddy_grant_client_requests_total\{client_id="(web|other|cli|h0stile)",.*\n`).ReplaceAllString(metrics, "")
}

// encodePart is a part of a token.
func encodePart(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }

// Names, units and labels are what Prometheus wants, and labels are of closed sets.
func TestMetricsAreWellFormed(t *testing.T) {
	s := harness.NewSite(t)
	s.Write("users.htpasswd", "carol:"+harness.CheapHash(t, "x")+"\n")
	s.Reload("", strings.Replace(harness.WithCheapHashes(t, countedSite), "%SETTINGS%", "users htpasswd %DIR%/users.htpasswd", 1))
	text := s.Exposition()
	problems, err := promlint.New(strings.NewReader(text)).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, problem := range problems {
		t.Errorf("%s: %s", problem.Metric, problem.Text)
	}
	values := map[string]string{
		"server": `[a-z0-9_-]{1,32}`, "endpoint": `token|revoke|introspect|jwks|metadata|login|logout|none`, "grant_type": `|password|refresh_token`,
		"outcome": `success|refused|anonymous|none|unavailable|[a-z]+_[a-z_]+`, "shadow": `true|false`, "limit": `pair|account|address|network|rate|sessions|revocations|client`,
		"client_id": `[a-z0-9-]*`, "event": `grant_[a-z_]+`,
		"kind": `user|client`, "result": `compared|cached|repeated|joined|throttled|shed|client_gone`,
		"scheme": `bcrypt|argon2id|yescrypt|apr1|md5-crypt|sha(256|512)-crypt|\{S?SHA\}`, "le": `[0-9.]+|\+Inf`, "path": `/.*`, "reads": `users|clients|api_keys`, "key": `[a-z]+`, "issuer": `https?://[a-z0-9.:/]+`,
		"engine": `[a-z0-9_]+`, "call": `epoch|load|swap|revoke|revoked|sweep`,
	}
	for series := range s.Metrics() {
		_, labels, _ := strings.Cut(strings.TrimSuffix(series, "}"), "{")
		for _, label := range regexp.MustCompile(`([a-z_]+)="([^"]*)"`).FindAllStringSubmatch(labels, -1) {
			if allowed, known := values[label[1]]; !known || !regexp.MustCompile(`^(?:`+allowed+`)$`).MatchString(label[2]) {
				t.Errorf("%s: the label %s is %q", series, label[1], label[2])
			}
		}
	}
}
