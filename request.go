package caddygrant

import (
	"errors"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/caddygrant/caddy-grant/internal/buffer"
	"github.com/caddygrant/caddy-grant/internal/clock"
	"github.com/caddygrant/caddy-grant/internal/oauth"
)

// tokenRequest is a request to an endpoint, parsed once. Grants see this and never the
// *http.Request. What is found out about it on the way is kept here for the log.
type tokenRequest struct {
	received time.Time
	address  string      // of the client, as Caddy sees it; may be empty
	header   http.Header // of which Authorization is read, and what end_user_ip names
	endpoint string      // its name, for metrics and the log
	outcome  string      // for metrics: success, or the error code
	bodyRead bool        // to its end
	page     page        // of another site, that sent it
	repeated bool        // its password or secret was wrong a moment ago

	byHeader      bool // the client is named in the Authorization header
	unnamed       bool // no client is named
	bearerIgnored bool // there is an Authorization header that does not name the client

	params url.Values // one value each, resource aside; absent and empty are the same

	endUserIP  netip.Addr // the address of a public client, or what an authenticated one names; not valid if none
	client     *Client    // as soon as a client of that id is known; grants see it authenticated
	scopes     []string   // asked for and allowed for the client; nil if the request names none
	user       *User      // as soon as a user of that name is known, before the password is checked
	formerUser string     // the subject of a refresh token whose user is gone or changed
	sessionID  string     // as soon as a token of that session is there and verified
	unknown    string     // for the log: why there is no session to revoke; one of a closed set
}

func newTokenRequest(r *http.Request) *tokenRequest {
	return &tokenRequest{received: clock.Now(), address: clientIP(r), header: r.Header, page: pageOf(r.Header), endpoint: endpointNone, outcome: outcomeSuccess}
}

// grantType is empty where it is missing, and at endpoints that need none.
func (req *tokenRequest) grantType() string { return req.params.Get("grant_type") }

// plainAddr is an address without a zone, not mapped to IPv6, and not valid if it is none.
func plainAddr(s string) netip.Addr {
	ip, _ := netip.ParseAddr(s)
	return ip.Unmap().WithZone("")
}

// parse reads and checks the form of a POST (RFC 6749 §3.2, §4.3.2, App. B).
func (req *tokenRequest) parse(w http.ResponseWriter, r *http.Request) error {
	if !isForm(r.Header["Content-Type"]) {
		return oauth.InvalidRequest("content_type", "the body must be application/x-www-form-urlencoded in UTF-8")
	}
	if isEncoded(r.Header["Content-Encoding"]) {
		return oauth.ContentEncoding()
	}
	body, err := readBody(w, r)
	if err != nil {
		return err
	}
	req.bodyRead = true
	req.params, err = parseForm(body)
	return err
}

// awaitsChallenge tells whether a client that fails to authenticate gets a challenge: one
// that used the Authorization header, and a program that names none and waits to be asked
// for it. For a page's script the browser would ask its user, who has no secret of a client.
func (req *tokenRequest) awaitsChallenge() bool {
	mode := req.header["Sec-Fetch-Mode"]
	return (req.byHeader || req.unnamed) && (len(mode) == 0 || mode[0] == "navigate")
}

// queryHas looks for parameters by name. Unlike [url.ParseQuery] it passes over nothing
// that is malformed: a password in a bad query is in the logs all the same.
func queryHas(query string, names ...string) bool {
	for part := range strings.FieldsFuncSeq(query, func(r rune) bool { return r == '&' || r == ';' }) {
		name, _, _ := strings.Cut(part, "=")
		for _, wanted := range names {
			if decodesTo(name, wanted) {
				return true
			}
		}
	}
	return false
}

// decodesTo tells whether a name of a form is the wanted one, which has nothing that must
// be encoded, without the work of decoding a long one.
func decodesTo(name, wanted string) bool {
	if strings.IndexByte(name, '%') < 0 {
		return name == wanted
	}
	if len(name) > len(wanted)*len("%XX") {
		return false
	}
	decoded, err := url.QueryUnescape(name)
	return err == nil && decoded == wanted
}

// tooManyParameters counts what separates parameters in a query, as queryHas reads it, so
// that nothing has to be done for each of them.
func tooManyParameters(query string) bool {
	return strings.Count(query, "&")+strings.Count(query, ";") >= maxParameters
}

// isForm accepts one Content-Type of the form's media type. That type has no parameters, so
// whatever stands there is nothing: what counts is that the body is UTF-8.
func isForm(contentTypes []string) bool {
	if len(contentTypes) != 1 {
		return false
	}
	mediaType, _, _ := strings.Cut(contentTypes[0], ";")
	return strings.EqualFold(strings.Trim(mediaType, " \t"), formMediaType)
}

// isEncoded tells whether a body would have to be decoded first (RFC 9110 §8.4). A charset
// is no coding, though some programs name it there: as in Content-Type, what counts is that
// the body is UTF-8.
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
	if controller.SetReadDeadline(time.Now().Add(maxBodyTime)) == nil {
		// the deadline is that of the connection: left in place, it would end the request
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

// parseForm decodes a form. Every parameter may be there once only, and an empty one
// counts as absent (RFC 6749 §3.2); resource may be there more often (RFC 8707 §2).
func parseForm(body string) (url.Values, error) {
	if strings.Count(body, "&") >= maxParameters {
		return nil, oauth.TooManyParameters() // before anything is done for each of them
	}
	params, err := url.ParseQuery(body)
	if err != nil {
		return nil, oauth.InvalidRequest("form_malformed", "the body is not well-formed: percent-encode all but letters and digits")
	}
	for name, list := range params {
		if len(list) > 1 && name != "resource" {
			return nil, oauth.InvalidRequest("parameter_repeated", "a parameter is there more than once")
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

var credentialParameters = []string{
	"client_secret", "username", "password", "refresh_token", "access_token", "token",
}

const (
	formMediaType = "application/x-www-form-urlencoded"

	maxBodySize   = 64 << 10
	maxBodyTime   = 10 * time.Second
	maxParameters = 100
)
