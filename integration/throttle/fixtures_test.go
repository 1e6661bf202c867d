package throttle

import (
	"github.com/caddygrant/caddy-grant/integration/internal/harness"
)

// portalLogin logs in by the client that may name its user's address, at the address of
// its back end, with these values of its header.
func portalLogin(s *harness.Site, username, password string, endUserIPs ...string) harness.Answer {
	s.T.Helper()
	headers := make([]string, len(endUserIPs))
	for i, ip := range endUserIPs {
		headers[i] = "X-End-User-IP: " + ip
	}
	return s.From(harness.BackEndAddress, harness.LoginForm("client_id", "portal", "client_secret", "portal-secret", "username", username, "password", password), headers...)
}
