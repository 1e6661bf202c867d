package wire

import (
	"errors"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/caddygrant/caddy-grant/internal/buffer"
	"github.com/caddygrant/caddy-grant/internal/oauth"
)

// form is the body of a POST, parsed.
type form struct {
	Params   url.Values // one value each, resource aside; absent and empty are the same
	BodyRead bool       // to its end
}

// ReadForm reads and checks the form of a POST (RFC 6749 §3.2, §4.3.2, App. B).
func ReadForm(w http.ResponseWriter, r *http.Request) (form, error) {
	if !isForm(r.Header["Content-Type"]) {
		return form{}, oauth.InvalidRequest("content_type", "the body must be application/x-www-form-urlencoded in UTF-8")
	}
	if isEncoded(r.Header["Content-Encoding"]) {
		return form{}, oauth.ContentEncoding()
	}
	body, err := readBody(w, r)
	if err != nil {
		return form{}, err
	}
	params, err := ParseForm(body)
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

// readBody reads the body within its bounds of size and time.
func readBody(w http.ResponseWriter, r *http.Request) (string, error) {
	if r.ContentLength > maxBodySize {
		return "", oauth.BodyTooLarge()
	}
	controller := http.NewResponseController(w)
	if controller.SetReadDeadline(time.Now().Add(MaxBodyTime)) == nil {
		// the deadline is the connection's: left in place, it would end the request
		defer func() { _ = controller.SetReadDeadline(time.Time{}) }()
	}
	body := buffer.Borrow()
	defer buffer.ReturnSecret(body)
	_, err := body.ReadFrom(http.MaxBytesReader(w, r.Body, maxBodySize))
	// request_body may have wrapped the body with a lower bound
	if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
		return "", oauth.BodyTooLarge()
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return "", oauth.InvalidRequest("body_too_slow", "the body did not arrive in time")
	}
	if err != nil {
		return "", oauth.InvalidRequest("body_incomplete", "the body could not be read")
	}
	return body.String(), nil
}

// ParseForm decodes a form. A parameter must not be repeated, and an empty one counts
// as absent (RFC 6749 §3.2); only resource may be repeated (RFC 8707 §2).
func ParseForm(body string) (url.Values, error) {
	if strings.Count(body, "&") >= maxParameters {
		return nil, oauth.TooManyParameters() // before any work is done for each of them
	}
	params, err := url.ParseQuery(body)
	if err != nil {
		return nil, oauth.InvalidRequest("form_malformed", "the body is not well-formed: percent-encode all but letters and digits")
	}
	for name, list := range params {
		if len(list) > 1 && name != "resource" {
			return nil, oauth.InvalidRequest("parameter_repeated", "a parameter is repeated")
		}
		if !validText(name) || slices.ContainsFunc(list, func(value string) bool { return !validText(value) }) {
			return nil, oauth.InvalidRequest("form_malformed", "the body has a parameter that is not UTF-8 or holds a NUL character")
		}
		switch left := slices.DeleteFunc(list, func(value string) bool { return value == "" }); len(left) {
		case len(list):
		case 0:
			delete(params, name)
		default:
			params[name] = left
		}
	}
	return params, nil
}

func validText(s string) bool {
	return utf8.ValidString(s) && strings.IndexByte(s, 0) < 0
}

// MaxBodyTime is how long the body of a request may take to arrive. It is a variable
// for tests, which change it before they start anything.
var MaxBodyTime = 10 * time.Second

const (
	formMediaType = "application/x-www-form-urlencoded"

	maxBodySize   = 64 << 10
	maxParameters = 100
)
