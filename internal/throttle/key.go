package throttle

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"net/netip"
)

// digest stands for a name, an address or both. Names are hostile: they may be long,
// they may be a password that was typed into the wrong field, and they may be chosen to
// collide in a table.
type digest [16]byte

// digester makes digests with a key that is random and never leaves the process.
type digester struct{ key [32]byte }

func newDigester() digester {
	var d digester
	rand.Read(d.key[:]) // never fails
	return d
}

// The kinds of things that have a digest.
const (
	ofAccount = iota
	ofPairWithAddress
	ofPairWithParty
	ofAddress
	ofGuess
	ofRate
	ofBucket
	ofPairWithAddressCrossSite
	ofPairWithPartyCrossSite
)

// digest is a part of the SHA-256 of the key, the kind and the parts with their
// lengths. HMAC would add nothing: it prevents an attacker who sees a digest from
// extending it, and digests are never shown.
func (d *digester) digest(kind byte, parts ...string) digest {
	b := make([]byte, 0, 512)
	b = append(b, d.key[:]...)
	b = append(b, kind)
	for _, part := range parts {
		b = binary.BigEndian.AppendUint64(b, uint64(len(part)))
		b = append(b, part...)
	}
	sum := sha256.Sum256(b)
	return digest(sum[:])
}

// keys are what an attempt is counted for, and what makes it the same as another. Keys
// that it does not have are zero.
type keys struct {
	pair    digest
	account digest // also set with Attempt.SkipAccount
	address digest
	network digest // the IPv6 /48 around the address
	guess   digest // the pair and the secret
}

// networkPrefix is the most that an IPv6 subscriber has in most places. 65,536 /64s of
// one subscriber are one attacker.
const networkPrefix = 48

func (d *digester) keys(a Attempt, l Limits) keys {
	k := keys{account: d.digest(ofAccount, a.Account)}
	withAddress, withParty := byte(ofPairWithAddress), byte(ofPairWithParty)
	if a.Source.crossSite {
		withAddress, withParty = ofPairWithAddressCrossSite, ofPairWithPartyCrossSite
	}
	if a.Source.party != "" {
		k.pair = d.digest(withParty, string(k.account[:]), a.Source.party)
	} else {
		address, bits := a.Source.address.Unmap(), l.IPv4Prefix
		if address.Is6() {
			bits = l.IPv6Prefix
		}
		group := groupOf(address, bits)
		k.pair = d.digest(withAddress, string(k.account[:]), group)
		if address.IsValid() {
			k.address = d.digest(ofAddress, group)
			if address.Is6() && bits > networkPrefix {
				k.network = d.digest(ofAddress, groupOf(address, networkPrefix))
			}
		}
	}
	if a.Secret != "" {
		k.guess = d.guess(k.pair, a.Secret)
	}
	return k
}

func (d *digester) guess(pair digest, secret string) digest {
	return d.digest(ofGuess, string(pair[:]), secret)
}

// groupOf is a network with its length, so that a counter does not become the counter
// of a larger network when the limits change. Invalid addresses are one group.
func groupOf(address netip.Addr, bits int) string {
	prefix, _ := address.Prefix(bits)  // fails only for more bits than Limits.complete allows
	group, _ := prefix.MarshalBinary() // never fails
	return string(group)
}
