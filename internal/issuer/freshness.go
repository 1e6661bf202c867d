package issuer

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// freshness is for how long an answer may be used as it is (RFC 9111 §4.2), negative if it
// does not say. What has been in a cache on the way is that much older (§4.2.3), and what
// may not be kept, or not without asking again, is not fresh at all (§5.2.2.4, §5.2.2.5).
func freshness(header http.Header) time.Duration {
	lifetime := time.Duration(-1)
	for _, line := range header.Values("Cache-Control") {
		for directive := range strings.SplitSeq(line, ",") {
			name, value, hasValue := strings.Cut(strings.TrimSpace(directive), "=")
			switch strings.ToLower(name) {
			case "no-store":
				return 0
			case "no-cache":
				if !hasValue { // with one it is about single headers
					return 0
				}
			case "max-age":
				if seconds, ok := deltaSeconds(strings.Trim(value, `"`)); ok && lifetime < 0 {
					lifetime = seconds
				}
			}
		}
	}
	if lifetime < 0 {
		return lifetime
	}
	age, _ := deltaSeconds(header.Get("Age"))
	return max(lifetime-age, 0)
}

// deltaSeconds reads a number of seconds (RFC 9111 §1.2.2).
func deltaSeconds(text string) (time.Duration, bool) {
	seconds, err := strconv.ParseUint(text, 10, 31)
	return time.Duration(seconds) * time.Second, err == nil
}
