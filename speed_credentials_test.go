package caddygrant

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"
)

// A request with a credential of each kind that was shown before. The first is an own
// token where nothing else is taken.
func BenchmarkBearerCredential(b *testing.B) {
	for _, c := range newSpeedCredentials(b) {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := c.show(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// The same in turns with the own token. times-own is the median of what a turn takes,
// divided by the turn of the own token before or after.
func BenchmarkBearerCredentialInTurns(b *testing.B) {
	credentials := newSpeedCredentials(b)
	turn := func(c *speedCredential) float64 {
		begun := time.Now()
		for range 50 {
			if err := c.show(); err != nil {
				b.Fatal(err)
			}
		}
		return float64(time.Since(begun))
	}
	for _, c := range credentials {
		b.Run(c.name, func(b *testing.B) {
			var times []float64
			for i := 0; b.Loop(); i++ {
				var own, its float64
				if i%2 == 0 {
					own, its = turn(credentials[0]), turn(c)
				} else {
					its, own = turn(c), turn(credentials[0])
				}
				times = append(times, its/own)
			}
			slices.Sort(times)
			b.ReportMetric(times[len(times)/2], "times-own")
		})
	}
}

// allocations of the checks of credentials that were shown before, apart from what the
// request itself takes.
func allocations(t *testing.T, credentials []*speedCredential) map[string]float64 {
	t.Helper()
	request := testing.AllocsPerRun(100, func() {
		w := httptest.NewRecorder()
		_ = noNext.ServeHTTP(w, prepared(httptest.NewRequest(http.MethodGet, "http://localhost/app", nil), w))
	})
	all := make(map[string]float64)
	for _, c := range credentials {
		all[c.name] = testing.AllocsPerRun(100, func() {
			if err := c.show(); err != nil {
				t.Error(c.name, err)
			}
		}) - request
		t.Logf("%s: %v", c.name, all[c.name])
	}
	return all
}

// Three are for what the checks of a request share, and were so before there were other
// credentials than tokens of the server.
func TestAnOwnTokenTakesThreeAllocations(t *testing.T) {
	if n := allocations(t, newSpeedCredentials(t)[:1])[ownToken]; n > 3 {
		t.Errorf("%v allocations", n)
	}
}

func TestACredentialThatWasShownBeforeTakesTheAllocationsOfAnOwnToken(t *testing.T) {
	n := allocations(t, newSpeedCredentials(t))
	for name, more := range map[string]float64{
		outsideToken:   0,
		ownBesideThree: 3, // its names and that of its client, which must not begin as those of the issuers' users
		outsideOfThree: 3, // as those of other issuers' users
		anAPIKey:       2, // its checksum, and one with the race detector
		clientToken:    1, // while a pool is empty
		ownInGroup:     0,
		outsideInGroup: 0,
		keyInGroup:     2,
	} {
		if n[name] > n[ownToken]+more {
			t.Errorf("%s: %v allocations, of an own token %v", name, n[name], n[ownToken])
		}
	}
}

func TestIdentityHeadersTakeTheAllocationsOfAnOwnTokens(t *testing.T) {
	n := allocations(t, newSpeedCredentials(t,
		CopyClaim{"sub", "X-User"}, CopyClaim{"username", "X-Username"}, CopyClaim{"scope", "X-Scopes"}, CopyClaim{"groups", "X-Groups"}))
	for name, more := range map[string]float64{outsideToken: 0, anAPIKey: 2} {
		if n[name] > n[ownToken]+more {
			t.Errorf("%s: %v allocations, of an own token %v", name, n[name], n[ownToken])
		}
	}
}
