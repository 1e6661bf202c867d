package harness

import (
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
)

// Load changes the running config to JSON, even if it is equal. When it returns, requests
// come to the config that runs now: Caddy itself returns as soon as it has asked the
// servers of the config before to stop, and on a busy machine these take requests a while
// longer.
func (s *Site) Load(config []byte) error {
	defer s.waitForOldServers()
	return caddy.Load(config, true)
}

// LoadIfChanged is [Site.Load], but of a config that runs already nothing is loaded.
func (s *Site) LoadIfChanged(config []byte) error {
	defer s.waitForOldServers()
	return caddy.Load(config, false)
}

// waitForOldServers waits until no port of the site has two listeners on one address, and
// leaves the connections to those that are gone. Where there is no /proc it waits for
// nothing: other systems share one listener.
func (s *Site) waitForOldServers() {
	for deadline := time.Now().Add(Patience); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		listening := listenersOf(s.Port, s.TLSPort)
		slices.Sort(listening)
		if len(slices.Compact(slices.Clone(listening))) == len(listening) {
			break
		}
	}
	s.Client.CloseIdleConnections()
}

// listenersOf are the addresses of the TCP sockets that listen on one of the ports, as
// Linux writes them in /proc/net/tcp (proc(5)).
func listenersOf(ports ...int) []string {
	const localAddress, state, listening = 1, 3, "0A"
	var found []string
	for _, path := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		table, err := os.ReadFile(path)
		if err != nil {
			return nil
		}
		for line := range strings.Lines(string(table)) {
			columns := strings.Fields(line)
			if len(columns) <= state || columns[state] != listening {
				continue
			}
			_, hex, _ := strings.Cut(columns[localAddress], ":")
			if port, err := strconv.ParseUint(hex, 16, 16); err == nil && slices.Contains(ports, int(port)) {
				found = append(found, columns[localAddress])
			}
		}
	}
	return found
}
