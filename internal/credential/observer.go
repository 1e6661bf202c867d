package credential

import (
	"time"

	"github.com/caddygrant/caddy-grant/internal/password"
)

// Observer is told how checks end, for metrics.
type Observer interface {
	// Checked is called once for every check, with one of the kinds and one of the
	// results below.
	Checked(kind, result string)

	// Hashed is called for a hash that was computed. scheme is the one in its text.
	Hashed(scheme string, took time.Duration)
}

// Kinds of credentials.
const (
	KindUser   = "user"
	KindClient = "client"
)

// Results of a check.
const (
	Compared  = "compared"
	Cached    = "cached"
	Repeated  = "repeated"
	Joined    = "joined"
	Throttled = "throttled"
	Shed      = "shed"
	Gone      = "client_gone"
)

// Results are all of them.
var Results = []string{Compared, Cached, Repeated, Joined, Throttled, Shed, Gone}

// observe reports a comparison, and the hash if this one computed it.
func (c *Checker) observe(presented credential, result password.Result) {
	how := Compared
	switch {
	case result.Cached:
		how = Cached
	case result.Joined:
		how = Joined
	}
	c.Observer.Checked(presented.kind, how)
	if result.Hashing > 0 {
		hashed := presented.hash.Params()
		if presented.or != nil && hashed.Cheap() {
			hashed = presented.or.Hash.Params()
		}
		c.Observer.Hashed(string(hashed.Scheme), result.Hashing)
	}
}
