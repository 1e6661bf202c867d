package machine

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
)

func TestIntrospectionOfAClientsOwnToken(t *testing.T) {
	s := start(t, "")
	backup := s.As("backup")
	raw := token(t, backup)
	for _, id := range []string{"backup", "monitor"} {
		a := s.As(id).Introspect(raw)
		a.Want(t, 200, "")
		if a.JSON["active"] != true || a.JSON["sub"] != "backup" || a.JSON["client_id"] != "backup" || a.JSON["gty"] != "client-credentials" {
			t.Errorf("RFC 7662 §2.2: %s sees %s", id, a.Body)
		}
		members := []string{"active", "aud", "cid", "client_id", "exp", "gty", "iat", "iss", "jti", "nbf", "scope", "sid", "sub", "token_type"}
		if got := slices.Sorted(maps.Keys(a.JSON)); !slices.Equal(got, members) {
			t.Errorf("%s sees the members %v", id, got)
		}
	}
	if isActive(t, s.Web(), raw) || isActive(t, s.As("both"), raw) {
		t.Error("RFC 7662 §2.1: another client sees it")
	}
	login := s.As("both").Login(t, "alice")
	if isActive(t, backup, login.Access) || isActive(t, backup, login.Refresh) {
		t.Error("it sees the token of a user of another client")
	}
}

func TestAClientRevokesItsOwnTokenAndNoOther(t *testing.T) {
	s := start(t, "")
	backup, both := s.As("backup"), s.As("both")
	first, second, others := token(t, backup), token(t, backup), token(t, both)
	login := both.Login(t, "alice")

	backup.Revoke(others).Want(t, 400, "invalid_grant")
	both.Revoke(first).Want(t, 400, "invalid_grant")
	backup.Revoke(first).Want(t, 200, "")
	wantReason(t, s, first, "its session was revoked")
	if isActive(t, backup, first) {
		t.Error("RFC 7009 §2.2: it is active after its revocation")
	}
	for _, raw := range []string{second, others} { // each token is a session of its own
		wantPasses(t, s, raw)
	}
	both.Revoke(others, "token_type_hint", "refresh_token").Want(t, 200, "")
	wantReason(t, s, others, "its session was revoked")
	both.WantGoing(t, login)

	line := s.Logged(func(line map[string]any) bool { return line["msg"] == "session revoked" })[0]
	if line["client_id"] != "backup" || line["user_id"] != nil || line["session_id"] != harness.TextClaim(t, first, "sid") {
		t.Errorf("logged %v", line)
	}
	if backup.Revoke(first).Status != 200 {
		t.Error("RFC 7009 §2.2: a second revocation fails")
	}
}

func TestLogsAndMetricsNameTheClientAndNoUser(t *testing.T) {
	s := start(t, "log_usernames")
	before := s.Metrics()
	raw := token(t, s.As("both"))
	itself(s.As("both"), "scope", "admin", "username", "alice").Want(t, 400, "invalid_scope")

	issued := s.Logged(func(line map[string]any) bool { return line["msg"] == "token issued" })
	if len(issued) != 1 || issued[0]["client_id"] != "both" || issued[0]["grant_type"] != "client_credentials" ||
		issued[0]["token_id"] != harness.TextClaim(t, raw, "jti") || issued[0]["user_id"] != nil {
		t.Errorf("logged %v", issued)
	}
	if line := s.LastRefusal(); line["client_id"] != "both" || line["user_id"] != nil || line["grant_type"] != "client_credentials" {
		t.Errorf("logged %v", line)
	}
	access := s.Logged(func(line map[string]any) bool {
		request, _ := line["request"].(map[string]any)
		return request["uri"] == "/token"
	})
	for _, line := range access {
		if line["grant_type"] != "client_credentials" || line["user_id"] != nil && line["user_id"] != "" {
			t.Errorf("the access log has %v", line)
		}
	}
	if len(access) != 2 {
		t.Errorf("the access log has %d lines", len(access))
	}
	for line := range strings.Lines(s.RawLog()) {
		if strings.Contains(line, raw) || strings.Contains(line, "both-secret") && !strings.Contains(line, `"logger":"http.auto_https"`) { // the config, as Caddy shows it
			t.Errorf("the log has a secret or a token: %s", line)
		}
	}
	for series, moves := range map[string]float64{
		`client_requests_total{client_id="both",grant_type="client_credentials",outcome="success",server="default"}`: 1,
		`client_requests_total{client_id="both",grant_type="client_credentials",outcome="refused",server="default"}`: 1,
		`requests_total{endpoint="token",grant_type="client_credentials",outcome="success",server="default"}`:        1,
	} {
		after := s.Metrics()
		if _, there := before[series]; !there || after[series]-before[series] != moves {
			t.Errorf("%s is %v after %v", series, after[series], before[series])
		}
	}
}

// What an app that has the HS256 secret signs. A kind that does not add up is no token
// at all, and neither kind gets the identity of the other.
func TestForgedKindsOfTokens(t *testing.T) {
	s := start(t, "signing_key HS256 "+harness.SharedSecret)
	own, users := token(t, s.As("both")), s.As("both").Login(t, "alice").Access
	wantPasses(t, s, harness.Forge(t, own, func(*harness.Forgery) {})) // a forgery as such is good
	for _, test := range []struct{ name, token, reason string }{
		{"RFC 9068 §2.2: a client's with a username", harness.Forge(t, own, harness.SetClaim("username", `"alice"`)), "username is malformed"},
		{"RFC 9068 §2.2: a client's with an empty username", harness.Forge(t, own, harness.SetClaim("username", `""`)), "username is malformed"},
		{"RFC 9700 §4.15: a client's about a user", harness.Forge(t, own, harness.SetClaim("sub", `"alice"`)), "sub is malformed"},
		{"RFC 9068 §2.2: a client's of another client_id", harness.Forge(t, own, harness.SetClaim("client_id", `"web"`)), "sub is malformed"},
		{"RFC 9068 §2.2: a client's with another gty", harness.Forge(t, own, harness.SetClaim("gty", `"password"`)), "gty is malformed"},
		{"RFC 9068 §2.2: a client's with an empty gty", harness.Forge(t, own, harness.SetClaim("gty", `""`)), "gty is malformed"},
		{"RFC 9068 §2.2: a client's with a list as gty", harness.Forge(t, own, harness.SetClaim("gty", `["client-credentials"]`)), "gty is malformed"},
		{"RFC 9068 §2.2: a client's without gty", harness.Forge(t, own, harness.WithoutClaims("gty")), "username is missing or malformed"},
		{"RFC 9700 §4.15: a client's that poses as a user's", harness.Forge(t, own, func(f *harness.Forgery) {
			harness.WithoutClaims("gty")(f)
			harness.SetClaim("username", `"alice"`)(f)
			harness.SetClaim("sub", `"alice"`)(f)
		}), "its user has another password now"},
		{"RFC 9068 §2.2: a user's with gty", harness.Forge(t, users, harness.SetClaim("gty", `"client-credentials"`)), "username is malformed"},
		{"RFC 9068 §2.2: a user's with another gty", harness.Forge(t, users, harness.SetClaim("gty", `"password"`)), "gty is malformed"},
		{"RFC 9068 §2.2: a user's with a gty that is null", harness.Forge(t, users, harness.SetClaim("gty", `null`)), "gty is malformed"},
		{"RFC 9700 §4.15: a user's that poses as a client's", harness.Forge(t, users, func(f *harness.Forgery) {
			harness.WithoutClaims("username")(f)
			harness.SetClaim("gty", `"client-credentials"`)(f)
			harness.SetClaim("sub", `"both"`)(f)
		}), "its client has another secret now"},
		{"RFC 9700 §4.15: a client's of a client that may not", harness.Forge(t, own, func(f *harness.Forgery) {
			for _, name := range []string{"sub", "cid", "client_id"} {
				harness.SetClaim(name, `"web"`)(f)
			}
		}), "its client may no longer act for itself"},
		{"RFC 9700 §4.15: a client's of a public client", harness.Forge(t, own, func(f *harness.Forgery) {
			for _, name := range []string{"sub", "cid", "client_id"} {
				harness.SetClaim(name, `"cli"`)(f)
			}
		}), "its client may no longer act for itself"},
		{"RFC 9700 §4.15: a client's of the login page", harness.Forge(t, own, func(f *harness.Forgery) {
			for _, name := range []string{"sub", "cid", "client_id"} {
				harness.SetClaim(name, `"login_page"`)(f)
			}
		}), "its client is gone"},
	} {
		t.Run(test.name, func(t *testing.T) { wantReason(t, s.For(t), test.token, test.reason) })
	}
}

// Claims that such an app makes up for a client are dropped.
func TestAMadeUpClaimOfAClientIsDropped(t *testing.T) {
	s := start(t, "signing_key HS256 "+harness.SharedSecret)
	raw := harness.Forge(t, token(t, s.As("both")), harness.SetClaim("email", `"alice@example.com"`))
	a := s.As("both").Introspect(raw)
	if a.JSON["active"] != true || a.JSON["email"] != nil {
		t.Errorf("it is shown as %s", a.Body)
	}
}

// An app that has the secret can make up sessions of clients that act for themselves: of
// those that cannot be, nothing is written.
func TestRevokeWritesNothingOfAClientThatMayNotAct(t *testing.T) {
	s := start(t, "signing_key HS256 "+harness.SharedSecret)
	own := token(t, s.As("both"))
	for _, id := range []string{"web", "cli"} {
		raw := harness.Forge(t, own, func(f *harness.Forgery) {
			for _, name := range []string{"sub", "cid", "client_id"} {
				harness.SetClaim(name, fmt.Sprintf("%q", id))(f)
			}
		})
		client := s.As(id)
		if id == "cli" {
			client = s.Public(id)
		}
		client.Revoke(raw).Want(t, 200, "")
		lines := s.Logged(func(line map[string]any) bool { return line["msg"] == "no session to revoke" })
		if len(lines) == 0 || lines[len(lines)-1]["reason"] != "client_may_not_act" || lines[len(lines)-1]["client_id"] != id {
			t.Errorf("%s: logged %v", id, lines)
		}
	}
	wantPasses(t, s, own)
}

// Beside who it was, the access log has no user, and no token.
func TestTheAccessLogNamesAClientThatGetsATokenForItself(t *testing.T) {
	s := start(t, "")
	itself(s.As("backup")).Want(t, 200, "")
	s.As("web").Login(t, "alice")
	harness.Eventually(t, "the access log has both requests", func() bool {
		seen := make(map[any]any)
		for _, line := range s.Logged(func(line map[string]any) bool { return line["logger"] == "http.log.access" && line["status"] == 200.0 }) {
			seen[line["grant_type"]] = line["client_id"]
		}
		client, there := seen["password"]
		return seen["client_credentials"] == "backup" && there && client == nil
	})
}
