package issuer

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// network is an issuer without a network, by the clock of a test. It has metadata of RFC
// 8414, and hangs when it is asked for that of OpenID Connect.
type network struct {
	mu    sync.Mutex
	began time.Time
	times []time.Duration // of the fetches
	down  bool
	takes time.Duration
	keys  []any
}

func (n *network) RoundTrip(r *http.Request) (*http.Response, error) {
	n.mu.Lock()
	n.times = append(n.times, time.Since(n.began))
	down, takes, keys := n.down, n.takes, n.keys
	n.mu.Unlock()
	select {
	case <-time.After(takes):
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
	if down {
		return nil, errors.New("connection refused")
	}
	body := jwks(keys...)
	if strings.Contains(r.URL.Path, "/oauth-authorization-server") {
		body = encodeJSON(m{"issuer": staff, "jwks_uri": staff + "/jwks"})
	}
	if strings.Contains(r.URL.Path, "/openid-configuration") {
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
	return &http.Response{
		StatusCode: http.StatusOK,
		Header:     http.Header{"Content-Type": {"application/json"}},
		Body:       io.NopCloser(bytes.NewReader(body)),
		Request:    r,
	}, nil
}

func (n *network) set(change func()) {
	n.mu.Lock()
	defer n.mu.Unlock()
	change()
}

// fetches are the times since the start at which a fetch began.
func (n *network) fetches() []time.Duration {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.times)
}

func (n *network) wantFetches(t *testing.T, want ...time.Duration) {
	t.Helper()
	synctest.Wait()
	if got := n.fetches(); !slices.Equal(got, want) {
		t.Fatalf("fetches at\n%v, want\n%v", got, want)
	}
}

// atUsualPace runs a test with keys that are followed as usual, in a time of its own.
func atUsualPace(t *testing.T, test func(*testing.T, *network, *Keys)) {
	n := &network{keys: []any{es256("k")}}
	synctest.Test(t, func(t *testing.T) {
		n.began = time.Now()
		k := Follow(Options{URL: staff, JWKSURL: staff + "/jwks", Transport: n})
		defer k.Close()
		test(t, n, k)
	})
}

// flood asks for fetches until it is stopped.
func flood(k *Keys, every time.Duration) (stop func()) {
	ended, flood := make(chan struct{}), new(sync.WaitGroup)
	flood.Go(func() {
		for {
			select {
			case <-ended:
				return
			case <-time.After(every):
				k.ask()
			}
		}
	})
	return func() { close(ended); flood.Wait() }
}

const second, minute = time.Second, time.Minute

func TestKeysAreRefreshedEveryQuarterOfAnHour(t *testing.T) {
	atUsualPace(t, func(t *testing.T, n *network, _ *Keys) {
		time.Sleep(50 * minute)
		n.wantFetches(t, 0, 15*minute, 30*minute, 45*minute)
	})
}

func TestAnIssuerThatIsDownIsTriedLessAndLessOften(t *testing.T) {
	t.Run("at the start", func(t *testing.T) {
		n := &network{down: true}
		synctest.Test(t, func(t *testing.T) {
			n.began = time.Now()
			k := Follow(Options{URL: staff, JWKSURL: staff + "/jwks", Transport: n})
			defer k.Close()
			time.Sleep(2 * minute)
			n.wantFetches(t, 0, second, 3*second, 7*second, 15*second, 31*second, 61*second, 91*second)
		})
	})
	t.Run("later", func(t *testing.T) {
		atUsualPace(t, func(t *testing.T, n *network, _ *Keys) {
			time.Sleep(minute)
			n.set(func() { n.down = true })
			time.Sleep(17 * minute) // to 18 minutes
			from := 15 * minute
			n.wantFetches(t, 0, from, from+second, from+3*second, from+7*second, from+15*second, from+31*second, from+63*second, from+123*second)
			n.set(func() { n.down = false })
			time.Sleep(minute) // works at +183 s, and then as usual
			n.set(func() { n.times = nil })
			time.Sleep(15 * minute)
			n.wantFetches(t, from+183*second+15*minute)
			n.set(func() { n.down, n.times = true, nil })
			time.Sleep(15 * minute)
			if got := n.fetches(); got[1]-got[0] != second {
				t.Errorf("after another failure it is tried again in %v", got[1]-got[0])
			}
		})
	})
}

func TestOneFetchIsForAllThatAskMeanwhile(t *testing.T) {
	atUsualPace(t, func(t *testing.T, n *network, k *Keys) {
		time.Sleep(5 * second)
		k.ask()
		k.ask()
		time.Sleep(5 * second)
		k.ask()
		n.wantFetches(t, 0)
		time.Sleep(50 * second) // to one minute
		n.wantFetches(t, 0, 15*second)
		k.ask()
		n.wantFetches(t, 0, 15*second, minute) // at once, if there was none for long
		time.Sleep(20 * minute)
		n.wantFetches(t, 0, 15*second, minute, 16*minute)
	})
}

// However many ask, and however long the issuer takes.
func TestAFloodCausesAFetchEveryQuarterOfAMinute(t *testing.T) {
	for _, takes := range []time.Duration{0, 9 * second} {
		atUsualPace(t, func(t *testing.T, n *network, k *Keys) {
			n.set(func() { n.takes = takes })
			defer flood(k, 10*time.Millisecond)()
			time.Sleep(100 * second)
			n.wantFetches(t, 0, 15*second, 30*second, 45*second, 60*second, 75*second, 90*second)
		})
	}
}

func TestANewKeyIsSeenWithinAMinuteOfAFlood(t *testing.T) {
	for offset := range 20 {
		atUsualPace(t, func(t *testing.T, n *network, k *Keys) {
			n.set(func() { n.takes = 9 * second })
			defer flood(k, 100*time.Millisecond)()
			time.Sleep(time.Duration(offset) * second)
			n.set(func() { n.keys = append(n.keys, signer{"new", "RS256", rsaKey()}) })
			time.Sleep(minute)
			if len(k.current.Load().byID["new"]) != 1 {
				t.Errorf("a key that is new after %d s is not seen a minute later", offset)
			}
		})
	}
}

// The metadata of OpenID Connect, that of RFC 8414 and the keys have a time limit each.
func TestMetadataThatHangsLeavesTimeForTheRest(t *testing.T) {
	n := &network{keys: []any{es256("k")}, takes: 9 * second}
	synctest.Test(t, func(t *testing.T) {
		n.began = time.Now()
		k := Follow(Options{URL: staff, Transport: n})
		defer k.Close()
		time.Sleep(30 * second)
		synctest.Wait()
		if status := k.Status(); status.Err != nil || status.Keys != 1 {
			t.Fatalf("%+v", status)
		}
		defer flood(k, 100*time.Millisecond)()
		n.set(func() { n.keys = append(n.keys, signer{"new", "RS256", rsaKey()}) })
		time.Sleep(minute)
		if len(k.current.Load().byID["new"]) != 1 {
			t.Error("a new key is not seen a minute later")
		}
	})
}

func TestAFloodDoesNotHoldUpAnIssuerThatWasDown(t *testing.T) {
	atUsualPace(t, func(t *testing.T, n *network, k *Keys) {
		time.Sleep(minute)
		n.set(func() { n.down = true })
		time.Sleep(30 * minute) // the pauses are of a minute now
		n.set(func() { n.times = nil })
		for range 60 {
			k.ask()
			time.Sleep(second)
		}
		fetches := n.fetches()
		if len(fetches) < 4 {
			t.Fatalf("fetches at %v", fetches)
		}
		for i, at := range fetches[1:] {
			if at-fetches[i] != 15*second {
				t.Errorf("fetches at %v", fetches)
			}
		}
	})
}

func TestAFetchIsCutOffAfterTenSeconds(t *testing.T) {
	atUsualPace(t, func(t *testing.T, n *network, k *Keys) {
		time.Sleep(second)
		n.set(func() { n.takes = time.Hour })
		time.Sleep(15*minute + 8*second) // to ten seconds after the second fetch
		if err := k.Status().Err; err != nil {
			t.Fatalf("it is cut off earlier: %v", err)
		}
		time.Sleep(second)
		synctest.Wait()
		if err := k.Status().Err; err == nil {
			t.Fatal("it is not cut off")
		}
	})
}
