package credential

import (
	"time"

	"github.com/caddygrant/caddy-grant/internal/password"
)

// Observer is told how checks end, for metrics.
type Observer interface {
	// Checked is called once for every check, with a kind and a result of those below.
	Checked(kind, result string)

	// Hashed is called for a hash that was computed. scheme is that of its text.
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

// observe tells of a comparison, and of the hash if this one made it.
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
