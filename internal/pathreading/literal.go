package pathreading

import (
	"fmt"
	"strings"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// ValidateLiteral accepts an absolute, clean, literal path that is not the root.
func ValidateLiteral(path string) error {
	switch {
	case !strings.HasPrefix(path, "/"):
		return fmt.Errorf("path %q: it must start with a slash, such as /token; the site's address says the rest", path)
	case strings.Contains(path, "*"):
		return fmt.Errorf("path %q: it must be a path, not a matcher; what lies below it, such as %s/jwks, is served as well", path, strings.TrimRight(path, "/*"))
	case strings.ContainsAny(path, "%?#{}\\\"; \t"):
		return fmt.Errorf("path %q: it must be a literal path without any of %% ? # { } \\ \" ; or spaces; placeholders are not replaced here", path)
	case path == "/" || strings.HasSuffix(path, "/"):
		return fmt.Errorf("path %q: it must name one place below the root, without a slash at its end, such as /token", path)
	case path != caddyhttp.CleanPath(path, true):
		return fmt.Errorf("path %q: it must be without empty parts and without . and .., such as /token", path)
	}
	return nil
}
