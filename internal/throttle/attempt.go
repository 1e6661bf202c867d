package throttle

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"strings"
)

// Attempt is the presentation of a password or a client secret, about to be made.
type Attempt struct {
	// Account is the owner of the password or secret. The throttle cannot tell whether
	// it exists. It must include its kind, such as Join(server, "user", name):
	// otherwise a user and a client of one name would share an account.
	Account string

	// Source is who makes the attempt.
	Source Source

	// Secret is the password or secret that is presented, or what stands for it.
	// Attempts in flight at the same time with the same account, source and secret are
	// one guess and count once, so that a back end that logs in with its secret many
	// times at the same time does not get in its own way. Nothing of it is kept after
	// the attempt. If it is empty, each attempt counts.
	Secret string

	// Fingerprint stands for all that decides how the attempt ends: the account, what
	// the secret is compared with and the secret. When it was wrong, it is remembered
	// for some minutes, see Reservation.Repeated. A zero fingerprint is not remembered.
	Fingerprint Fingerprint

	// Also is the fingerprint of another attempt that would be wrong if this attempt
	// is, and is remembered with it. Zero: none.
	Also Fingerprint

	// SkipAccount keeps the attempt from counting for the account on its own, whatever
	// the source, so that it has no ceiling: for clients, which a stranger could
	// otherwise block for all their users.
	SkipAccount bool
}

// Fingerprint is a keyed digest, which is useless outside the process.
type Fingerprint [32]byte

// Format writes the source for every verb, so that no log line or error contains a
// password by accident.
func (a Attempt) Format(s fmt.State, _ rune) {
	fmt.Fprintf(s, "attempt from %s%s", a.Source.address, a.Source.party)
}

// Source is where attempts come from: an address or a party. The zero Source is an
// unknown address.
type Source struct {
	address   netip.Addr
	party     string
	crossSite bool
}

// Address is a source of which only the address is known. Addresses with the same
// prefix are one source, see Limits. An IPv4 address mapped to IPv6 is the IPv4
// address, and a zone is ignored. All invalid addresses are one source, which is not
// counted on its own: behind a proxy that hides the addresses it would be all clients.
func Address(a netip.Addr) Source { return Source{address: a} }

// Party is a source that is known by something better than an address, such as a client
// that has authenticated. It is counted only together with an account. The id must not
// be empty.
func Party(id string) Source { return Source{party: id} }

// CrossSite is a page of another site, in a browser at the source. With an account it
// is counted separately from the source, so that no page in the owner's browser makes
// the owner wait; it shares the source's address and network.
func (s Source) CrossSite() Source {
	s.crossSite = true
	return s
}

// Join makes one string of several, so that different parts never make the same string.
func Join(parts ...string) string {
	size := 0
	for _, part := range parts {
		size += binary.MaxVarintLen16 + len(part)
	}
	var joined strings.Builder
	joined.Grow(size)
	var length [binary.MaxVarintLen64]byte
	for _, part := range parts {
		joined.Write(length[:binary.PutUvarint(length[:], uint64(len(part)))])
		joined.WriteString(part)
	}
	return joined.String()
}
