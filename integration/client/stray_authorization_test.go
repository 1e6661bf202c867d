package client

import (
	"fmt"
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
)

// An interceptor of a client program adds its token to everything, also to a login or a
// refresh. That says nothing of the client, who is named in the body.
func TestATokenBesideAClientInTheBodyIsIgnored(t *testing.T) {
	s := startClients(t, "throttle off")
	for _, header := range []string{"Bearer abc", "bearer abc", "BEARER", "Bearer undefined", "Bearer  a b", ""} {
		t.Run(fmt.Sprintf("B4: %q", header), func(t *testing.T) {
			header := "Authorization: " + header
			for form, status := range map[string]int{
				harness.LoginForm():                             200,
				harness.UserForm("client_id", "cli"):            200,
				harness.LoginForm("client_secret", "wrong"):     400,
				harness.UserForm("client_id", "web"):            400,
				harness.UserForm("client_id", "nobody"):         400,
				harness.UserForm("client_secret", "web-secret"): 401,
				harness.UserForm():                              401,
				harness.LoginForm("password", "wrong"):          400,
			} {
				if a := s.Post("/token", form, header); a.Status != status {
					t.Errorf("%s: got %d, want %d: %s", form, a.Status, status, a.Body)
				}
			}
			login := s.Post("/token", harness.LoginForm(), header)
			s.Post("/token", "client_id=web&client_secret=web-secret&grant_type=refresh_token&refresh_token="+login.Text(t, "refresh_token"), header).Want(t, 200, "")
			if a := s.Post("/token/introspect", "client_id=web&client_secret=web-secret&token="+login.Text(t, "access_token"), header); a.JSON["active"] != true {
				t.Errorf("got %d %s", a.Status, a.Body)
			}
			s.Post("/token/revoke", "client_id=web&client_secret=web-secret&token="+login.Text(t, "access_token"), header).Want(t, 200, "")
		})
	}
	t.Run("it is noted in the log", func(t *testing.T) {
		for header, noted := range map[string]any{"Authorization: Bearer abc": true, "Authorization: ": nil, "X-A: b": nil} {
			s.Post("/token", harness.LoginForm("password", "wrong"), header).Want(t, 400, "invalid_grant")
			if line := s.LastRefusal(); line["bearer_ignored"] != noted {
				t.Errorf("%s: %v", header, line)
			}
			s.Post("/token", harness.LoginForm(), header).Want(t, 200, "")
			issued := s.Logged(func(line map[string]any) bool { return line["msg"] == "token issued" })
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
			s.Post("/token", harness.UserForm("client_id", "cli"), headers...).Want(t, 401, "invalid_client")
			s.Post("/token", harness.LoginForm(), headers...).Want(t, 400, "invalid_request")
		})
	}
	for name, headers := range map[string][]string{
		"a token and Basic":      {"Authorization: Bearer abc", harness.Basic("web", "web-secret")},
		"an empty one and Basic": {"Authorization: ", harness.Basic("web", "web-secret")},
		"Basic and an empty one": {harness.Basic("web", "web-secret"), "Authorization: "},
		"two tokens":             {"Authorization: Bearer abc", "Authorization: Bearer abc"},
		"two empty ones":         {"Authorization: ", "Authorization: "},
	} {
		t.Run("B4: two headers are too many: "+name, func(t *testing.T) {
			s.Post("/token", harness.UserForm(), headers...).Want(t, 400, "invalid_request")
			s.Post("/token", harness.LoginForm(), headers...).Want(t, 400, "invalid_request")
		})
	}
}
