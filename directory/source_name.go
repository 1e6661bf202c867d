package directory

import (
	"fmt"

	"github.com/caddyserver/caddy/v2"
)

// nameOf names a source for errors and logs.
func nameOf(source any) string {
	switch s := source.(type) {
	case fmt.Stringer:
		return s.String()
	case caddy.Module:
		return string(s.CaddyModule().ID)
	}
	return fmt.Sprintf("%T", source)
}
