package password

import (
	"context"
	"encoding/binary"
)

// Outside is a password that is compared elsewhere, such as by a directory server.
type Outside struct {
	Under    []string // whose password and which: a change of any of these makes a right password wrong
	Password string
	Keep     bool // a match counts, see Attempt.Keep

	Compare func(context.Context) (bool, error)
}

// VerifyOutside asks whether a password matches, unless it did a moment ago. A wrong
// password is not remembered. It does not go through the gate, since nothing is hashed
// here.
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

// digestOutside stands for all that decides the result of the comparison. The digest of
// an attempt begins with another label.
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
	clear(data) // it contains the password
	return d
}

// outsideLabel is not an Attempt.Kind.
const outsideLabel = "compared outside"
