package credential

import (
	"context"
	"errors"

	"github.com/caddygrant/caddy-grant/internal/oauth"
	"github.com/caddygrant/caddy-grant/internal/throttle"
)

// reservation is an attempt that is counted until its result is known.
type reservation interface {
	KnownGood() bool
	Repeated() bool
	Recognize(fingerprint, also throttle.Fingerprint) bool
	Succeed()
	Fail()
	Locked() bool      // a failed attempt was the last that the account may have
	AsStranger() error // how to answer a failed attempt, if not as a wrong one
	Cancel()
}

// reserve counts an attempt before it is made. A refusal is an answer to the client.
func (c *Checker) reserve(attempt throttle.Attempt) (reservation, *oauth.Error) {
	if c.Throttle == nil {
		return uncounted{}, nil
	}
	reserved, err := c.Throttle.Reserve(attempt)
	if refused, ok := errors.AsType[*throttle.RefusedError](err); ok {
		return nil, oauth.Throttled(string(refused.Limit), refused.RetryAfter)
	}
	return reserved, nil
}

// reserveFirst counts an attempt before the name is looked up, if looking it up is
// costly: otherwise a stranger who may not try a password could cause database queries.
// It is nil if there is no need.
func (c *Checker) reserveFirst(kind string, live bool, attempt throttle.Attempt) (reservation, error) {
	if !live {
		return nil, nil
	}
	reserved, refused := c.reserve(attempt)
	if refused != nil {
		c.Observer.Checked(kind, Throttled)
		return nil, refused
	}
	return reserved, nil
}

// paidFor is the context of an attempt that was counted before the name was looked up:
// it goes on when the client hangs up, or a guess and a database query would be free
// for clients that do. Sources and the gate bound how long it takes.
func paidFor(ctx context.Context, reserved reservation) context.Context {
	if reserved == nil {
		return ctx
	}
	return context.WithoutCancel(ctx)
}

// settle makes an attempt whose outcome may be known at once. If it is not, the attempt
// has to be reserved. A refusal is an answer to the client, even for an attempt that
// was made.
func (c *Checker) settle(attempt throttle.Attempt, outcome func() throttle.Outcome) (throttle.Settlement, *oauth.Error) {
	if c.Throttle == nil {
		if outcome().Known {
			return throttle.Settled, nil
		}
		return throttle.Unsettled, nil
	}
	settlement, err := c.Throttle.Settle(attempt, outcome)
	if settlement != throttle.Unsettled && settlement != throttle.Reached {
		return settlement, asStranger(err)
	}
	if refused, ok := errors.AsType[*throttle.RefusedError](err); ok {
		return settlement, oauth.Throttled(string(refused.Limit), refused.RetryAfter)
	}
	return settlement, nil
}

// asStranger is the answer to a wrong password or secret from a known source while a
// stranger has to wait: a different answer would reveal who exists. It is nil if a
// stranger does not have to wait.
func asStranger(cause error) *oauth.Error {
	refused, ok := errors.AsType[*throttle.RefusedError](cause)
	if !ok {
		return nil
	}
	e := oauth.Throttled(string(refused.Limit), refused.RetryAfter)
	e.Remedy = "it was compared and is wrong; from this source, which is known, the right one is still accepted"
	return e
}

// uncounted is the reservation when nothing is counted.
type uncounted struct{}

func (uncounted) KnownGood() bool                          { return false }
func (uncounted) Repeated() bool                           { return false }
func (uncounted) Recognize(_, _ throttle.Fingerprint) bool { return false }
func (uncounted) Succeed()                                 {}
func (uncounted) Fail()                                    {}
func (uncounted) Locked() bool                             { return false }
func (uncounted) AsStranger() error                        { return nil }
func (uncounted) Cancel()                                  {}
