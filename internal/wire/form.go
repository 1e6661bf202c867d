package wire

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
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
	body := buffer.Borrow()
	defer buffer.ReturnSecret(body)
	if err := readBody(w, r, body); err != nil {
		return form{}, err
	}
	params, err := ParseForm(body.String())
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

const (
	formMediaType = "application/x-www-form-urlencoded"

	maxParameters = 100
)
