package integration

import "testing"

// A second node and a restart sign with the key that the first one generated.
func TestProcessesShareGeneratedKeys(t *testing.T) {
	s := newSite(t)
	config := s.write("Caddyfile", s.expand(`{
	admin off
	persist_config off
	storage file_system "%DIR%/storage"
}
`+basicSite))
	p := startProcess(t, s.dir, config, s.address())
	first := s.do(s.request("GET", "/token/jwks", "")).body
	p.stop()
	startProcess(t, s.dir, config, s.address())
	second := s.do(s.request("GET", "/token/jwks", "")).body
	if string(first) != string(second) {
		t.Fatalf("keys changed from %s to %s", first, second)
	}
}
