package bearer

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// HTTP/2 and HTTP/3 carry the protocol elsewhere.
func TestExtendedConnect(t *testing.T) {
	protocols := []string{"tcp"}
	for protocol, kept := range map[string]bool{"websocket": true, "tcp": true, "connect-udp": false, "h2c": false} {
		r := httptest.NewRequest(http.MethodConnect, "/x", nil)
		r.ProtoMajor, r.Proto = 2, "HTTP/2.0"
		r.Header = http.Header{":protocol": {protocol}}
		RestrictUpgrade(r, protocols)
		if got := r.Header[":protocol"] != nil; got != kept {
			t.Errorf("%s is kept by HTTP/2: %v", protocol, got)
		}

		r = httptest.NewRequest(http.MethodConnect, "/x", nil)
		r.ProtoMajor, r.Proto = 3, protocol
		RestrictUpgrade(r, protocols)
		if got := r.Proto == protocol; got != kept {
			t.Errorf("%s is kept by HTTP/3: %v", protocol, got)
		}
	}
}

func TestProtocolsOfAConfig(t *testing.T) {
	for protocol, want := range map[string]string{
		"tcp": "", "SPDY/3.1": "", "websocket": "", "h2c": "requests that are not checked", "H2C": "requests that are not checked", "h2c/1": "requests that are not checked", "HTTP/2.0": "requests that are not checked", "h2": "requests that are not checked",
		"": "not a protocol", "*": "not a protocol", "a b": "not a protocol", "tcp,h2c": "not a protocol", "tcp/": "not a protocol", "a/b/c": "not a protocol", "tcp\n": "not a protocol",
	} {
		err := ValidateUpgrades([]string{protocol})
		if (err != nil) != (want != "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", protocol, err, want)
		}
	}
	if err := ValidateUpgrades([]string{"tcp", "TCP"}); err == nil {
		t.Error("one protocol may be there twice")
	}
}
