package wire

import (
	"net/http"
	"strings"

	"github.com/caddygrant/caddy-grant/internal/buffer"
	"github.com/caddygrant/caddy-grant/internal/oauth"
)

// form is the body of a POST, parsed.
type form struct {
	Params   Params
	BodyRead bool // to its end
}

// ReadForm reads and checks the form of a POST (RFC 6749 §3.2, §4.3.2, App. B).
func ReadForm(w http.ResponseWriter, r *http.Request) (form, error) {
	if !isForm(r.Header["Content-Type"]) {
		return form{}, oauth.InvalidRequest("content_type", "the body must be application/x-www-form-urlencoded in UTF-8")
	}
	if isEncoded(r.Header["Content-Encoding"]) {
		return form{}, oauth.ContentEncoding()
	}
	body := buffer.Borrow()
	defer buffer.ReturnSecret(body)
	if err := readBody(w, r, body); err != nil {
		return form{}, err
	}
	params, err := ParseForm(body.Bytes())
	return form{params, true}, err
}

// isForm accepts one Content-Type of the form's media type. That type has no
// parameters, so any that are there are ignored: what counts is that the body is UTF-8.
func isForm(contentTypes []string) bool {
	if len(contentTypes) != 1 {
		return false
	}
	mediaType, _, _ := strings.Cut(contentTypes[0], ";")
	return strings.EqualFold(strings.Trim(mediaType, " \t"), formMediaType)
}

// isEncoded tells whether a body would have to be decoded first (RFC 9110 §8.4). A
// charset is not a coding, though some programs name one there: as in Content-Type,
// what counts is that the body is UTF-8.
func isEncoded(contentEncodings []string) bool {
	for _, header := range contentEncodings {
		for coding := range strings.SplitSeq(header, ",") {
			switch strings.ToLower(strings.Trim(coding, " \t")) {
			case "", "identity", "utf-8", "utf8", "us-ascii", "ascii", "iso-8859-1", "latin1", "windows-1252":
			default:
				return true
			}
		}
	}
	return false
}

const formMediaType = "application/x-www-form-urlencoded"
