package configcheck

import "testing"

func TestOneUpstreamHasOneSpelling(t *testing.T) {
	for _, same := range [][]string{
		{"localhost:80", "LOCALHOST.:80", "127.0.0.1:80", "127.0.0.2:80", "[::1]:80", "0.0.0.0:80", ":80", "tcp/localhost:80"},
		{"app.example:80", "App.Example.:80"},
		{"[2001:db8::1]:80", "[2001:db8:0::1]:80"},
		{"unix//run/app.sock", "unix//run/./app.sock"},
		{"localhost:81"},
	} {
		for _, dial := range same[1:] {
			if got, want := dialed(dial), dialed(same[0]); got != want {
				t.Errorf("%s is %s, and %s is %s", dial, got, same[0], want)
			}
		}
	}
	if dialed("localhost:80") == dialed("localhost:81") || dialed("localhost:80") == dialed("app.example:80") {
		t.Error("two upstreams are one")
	}
}
