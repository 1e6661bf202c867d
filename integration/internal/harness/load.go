package harness

import (
	"github.com/caddyserver/caddy/v2"

	"github.com/caddygrant/caddy-grant/internal/realserver"
)

// Load changes the running config to JSON, even if it is equal. When it returns, the
// config before gets no more requests.
func (s *Site) Load(config []byte) error {
	defer s.waitForOldServers()
	return caddy.Load(config, true)
}

// LoadIfChanged is [Site.Load], but of a config that runs already nothing is loaded.
func (s *Site) LoadIfChanged(config []byte) error {
	defer s.waitForOldServers()
	return caddy.Load(config, false)
}

func (s *Site) waitForOldServers() {
	realserver.WaitForOldListeners(s.Port, s.TLSPort)
	s.Client.CloseIdleConnections()
}
