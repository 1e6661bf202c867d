package bearer

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
)

// Whatever a client sends, an app sees an upgrade to WebSocket, to what the config
// allows, or none.
func FuzzUpgrades(f *testing.F) {
	f.Add("h2c", "", "Upgrade, HTTP2-Settings", "", "AAMAAABkAAQCAAAAAAIAAAAA", "tcp")
	f.Add("websocket", "", "Upgrade", "", "", "tcp")
	f.Add("WebSocket", "h2c", "keep-alive", "upgrade", "", "SPDY/3.1")
	f.Add("websocket, h2c", "", "close,Upgrade", " http2-settings ,", "", "spdy/3.1")
	f.Add("tcp", "", "Upgrade,X-Kept", "", "x", "TCP")
	f.Fuzz(func(t *testing.T, upgrade, second, connection, more, settings, allowed string) {
		if ValidateUpgrades([]string{allowed}) != nil {
			return
		}
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header = http.Header{"Upgrade": {upgrade}, "Connection": {connection}, "X-Kept": {"1"}}
		if second != "" {
			r.Header.Add("Upgrade", second)
		}
		if more != "" {
			r.Header.Add("Connection", more)
		}
		if settings != "" {
			r.Header.Set("HTTP2-Settings", settings)
		}
		RestrictUpgrade(r, []string{allowed})
		good := second == "" && (strings.EqualFold(upgrade, "websocket") || strings.EqualFold(upgrade, allowed))
		if got := r.Header["Upgrade"]; good != slices.Equal(got, []string{upgrade}) || !good && got != nil {
			t.Fatalf("%q, %q: the app gets %q", upgrade, second, got)
		}
		if r.Header["Http2-Settings"] != nil || r.Header["X-Kept"] == nil {
			t.Fatalf("left is %v", r.Header)
		}
		for _, value := range r.Header["Connection"] {
			for token := range strings.SplitSeq(value, ",") {
				if token = strings.TrimSpace(token); strings.EqualFold(token, "http2-settings") || !good && strings.EqualFold(token, "upgrade") {
					t.Fatalf("Connection still has %q", value)
				}
			}
		}
		if good && strings.EqualFold(strings.TrimSpace(connection), "upgrade") && r.Header["Connection"] == nil {
			t.Fatalf("a good upgrade is gone: %v", r.Header)
		}
	})
}
