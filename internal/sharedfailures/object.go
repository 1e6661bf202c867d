package sharedfailures

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"time"

	"github.com/caddygrant/caddy-grant/internal/throttle"
)

// An object is a report of a node. Numbers are unsigned varints, keys have 16 bytes and
// tags 7:
//
//	magic
//	for accounts, pairs and addresses: how many, then each:
//	    key, floor, failures, age in seconds, flags; for a pair the tags of account and address
//	known good pairs: how many, then their keys
//	what was forgiven: how many, then each: node (8 bytes), kind (1 byte), key, up to which total
//	CRC-32 of all that, big endian
//
// Counts are in the order of their keys, and no key is repeated.

var errDamaged = errors.New("the object is damaged")

// encode makes the object of a report.
func encode(r *throttle.Report) []byte {
	b := append(make([]byte, 0, 1024), magic...)
	for kind, counts := range r.Counts {
		b = binary.AppendUvarint(b, uint64(len(counts)))
		for i := range counts {
			b = appendCount(b, throttle.Kind(kind), &counts[i])
		}
	}
	b = binary.AppendUvarint(b, uint64(len(r.Known)))
	for _, pair := range r.Known {
		b = append(b, pair[:]...)
	}
	b = binary.AppendUvarint(b, uint64(len(r.Cleared)))
	for _, c := range r.Cleared {
		b = append(b, c.Node[:]...)
		b = append(b, byte(c.Kind))
		b = append(b, c.Key[:]...)
		b = binary.AppendUvarint(b, c.UpTo)
	}
	return binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b))
}

func appendCount(b []byte, kind throttle.Kind, c *throttle.Count) []byte {
	b = append(b, c.Key[:]...)
	b = binary.AppendUvarint(b, c.Floor)
	b = binary.AppendUvarint(b, uint64(c.Failures))
	b = binary.AppendUvarint(b, uint64(max(0, c.Age)/time.Second))
	var flags byte
	if c.Network {
		flags |= flagNetwork
	}
	if c.Told {
		flags |= flagTold
	}
	b = append(b, flags)
	if kind == throttle.Pairs {
		b = append(b, c.Account[:]...)
		b = append(b, c.Address[:]...)
	}
	return b
}

// decode reads an object, of which nothing is believed: what is out of bounds, in
// another order or followed by anything is an error.
func decode(b []byte) (*throttle.Report, error) {
	if len(b) < len(magic)+crc32.Size || len(b) > maxObject || string(b[:len(magic)]) != magic {
		return nil, errDamaged
	}
	content, sum := b[:len(b)-crc32.Size], b[len(b)-crc32.Size:]
	if crc32.ChecksumIEEE(content) != binary.BigEndian.Uint32(sum) {
		return nil, errDamaged
	}
	d := &decoder{rest: content[len(magic):]}
	r := new(throttle.Report)
	for kind := range r.Counts {
		r.Counts[kind] = d.counts(throttle.Kind(kind))
	}
	r.Known = make([]throttle.Key, d.number(throttle.MaxKnown))
	for i := range r.Known {
		d.bytes(r.Known[i][:])
	}
	r.Cleared = make([]throttle.Cleared, d.number(throttle.MaxCleared))
	for i := range r.Cleared {
		r.Cleared[i] = d.cleared()
	}
	if d.failed || len(d.rest) > 0 {
		return nil, errDamaged
	}
	return r, nil
}

// decoder reads from the beginning of what is left. After a failure it reads zeros.
type decoder struct {
	rest   []byte
	failed bool
}

func (d *decoder) counts(kind throttle.Kind) []throttle.Count {
	counts := make([]throttle.Count, d.number(throttle.MaxCounts))
	for i := range counts {
		c := &counts[i]
		d.bytes(c.Key[:])
		c.Floor = d.number(maxTotal)
		c.Failures = uint32(d.number(maxFailures))
		c.Age = time.Duration(d.number(maxAgeSeconds)) * time.Second
		flags := d.byte()
		c.Network, c.Told = flags&flagNetwork != 0, flags&flagTold != 0
		if kind == throttle.Pairs {
			d.bytes(c.Account[:])
			d.bytes(c.Address[:])
		}
		inOrder := i == 0 || throttle.CompareKeys(counts[i-1].Key, c.Key) < 0
		d.want(inOrder && c.Failures > 0 && flags < flagTold<<1)
	}
	return counts
}

func (d *decoder) cleared() (c throttle.Cleared) {
	d.bytes(c.Node[:])
	c.Kind = throttle.Kind(d.byte())
	d.bytes(c.Key[:])
	c.UpTo = d.number(maxTotal + maxFailures)
	d.want(c.Kind <= throttle.Addresses)
	return c
}

// number reads a number of at most that; it is 0 after a failure.
func (d *decoder) number(most uint64) uint64 {
	n, size := binary.Uvarint(d.rest)
	if d.want(size > 0 && n <= most); d.failed {
		return 0
	}
	d.rest = d.rest[size:]
	return n
}

func (d *decoder) byte() byte {
	var b [1]byte
	d.bytes(b[:])
	return b[0]
}

func (d *decoder) bytes(into []byte) {
	if d.want(len(d.rest) >= len(into)); d.failed {
		return
	}
	copy(into, d.rest)
	d.rest = d.rest[len(into):]
}

func (d *decoder) want(what bool) { d.failed = d.failed || !what }

// name is the name of an object: its node, and its number among those of the node.
type name struct {
	node    throttle.NodeID
	version uint64
}

func (n name) String() string { return fmt.Sprintf("%x-%d", n.node, n.version) }

// parseName reads the name of an object; ok is false for any other name.
func parseName(text string) (n name, ok bool) {
	if len(text) > maxName {
		return name{}, false
	}
	var id []byte
	if _, err := fmt.Sscanf(text, "%x-%d", &id, &n.version); err != nil || len(id) != len(n.node) {
		return name{}, false
	}
	n.node = throttle.NodeID(id)
	return n, n.String() == text
}

const (
	magic   = "GFC1"
	maxName = 16 + 1 + 20

	flagNetwork = 1
	flagTold    = 2

	// maxObject is more than any report takes.
	maxObject = 512 << 10

	maxTotal      = 1 << 62
	maxFailures   = 1 << 20
	maxAgeSeconds = 1 << 32
)
