package password

import (
	"context"
	"encoding/binary"
)

// Outside is a password that is compared elsewhere, such as by a directory server.
type Outside struct {
	Under    []string // whose it is and which one: all that makes what was right wrong when it changes
	Password string
	Keep     bool // a match counts, see Attempt.Keep

	Compare func(context.Context) (bool, error)
}

// VerifyOutside asks whether a password matches, unless it did a moment ago. What was wrong is not remembered. It takes
// no turn at the gate, since nothing is hashed here.
func (v *Verifier) VerifyOutside(ctx context.Context, o Outside) (Result, error) {
	d := v.digestOutside(o)
	if o.Keep && v.cache.has(d) {
		return Result{Matches: true, Cached: true}, nil
	}
	matches, err := o.Compare(ctx)
	if err != nil {
		return Result{}, err
	}
	if matches && o.Keep {
		v.cache.add(d)
	}
	return Result{Matches: matches}, nil
}

// digestOutside stands for all that decides how the comparison comes out. That of an attempt begins with another label.
func (v *Verifier) digestOutside(o Outside) (d attemptDigest) {
	size := (len(o.Under) + 3) * binary.MaxVarintLen64
	for _, part := range o.Under {
		size += len(part)
	}
	data := make([]byte, 0, size+len(outsideLabel)+len(o.Password)) // it does not grow, see digestOne
	for _, part := range append([]string{outsideLabel}, o.Under...) {
		data = binary.AppendUvarint(data, uint64(len(part)))
		data = append(data, part...)
	}
	data = binary.AppendUvarint(data, uint64(len(o.Under)))
	data = binary.AppendUvarint(data, uint64(len(o.Password)))
	data = append(data, o.Password...)
	v.key.Append(d[:0], data)
	clear(data) // it holds the password
	return d
}

// outsideLabel is no Attempt.Kind.
const outsideLabel = "compared outside"
