package sharedfailures

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/caddygrant/caddy-grant/internal/throttle"
)

// reports are those that a node may make, with so many of everything at most.
func reports(most int) *rapid.Generator[*throttle.Report] {
	key := rapid.Custom(func(t *rapid.T) (k throttle.Key) {
		copy(k[:], rapid.SliceOfN(rapid.Byte(), len(k), len(k)).Draw(t, "key"))
		return k
	})
	return rapid.Custom(func(t *rapid.T) *throttle.Report {
		r := &throttle.Report{Known: []throttle.Key{}, Cleared: []throttle.Cleared{}}
		for kind := range r.Counts {
			keys := rapid.SliceOfNDistinct(key, 0, most, rapid.ID).Draw(t, "keys")
			for _, k := range sorted(keys) {
				c := throttle.Count{
					Key:      k,
					Floor:    rapid.Uint64Range(0, maxTotal).Draw(t, "floor"),
					Failures: rapid.Uint32Range(1, maxFailures).Draw(t, "failures"),
					Age:      time.Duration(rapid.Int64Range(0, maxAgeSeconds).Draw(t, "age")) * time.Second,
					Network:  rapid.Bool().Draw(t, "network"),
					Told:     rapid.Bool().Draw(t, "told"),
				}
				if throttle.Kind(kind) == throttle.Pairs {
					copy(c.Account[:], k[:])
					copy(c.Address[:], k[8:])
				}
				r.Counts[kind] = append(r.Counts[kind], c)
			}
		}
		r.Known = append(r.Known, rapid.SliceOfN(key, 0, most).Draw(t, "known")...)
		for _, k := range rapid.SliceOfN(key, 0, most).Draw(t, "cleared") {
			of := throttle.Failed{Node: throttle.NodeID(k[:8]), Kind: throttle.Kind(k[0] % 3), Key: k}
			r.Cleared = append(r.Cleared, throttle.Cleared{Failed: of, UpTo: binary.BigEndian.Uint64(k[:]) % maxTotal})
		}
		return r
	})
}

func sorted(keys []throttle.Key) []throttle.Key {
	for i := range keys {
		for j := i; j > 0 && throttle.CompareKeys(keys[j], keys[j-1]) < 0; j-- {
			keys[j], keys[j-1] = keys[j-1], keys[j]
		}
	}
	return keys
}

func TestAnObjectSaysWhatItsReportDid(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := reports(5).Draw(t, "report")
		content := encode(r)
		got, err := decode(content)
		if err != nil || !got.Equal(r) {
			t.Fatalf("%+v became %+v, %v", r, got, err)
		}
		for kind := range r.Counts {
			for i, c := range r.Counts[kind] {
				if got.Counts[kind][i].Age != c.Age {
					t.Fatalf("age %v became %v", c.Age, got.Counts[kind][i].Age)
				}
			}
		}
		at := rapid.IntRange(0, len(content)-1).Draw(t, "at")
		if _, err := decode(content[:at]); err == nil {
			t.Fatalf("the first %d of %d bytes are an object", at, len(content))
		}
		content[at] ^= byte(rapid.IntRange(1, 255).Draw(t, "changed by"))
		if _, err := decode(content); err == nil {
			t.Fatalf("byte %d is another and nothing is noticed", at)
		}
	})
}

// A report of a node never makes an object that others refuse for its size.
func TestTheLargestObjectIsNotTooLarge(t *testing.T) {
	r := new(throttle.Report)
	key := func(i int) (k throttle.Key) {
		binary.BigEndian.PutUint32(k[:], uint32(i))
		return k
	}
	for kind := range r.Counts {
		for i := range throttle.MaxCounts {
			r.Counts[kind] = append(r.Counts[kind], throttle.Count{Key: key(i), Floor: maxTotal, Failures: maxFailures, Age: maxAgeSeconds * time.Second})
		}
	}
	for i := range throttle.MaxKnown {
		r.Known = append(r.Known, key(i))
	}
	for i := range throttle.MaxCleared {
		r.Cleared = append(r.Cleared, throttle.Cleared{Failed: throttle.Failed{Key: key(i)}, UpTo: maxTotal})
	}
	content := encode(r)
	if _, err := decode(content); err != nil {
		t.Errorf("%d bytes: %v", len(content), err)
	}
}

// Whatever an object says, it is an error or a report within bounds, which a throttle
// takes in without harm.
func FuzzAnObjectIsDamagedOrWithinBounds(f *testing.F) {
	f.Add(encode(new(throttle.Report))[len(magic):])
	f.Add(encode(&throttle.Report{
		Counts:  [3][]throttle.Count{{{Failures: 1}}, {{Failures: 2, Age: time.Hour}}, {{Failures: 3, Network: true}}},
		Known:   []throttle.Key{{1}},
		Cleared: []throttle.Cleared{{Failed: throttle.Failed{Kind: throttle.Addresses}, UpTo: math.MaxInt32}},
	})[len(magic):])
	f.Fuzz(func(t *testing.T, content []byte) {
		content = append([]byte(magic), content...)
		if _, err := decode(content); err == nil && !bytes.Equal(content[len(content)-4:], checksum(content[:len(content)-4])) {
			t.Error("an object with a wrong checksum")
		}
		r, err := decode(append(content, checksum(content)...))
		if err != nil {
			return
		}
		for kind := range r.Counts {
			if len(r.Counts[kind]) > throttle.MaxCounts || len(r.Known) > throttle.MaxKnown || len(r.Cleared) > throttle.MaxCleared {
				t.Fatal("more than a report has")
			}
			for i := range r.Counts[kind] {
				c := &r.Counts[kind][i]
				if c.Failures == 0 || c.Failures > maxFailures || c.Floor > maxTotal || c.Age < 0 {
					t.Fatalf("%+v", c)
				}
			}
		}
		th := throttle.New(throttle.Limits{})
		var nodes []throttle.Other
		for i := range 3 {
			nodes = append(nodes, throttle.Other{ID: throttle.NodeID{byte(i)}, Report: r})
		}
		th.Heed(throttle.NodeID{}, nodes)
		th.Waiting()
		th.Report()
	})
}

func checksum(content []byte) []byte {
	return binary.BigEndian.AppendUint32(nil, crc32.ChecksumIEEE(content))
}
