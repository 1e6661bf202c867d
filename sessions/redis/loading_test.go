package redis

import (
	"errors"
	"testing"
)

// What Redis 7 says while it loads, and once it has.
func TestAProcessThatIsLoadingSaysNothingOfItsFile(t *testing.T) {
	const rest = "redis_mode:standalone\r\nredis_version:7.0.15\r\nrun_id:a\r\nrole:master\r\nmaxmemory_policy:noeviction\r\n"
	for text, want := range map[string]error{
		rest + "loading:1\r\nasync_loading:0\r\naof_enabled:0\r\n": errLoading,
		rest + "loading:0\r\nasync_loading:1\r\naof_enabled:1\r\n": errLoading,
		rest + "loading:0\r\nasync_loading:0\r\naof_enabled:1\r\n": nil,
	} {
		p, err := readInfo(text)
		if !errors.Is(err, want) || err == nil && !p.aof {
			t.Errorf("%+v, error %v, want %v of\n%s", p, err, want, text)
		}
	}
}
