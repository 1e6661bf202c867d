package bearer

import (
	"net/http"
	"regexp"
	"strings"

	"golang.org/x/net/http/httpguts"

	"github.com/caddygrant/caddy-grant/internal/remembered"
	"github.com/caddygrant/caddy-grant/internal/wire"
)

// Credential is what a request has to show who sends it.
type Credential struct {
	Raw      string
	InHeader bool // it is an API key in the header for these

	// what the choice of its verifier found out on the way
	Digest   remembered.Digest // of a token that is not too long
	Recalled Identity          // which an outside issuer found it to be before; nil if none did
}

// TokenOf finds the one token of a request. It is taken from the Authorization header
// only, as the client sent it: a query stays in logs, histories and Referer headers
// (RFC 6750 §5.3).
func TokenOf(r *http.Request, authorization []string) (string, *Error) {
	if wire.QueryHas(r.URL.RawQuery, "access_token") {
		return "", InvalidRequest("the query has an access_token")
	}
	switch len(authorization) {
	case 0:
		return "", noCredentials("no Authorization header")
	case 1:
	default:
		return "", InvalidRequest("more than one Authorization header")
	}
	// HTTP/2 keeps the space around a value that HTTP/1 drops: the app would see
	// another scheme than the one checked here
	scheme, token := strings.Trim(authorization[0], " \t"), ""
	if end := strings.IndexAny(scheme, " \t,"); end >= 0 {
		scheme, token = scheme[:end], scheme[end:]
	}
	switch {
	case scheme == "" && token == "":
		return "", noCredentials("the Authorization header is empty")
	case !httpguts.ValidHeaderFieldName(scheme) || strings.Contains(token, ",") && bearerInList.MatchString(token):
		return "", InvalidRequest("the Authorization header is malformed")
	case !strings.EqualFold(scheme, "Bearer"):
		return "", noCredentials("the Authorization header is not of the scheme Bearer")
	}
	token = strings.Trim(token, " ")
	// one after the other, which for a token is twenty times as fast as all at once
	if token == "" || strings.Contains(token, " ") || strings.Contains(token, "\t") || strings.Contains(token, ",") {
		return "", InvalidRequest("the Authorization header is malformed")
	}
	return token, nil
}

// TokensIn are the tokens of Bearer credentials in headers, of which a request should
// have one. No more are looked at than a client sends by mistake.
func TokensIn(authorization []string) (tokens []string) {
	for _, value := range authorization[:min(len(authorization), maxCredentials)] {
		scheme, token, _ := strings.Cut(strings.ReplaceAll(strings.Trim(value, " \t"), "\t", " "), " ")
		if token = strings.Trim(token, " "); strings.EqualFold(scheme, "Bearer") && token != "" {
			tokens = append(tokens, token)
		}
	}
	return tokens
}

const maxCredentials = 4

// bearerInList finds Bearer credentials after others, which some apps would accept.
var bearerInList = regexp.MustCompile(`(?i),[ \t]*bearer([ \t]|$)`)
