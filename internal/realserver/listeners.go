package realserver

import (
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// longestStop is how long a server that was asked to stop may still listen.
const longestStop = 30 * time.Second

// WaitForOldListeners waits until none of the ports has two listeners on one address: after
// a reload Caddy returns as soon as it has asked the servers of the config before to stop,
// and on a busy machine these take requests a while longer. Connections that a client
// has kept may still lead to them, so it has to close those. Where there is no /proc
// it waits for nothing: Caddy has one listener for both configs there.
func WaitForOldListeners(ports ...int) {
	for deadline := time.Now().Add(longestStop); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		found := listeners(ports)
		slices.Sort(found)
		if len(slices.Compact(slices.Clone(found))) == len(found) {
			return
		}
	}
}

// listeners are the addresses of the TCP sockets that listen on one of the ports, as Linux
// writes them in /proc/net/tcp (proc(5)).
func listeners(ports []int) []string {
	const localAddress, state, listening = 1, 3, "0A"
	var found []string
	for _, path := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		table, err := os.ReadFile(path)
		if err != nil {
			continue
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
