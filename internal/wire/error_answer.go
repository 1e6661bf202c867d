package wire

import (
	"net/http"
	"strconv"

	"github.com/caddygrant/caddy-grant/internal/oauth"
)

// WriteError sends the error as RFC 6749 §5.2 requires. It is the only place that does.
func WriteError(w http.ResponseWriter, realm string, e *oauth.Error) error {
	header := w.Header()
	if e.Challenge {
		header.Set("WWW-Authenticate", `Basic realm="`+realm+`", charset="UTF-8"`)
	}
	if e.Allow != "" {
		header.Set("Allow", e.Allow)
	}
	if e.Codings != "" {
		header.Set("Accept-Encoding", e.Codings)
	}
	if e.RetryAfter > 0 {
		header.Set("Retry-After", strconv.Itoa(int(e.RetryAfter.Seconds())))
	}
	return WriteJSON(w, e.Status, struct {
		Error       string `json:"error"`
		Description string `json:"error_description"`
	}{e.Code, e.Description})
}
