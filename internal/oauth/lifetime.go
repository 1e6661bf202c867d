package oauth

import (
	"fmt"
	"time"
)

// ValidateLifetime requires whole seconds, which is what expires_in can express (RFC
// 6749 §5.1).
func ValidateLifetime(setting string, d time.Duration) error {
	if d < time.Second || d > MaxLifetime || d%time.Second != 0 {
		return fmt.Errorf("%s: it must be whole seconds, at least 1s and at most 10 years%s", setting, BareNumber(d))
	}
	return nil
}

// BareNumber ends an error about a duration that can only be a number without a unit,
// which in JSON is nanoseconds.
func BareNumber(d time.Duration) string {
	if d <= 0 || d >= 10*time.Microsecond {
		return ""
	}
	return fmt.Sprintf("; in JSON a number without a unit is nanoseconds: write %q", fmt.Sprintf("%ds", d))
}

// MaxLifetime is the longest lifetime of a token or session.
const MaxLifetime = 10 * 365 * 24 * time.Hour
