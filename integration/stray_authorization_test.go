package integration

import (
	"fmt"
	"testing"
)

// An interceptor of a client program adds its token to everything, also to a login or a
// refresh. That says nothing of the client, who is named in the body.
func TestATokenBesideAClientInTheBodyIsIgnored(t *testing.T) {
	s := startClients(t, "throttle off")
	for _, header := range []string{"Bearer abc", "bearer abc", "BEARER", "Bearer undefined", "Bearer  a b", ""} {
		t.Run(fmt.Sprintf("B4: %q", header), func(t *testing.T) {
			header := "Authorization: " + header
			for form, status := range map[string]int{
				loginForm():                             200,
				userForm("client_id", "cli"):            200,
				loginForm("client_secret", "wrong"):     400,
				userForm("client_id", "web"):            400,
				userForm("client_id", "nobody"):         400,
				userForm("client_secret", "web-secret"): 401,
				userForm():                              401,
				loginForm("password", "wrong"):          400,
			} {
				if a := s.post("/token", form, header); a.status != status {
					t.Errorf("%s: got %d, want %d: %s", form, a.status, status, a.body)
				}
			}
			login := s.post("/token", loginForm(), header)
			s.post("/token", "client_id=web&client_secret=web-secret&grant_type=refresh_token&refresh_token="+login.text(t, "refresh_token"), header).want(t, 200, "")
			if a := s.post("/token/introspect", "client_id=web&client_secret=web-secret&token="+login.text(t, "access_token"), header); a.json["active"] != true {
				t.Errorf("got %d %s", a.status, a.body)
			}
			s.post("/token/revoke", "client_id=web&client_secret=web-secret&token="+login.text(t, "access_token"), header).want(t, 200, "")
		})
	}
	t.Run("it is noted in the log", func(t *testing.T) {
		for header, noted := range map[string]any{"Authorization: Bearer abc": true, "Authorization: ": nil, "X-A: b": nil} {
			s.post("/token", loginForm("password", "wrong"), header).want(t, 400, "invalid_grant")
			if line := s.lastRefusal(); line["bearer_ignored"] != noted {
				t.Errorf("%s: %v", header, line)
			}
			s.post("/token", loginForm(), header).want(t, 200, "")
			issued := s.logged(func(line map[string]any) bool { return line["msg"] == "token issued" })
			if line := issued[len(issued)-1]; line["bearer_ignored"] != noted {
				t.Errorf("%s: %v", header, line)
			}
		}
	})
	for name, headers := range map[string][]string{
		"another scheme":               {"Authorization: DPoP abc"},
		"Digest":                       {"Authorization: Digest username=x"},
		"no scheme":                    {"Authorization: abc"},
		"a scheme that only begins so": {"Authorization: Bearerx abc"},
		"a malformed Basic":            {"Authorization: Basic abc"},
	} {
		t.Run("B4: not so "+name, func(t *testing.T) {
			s.post("/token", userForm("client_id", "cli"), headers...).want(t, 401, "invalid_client")
			s.post("/token", loginForm(), headers...).want(t, 400, "invalid_request")
		})
	}
	for name, headers := range map[string][]string{
		"a token and Basic":      {"Authorization: Bearer abc", basic("web", "web-secret")},
		"an empty one and Basic": {"Authorization: ", basic("web", "web-secret")},
		"Basic and an empty one": {basic("web", "web-secret"), "Authorization: "},
		"two tokens":             {"Authorization: Bearer abc", "Authorization: Bearer abc"},
		"two empty ones":         {"Authorization: ", "Authorization: "},
	} {
		t.Run("B4: two headers are too many: "+name, func(t *testing.T) {
			s.post("/token", userForm(), headers...).want(t, 400, "invalid_request")
			s.post("/token", loginForm(), headers...).want(t, 400, "invalid_request")
		})
	}
}
