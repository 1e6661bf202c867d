package config

import (
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
)

// What a Caddyfile cannot say, or refuses before.
func TestLimitsInJSON(t *testing.T) {
	for name, member := range map[string]string{
		"nothing set":            `"throttle": {}`,
		"no throttle":            `"throttle": null`,
		"durations as text":      `"throttle": {"min_delay": "10s", "max_delay": "1m"}`,
		"the first wait alone":   `"throttle": {"min_delay": "10m"}`,
		"the longest wait alone": `"throttle": {"max_delay": "30s"}`,
		"off":                    `"throttle": {"off": true}`,
		"no cache":               `"password_checks": {"cache": 0}`,
	} {
		t.Run(name, func(t *testing.T) {
			if err := harness.ValidateHandlers(t, "{"+harness.BareHandler+", "+member+"}"); err != nil {
				t.Error(err)
			}
		})
	}
	for _, test := range []struct{ name, member, want string }{
		{"an unknown member", `"throttle": {"per_minute": 5}`, `unknown field "per_minute"`},
		{"off with a limit", `"throttle": {"off": true, "failures": 5}`, "throttle: it is off and has limits"},
		{"negative failures", `"throttle": {"failures": -1}`, "throttle: failures -1: it must be 1 to 10000"},
		{"a negative ceiling", `"throttle": {"account_ceiling": -1}`, "throttle: account_ceiling -1: it must be 1 to 10000"},
		{"a negative wait", `"throttle": {"min_delay": -1}`, "throttle: delay: both must be 1s to 24h"},
		{"a nanosecond", `"throttle": {"min_delay": 1}`, "throttle: delay: both must be 1s to 24h"},
		{"the first wait over the longest", `"throttle": {"min_delay": "2m", "max_delay": "1m"}`, "throttle: delay: the first wait is 2m0s, but the longest 1m0s"},
		{"the first wait over the default of the longest", `"throttle": {"min_delay": "2h"}`, "throttle: delay: the first wait is 2h0m0s, but the longest 1h0m0s"},
		{"the longest wait below the default of the first", `"throttle": {"max_delay": "10s"}`, "throttle: delay: the first wait is 30s, but the longest 10s"},
		{"a negative prefix", `"throttle": {"ipv4_prefix": -8}`, "throttle: ipv4_prefix -8: it must be 8 to 32"},
		{"a negative IPv6 prefix", `"throttle": {"ipv6_prefix": -64}`, "throttle: ipv6_prefix -64: it must be 32 to 128"},
		{"a negative cache", `"password_checks": {"cache": -1}`, "password_checks: cache: it must be at most 1h, or off"},
		{"a long cache", `"password_checks": {"cache": "2h"}`, "password_checks: cache: it must be at most 1h, or off"},
	} {
		t.Run(test.name, func(t *testing.T) {
			handler := "{" + harness.BareHandler + ", " + test.member + "}"
			wantConfigError(t, harness.ValidateHandlers(t, handler), test.want, handler)
		})
	}
	t.Run("servers that differ in what they share", func(t *testing.T) {
		one := "{" + harness.BareHandler + `, "name": "one", "password_checks": {"cache": 0}}`
		two := "{" + harness.BareHandler + `, "name": "two", "path": "/two", "password_checks": {"cache": "5m"}}`
		wantConfigError(t, harness.ValidateHandlers(t, one, two), `password_checks: cache of server "two" differs from that of server "one"`, one)
	})
	t.Run("servers that differ in their throttle", func(t *testing.T) {
		one := "{" + harness.BareHandler + `, "name": "one", "throttle": {"failures": 3}}`
		two := "{" + harness.BareHandler + `, "name": "two", "path": "/two", "throttle": {"off": true}}`
		if err := harness.ValidateHandlers(t, one, two); err != nil {
			t.Error(err)
		}
	})
}
