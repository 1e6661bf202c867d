package credential

import (
	"net/netip"

	"github.com/caddygrant/caddy-grant/internal/throttle"
)

// Sender describes who presents a credential.
type Sender struct {
	Source  throttle.Source // for which failures are counted
	Address string          // of the peer; may be empty
	User    netip.Addr      // of the user, if the client gives it; not valid if none
}

// network is what takes turns at hashing: an IPv4 address, or the /64 of an IPv6
// address, within which a host can have as many addresses as it likes.
func (s Sender) network() string {
	ip := s.User
	if !ip.IsValid() {
		var err error
		if ip, err = netip.ParseAddr(s.Address); err != nil {
			return s.Address
		}
	}
	if ip = ip.Unmap().WithZone(""); ip.Is4() {
		return ip.String()
	}
	prefix, err := ip.Prefix(64)
	if err != nil {
		return ip.String()
	}
	return prefix.String()
}
