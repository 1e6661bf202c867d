package throttle

// owner says of an entry what its key, a digest, does not: whose pair it is, or that an
// address is a network.
type owner struct {
	account, address tag // of a pair; the address is zero for a party or an unknown one
	network          bool
}

// tag is the beginning of a digest: enough to find what belongs to an account or an
// address, and to keep entries small. That a search in full tables also finds the pair
// of another is as likely as one in 500 billion.
type tag [7]byte

func tagOf(d digest) tag { return tag(d[:]) }

func ownerOfPair(k *keys) owner { return owner{account: tagOf(k.account), address: tagOf(k.address)} }
