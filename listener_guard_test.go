package caddygrant

import "testing"

// A request that has no business with this module pays one small allocation on a listener
// that has a bearer_auth.
func TestTheGuardOfAListenerIsCheap(t *testing.T) {
	guard := &listenerGuard{&App{identityHeaders: map[string]bool{"x-user": true}}}
	var requests []func()
	for range 101 {
		r := exampleRequest("GET", "/", "")
		r.Header.Set("Accept-Encoding", "gzip")
		r.Header.Set("X-Forwarded-For", "192.0.2.1")
		requests = append(requests, func() { guard.Match(r) })
	}
	i := 0
	if allocs := testing.AllocsPerRun(100, func() { requests[i](); i++ }); allocs > 1 {
		t.Errorf("%v allocations", allocs)
	}
}
