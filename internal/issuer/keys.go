package issuer

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
)

// Keys follow the published keys of one issuer: they are fetched in the background and
// refreshed before they are old. The last set stays when the issuer is down, or answers
// what is not a set. They are shared by all checks of an issuer, and outlive these.
type Keys struct {
	options Options
	pace    pace
	fetcher *fetcher

	current atomic.Pointer[keySet] // nil until the first set that has a usable key
	status  atomic.Pointer[Status]
	asked   chan struct{} // has a place for one request for a fetch
	cancel  context.CancelFunc
	done    chan struct{} // closed when the goroutine has ended

	seen *keySet // the last set that was fetched, for the log; the goroutine's own
}

// Options say whose keys are followed, and how.
type Options struct {
	URL     string // the issuer. Required
	JWKSURL string // where the keys are; empty: where the issuer's metadata says

	// Transport makes the requests, see [NewTransport]. Required.
	Transport http.RoundTripper

	// Logger is called for each line, since a reload may replace it. Nil: no lines.
	Logger func() *zap.Logger

	// Observe is called after each fetch, never concurrently. Nil: no calls.
	Observe func(Status)
}

// Status is what the last fetch came to.
type Status struct {
	Fetched time.Time // when the current keys were fetched last; zero until the first
	Keys    int       // how many of them can verify tokens; 0 also if all were withdrawn
	Err     error     // why the last fetch failed, if it did; no secret is in it
}

// pace is how often keys are fetched.
type pace struct {
	refresh, minRefresh, maxRefresh time.Duration // by default, and what the issuer's caching can say
	firstRetry                      time.Duration // after a failure, then twice as long each time
	maxFirstRetry, maxRetry         time.Duration // until the first keys, and later
	asked                           time.Duration // from one fetch to one that a token asks for
	limit                           time.Duration // of each document of a fetch
}

// AskInterval is the time from one fetch to one that a token asks for. It is a variable
// for tests, which would only wait for it.
var AskInterval = 15 * time.Second

var usualPace = pace{
	refresh: 15 * time.Minute, minRefresh: time.Minute, maxRefresh: time.Hour,
	firstRetry: time.Second, maxFirstRetry: 30 * time.Second, maxRetry: time.Minute,
	asked: AskInterval,
	limit: fetchLimit,
}

// Follow begins to follow the keys of an issuer. It does not wait for them. Close ends
// it.
func Follow(options Options) *Keys {
	p := usualPace
	p.asked = AskInterval
	return follow(options, p)
}

func follow(options Options, p pace) *Keys {
	k := &Keys{options: options, pace: p, asked: make(chan struct{}, 1), done: make(chan struct{})}
	k.fetcher = newFetcher(options.Transport, p.limit)
	k.status.Store(new(Status))
	ctx, cancel := context.WithCancel(context.Background())
	k.cancel = sync.OnceFunc(cancel)
	go k.run(ctx)
	return k
}

// Close ends the fetching and waits until it has ended. The keys stay.
func (k *Keys) Close() {
	k.cancel()
	<-k.done
}

// Status is what the last fetch came to, and whether there was one.
func (k *Keys) Status() Status { return *k.status.Load() }

// ask asks for a fetch, since no key verifies a token. It never waits: one fetch is
// made for all that ask meanwhile, and not soon after another.
func (k *Keys) ask() {
	select {
	case k.asked <- struct{}{}:
	default: // it was asked for already
	}
}

// forgetAsked is for the beginning of a fetch, which is for all that asked before.
func (k *Keys) forgetAsked() {
	select {
	case <-k.asked:
	default:
	}
}

// run fetches until ctx ends.
func (k *Keys) run(ctx context.Context) {
	defer close(k.done)
	defer k.fetcher.client.CloseIdleConnections()
	retry := time.Duration(0)
	for {
		began := time.Now()
		k.forgetAsked()
		next, err := k.attempt(ctx)
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			longest := k.pace.maxRetry
			if k.current.Load() == nil {
				longest = k.pace.maxFirstRetry
			}
			retry = min(max(2*retry, k.pace.firstRetry), longest)
			next = retry
		} else {
			retry = 0
		}
		if !k.wait(ctx, began, next) {
			return
		}
	}
}

// wait waits for the next fetch: for that long, or for a token that asks for one if
// that is sooner. It returns false when ctx ends.
func (k *Keys) wait(ctx context.Context, began time.Time, next time.Duration) bool {
	due := time.Now().Add(next)
	timer := time.NewTimer(next)
	defer timer.Stop()
	asked := k.asked
	for {
		select {
		case <-ctx.Done():
			return false
		case <-timer.C:
			return true
		case <-asked:
			asked = nil // all later ones mean the same fetch
			if soon := began.Add(k.pace.asked); soon.Before(due) {
				timer.Reset(max(time.Until(soon), 0))
			}
		}
	}
}

// attempt is one fetch, and returns after which time to make the next one.
func (k *Keys) attempt(ctx context.Context) (next time.Duration, err error) {
	set, next, err := k.fetch(ctx)
	before := outcome{status: k.Status(), current: k.current.Load(), seen: k.seen}
	now := before
	now.status.Err = err
	if err == nil {
		now.status.Fetched, now.status.Keys = time.Now(), len(set.keys)
		now.changed, now.seen = k.adopt(set), set
	}
	if errors.Is(ctx.Err(), context.Canceled) {
		return next, err
	}
	k.status.Store(&now.status)
	k.seen = now.seen
	k.report(before, now)
	if k.options.Observe != nil {
		k.options.Observe(now.status)
	}
	return next, err
}

// adopt makes a set that was fetched the current one, and tells whether it has other keys.
// What an equal set has verified stays verified.
func (k *Keys) adopt(set *keySet) (changed bool) {
	before := k.current.Load()
	switch {
	case !set.same(before):
		k.current.Store(set)
		return true
	case !set.sameOrder(before): // which decides on the keys that a token without a kid is tried with
		set.origin = before.origin
		k.current.Store(set)
	}
	return false
}

// fetch fetches the keys, and the metadata that says where they are. A panic is an
// error: the next fetch must not be the last.
func (k *Keys) fetch(ctx context.Context) (set *keySet, next time.Duration, err error) {
	defer func() {
		if r := recover(); r != nil {
			set, err = nil, fmt.Errorf("[PANIC] fetching the keys: %v", r)
		}
	}()
	from, err := k.where(ctx)
	if err != nil {
		return nil, 0, err
	}
	found, err := k.fetcher.get(ctx, from)
	if err != nil {
		return nil, 0, fmt.Errorf("fetching the keys: %w", err)
	}
	set, err = parseKeySet(found.body)
	if err == nil && set.isEmpty() && k.current.Load() == nil { // later it withdraws the keys
		err = set.whyEmpty()
	}
	if err != nil {
		return nil, 0, fmt.Errorf("the keys at %s cannot be used: %w", shown(from), err)
	}
	next = k.pace.refresh
	if found.fresh >= 0 {
		next = min(max(found.fresh, k.pace.minRefresh), k.pace.maxRefresh)
	}
	return set, next, nil
}

// where is where the keys are. The metadata is read each time, since it may change.
func (k *Keys) where(ctx context.Context) (*url.URL, error) {
	if k.options.JWKSURL == "" {
		return k.fetcher.findKeys(ctx, k.options.URL)
	}
	at, err := parseURL(k.options.JWKSURL)
	if err != nil {
		return nil, fmt.Errorf("jwks_url: %w", err)
	}
	return at, nil
}
