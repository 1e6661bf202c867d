package redis

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"go.uber.org/zap"
)

const secret = "hunter2secret"

func unmarshal(text string) (*Sessions, error) {
	s := new(Sessions)
	return s, s.UnmarshalCaddyfile(caddyfile.NewTestDispenser(text))
}

func TestTheCaddyfileSetsEachMember(t *testing.T) {
	s, err := unmarshal(`redis redis://10.0.0.5:6379/0 {
		username caddy
		password {env.REDIS_PASSWORD}
		prefix   other
		ca       /ca.pem
		cert     /cert.pem
		key      /key.pem
		timeout  3s
	}`)
	if err != nil {
		t.Fatal(err)
	}
	got, _ := json.Marshal(s)
	const want = `{"url":"redis://10.0.0.5:6379/0","username":"caddy","password":"{env.REDIS_PASSWORD}","prefix":"other","ca":"/ca.pem","cert":"/cert.pem","key":"/key.pem","timeout":3000000000}`
	if string(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestWhatIsWrongInACaddyfileIsSaidWithoutASecret(t *testing.T) {
	for text, says := range map[string]string{
		"redis": `redis takes one URL: write "sessions redis redis://<host>:6379/0", or "also redis ..."`,
		"redis redis://x redis://:" + secret + "@y":                              "redis takes one URL",
		"redis redis://x {\npasword " + secret + "\n}":                           "unrecognized subdirective pasword: those of redis are username",
		"redis redis://x {\nredis://u:" + secret + "@y\n}":                       "unrecognized subdirective: those",
		"redis redis://x {\npassword\n}":                                         "password takes one argument",
		"redis redis://x {\npassword " + secret + " " + secret + "\n}":           "password takes one argument",
		"redis redis://x {\npassword " + secret + "\npassword " + secret + "\n}": "duplicate password",
		"redis redis://x {\ntimeout soon\n}":                                     "timeout takes a duration",
		"redis redis://x {\ntimeout -1s\n}":                                      "timeout takes a duration",
	} {
		_, err := unmarshal(text)
		if err == nil || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), secret) {
			t.Errorf("%s\n%v; want %q", text, err, says)
		}
	}
}

func TestWhatIsWrongInAURLIsSaidWithoutASecret(t *testing.T) {
	for url, says := range map[string]string{
		"":                                                       "url: it is missing",
		secret:                                                   "url: it begins with redis://",
		"http://" + secret + "@x":                                "url: it begins with redis://",
		"redis:" + secret:                                        "url: it is not a URL",
		"redis://u:p/" + secret + "@x":                           "url: it is not a URL",
		"redis://u:123/" + secret + "@x":                         "after the address",
		"redis://u:123?" + secret + "@x=1":                       "unknown parameter",
		"redis://u:123#" + secret + "@x":                         "url: it is not a URL",
		"redis://u:%zz" + secret + "@x":                          "url: it is not a URL",
		"redis://x/" + secret:                                    "after the address",
		"redis://x/0?read_only=true":                             "read_only reads from replicas",
		"redis://x?cluster=true&route_by_latency=true":           "route_by_latency reads from replicas",
		"redis://x?cluster=true&route_randomly=false":            "route_randomly reads from replicas",
		"redis://x?master_name=m&replica_only=true":              "replica_only reads from replicas",
		"redis://x?master_name=m&use_disconnected_replicas=true": "reads from replicas",
		"rediss://x?skip_verify=true":                            "write ca <file>",
		"redis://x?cluster=yes":                                  "cluster takes the value true",
		"redis://x/1?cluster=true":                               "a cluster has no other database",
		"redis://x?cluster=true&db=1":                            "a cluster has no other database",
		"redis://x?cluster=true&master_name=m":                   "remove one",
		"redis://x?addr=y:1":                                     "add cluster=true or master_name",
		"redis://x?cluster=true&addr=" + secret:                  "look at the values",
		"redis://x?pool_size=" + secret:                          "look at the values",
		"redis://x?pool_size=1&pool_size=2":                      "duplicate parameter pool_size",
		"redis://x?pool_sise=1":                                  "unknown parameter pool_sise",
		"redis://x?protocol=3":                                   "unknown parameter protocol",
		"redis://x?%zz" + secret:                                 "cannot be read",
		"redis://{env.CADDY_GRANT_NOT_SET}@x/" + secret:          "url: a placeholder in it is unknown or empty ({env.CADDY_GRANT_NOT_SET})",
		"redis://u:p{env.CADDY_GRANT_NOT_SET}" + secret + "@x":   "url: a placeholder in it is unknown or empty",
		"{file./missing/" + "redis}":                             "url: a placeholder in it is unknown or empty",
		"unix://" + secret:                                       "url: the client cannot use it",
	} {
		err := (&Sessions{URL: url}).Provision(caddy.Context{})
		if err == nil || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), secret) {
			t.Errorf("%s\n%v; want %q", url, err, says)
		}
	}
}

func TestWhatIsWrongInOtherMembersIsSaidWithoutASecret(t *testing.T) {
	for _, c := range []struct {
		s    Sessions
		says string
	}{
		{Sessions{Prefix: "{x}"}, "prefix: write 1 to 64"},
		{Sessions{Prefix: strings.Repeat("x", 65)}, "prefix: write 1 to 64"},
		{Sessions{Timeout: caddy.Duration(time.Minute)}, "timeout 1m0s: it must be between 10ms and 10s"},
		{Sessions{Timeout: caddy.Duration(time.Millisecond)}, "timeout 1ms"},
		{Sessions{Password: secret + "{env.CADDY_GRANT_NOT_SET}"}, "password: a placeholder in it"},
		{Sessions{Username: "{file./missing}"}, "username: a placeholder in it"},
	} {
		c.s.URL = "redis://x"
		err := c.s.Provision(caddy.Context{})
		if err == nil || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), secret) {
			t.Errorf("%+v\n%v; want %q", c.s, err, c.says)
		}
	}
}

func TestPlaceholdersMayHaveAnyCharacters(t *testing.T) {
	const password = "p@ss/w0rd%:#?&+ {x}"
	t.Setenv("CADDY_GRANT_REDIS_PASSWORD", password)
	t.Setenv("CADDY_GRANT_REDIS_HOST", "10.0.0.5:6380")
	t.Setenv("CADDY_GRANT_REDIS_URL", "redis://u:p%40@10.0.0.6:1/3")
	file := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(file, []byte(password+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		s                       Sessions
		address, username, pass string
		database                int
	}{
		{Sessions{URL: "redis://u:{env.CADDY_GRANT_REDIS_PASSWORD}@{env.CADDY_GRANT_REDIS_HOST}/2"}, "10.0.0.5:6380", "u", password, 2},
		{Sessions{URL: "redis://u:{file." + file + "}@x"}, "x:6379", "u", password, 0},
		{Sessions{URL: "{env.CADDY_GRANT_REDIS_URL}"}, "10.0.0.6:1", "u", "p@", 3},
		{Sessions{URL: "redis://a:b@x", Username: "u", Password: "{env.CADDY_GRANT_REDIS_PASSWORD}"}, "x:6379", "u", password, 0},
		{Sessions{URL: "redis://x?pool_size=3", Password: "{file." + file + "}"}, "x:6379", "", password, 0},
	} {
		if err := c.s.Provision(caddy.Context{}); err != nil {
			t.Errorf("%s: %v", c.s.URL, err)
			continue
		}
		o := c.s.settings.standalone
		if o.Addr != c.address || o.Username != c.username || o.Password != c.pass || o.DB != c.database {
			t.Errorf("%s: %s %q %q %d", c.s.URL, o.Addr, o.Username, o.Password, o.DB)
		}
	}
	s := Sessions{URL: "redis://sentinel:{env.CADDY_GRANT_REDIS_PASSWORD}@x?master_name=m&addr=y:1", Username: "u", Password: "{env.CADDY_GRANT_REDIS_PASSWORD}"}
	if err := s.Provision(caddy.Context{}); err != nil {
		t.Fatal(err)
	}
	if o := s.settings.failover; o.SentinelUsername != "sentinel" || o.SentinelPassword != password || o.Username != "u" || o.Password != password || len(o.SentinelAddrs) != 2 {
		t.Errorf("%q %q %q %q %v", o.SentinelUsername, o.SentinelPassword, o.Username, o.Password, o.SentinelAddrs)
	}
}

// Opening connects to nothing, and an engine that is down says that nothing is known.
func TestAnEngineThatIsDownIsOpened(t *testing.T) {
	for _, url := range []string{"redis://u:" + secret + "@127.0.0.1:1?min_idle_conns=3", "redis://127.0.0.1:1?cluster=true&addr=127.0.0.1:2", "redis://:" + secret + "@127.0.0.1:1?master_name=m"} {
		s := &Sessions{URL: url, Timeout: caddy.Duration(200 * time.Millisecond)}
		if err := s.Provision(caddy.Context{}); err != nil {
			t.Fatal(err)
		}
		e, err := s.OpenSessions("default", zap.NewNop())
		if err != nil {
			t.Fatal(err)
		}
		fails(t, e, newID("0123456789abcdef"))
		for range 2 {
			_, err = e.Epoch(t.Context())
			if err == nil || strings.Contains(err.Error(), secret) {
				t.Errorf("%s: %v", url, err)
			}
		}
		if err := e.Close(); err != nil {
			t.Error(err)
		}
		fails(t, e, newID("0123456789abcdef"))
	}
}

func TestTheModuleIsFoundByItsName(t *testing.T) {
	info, err := caddy.GetModule("grant.sessions.redis")
	if err != nil {
		t.Fatal(err)
	}
	if _, is := info.New().(*Sessions); !is {
		t.Errorf("%T", info.New())
	}
}
