package configreview

import (
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
)

func TestDurationsAreAsACaddyfileHasThem(t *testing.T) {
	for text, want := range map[string]string{
		"30h": "30h", "336h": "14d", "24h": "1d", "1h30m": "1h30m", "90s": "1m30s", "30m": "30m", "10s": "10s",
		"20m5s": "20m5s", "25h0m10s": "25h0m10s", "0s": "0s", "500ms": "500ms", "100h": "100h",
	} {
		d, err := time.ParseDuration(text)
		if err != nil {
			t.Fatal(err)
		}
		got := duration(d)
		if got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
		if again, err := caddy.ParseDuration(got); err != nil || again != d {
			t.Errorf("%s: Caddy reads %s as %v (%v)", text, got, again, err)
		}
	}
}

func TestACommandHasOnlyNamesThatAShellTakesAsTheyAre(t *testing.T) {
	for name, want := range map[string]string{
		"carol": "passwd carol --file ./u,1", "carol@example.com": "passwd carol@example.com --", "": "passwd NAME --",
		"a b": "passwd NAME --", "-f": "passwd NAME --", "$(id)": "passwd NAME --", "a;b": "passwd NAME --",
	} {
		if got := newHash("users", name, "./u,1"); !strings.Contains(got, want) {
			t.Errorf("%q: %s, want %s", name, got, want)
		}
	}
}
