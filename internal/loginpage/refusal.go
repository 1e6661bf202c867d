package loginpage

import (
	"errors"
	"net/http"

	"github.com/caddygrant/caddy-grant/internal/oauth"
)

// ToPerson is a refusal with the status of a page, where that of a token endpoint would
// say something else.
func ToPerson(err error) error {
	refusal, ok := errors.AsType[*oauth.Error](err)
	if !ok {
		return err
	}
	shown := *refusal
	switch refusal.Code {
	case oauth.CodeInvalidGrant:
		shown.Status = http.StatusUnauthorized
	case oauth.CodeInvalidScope:
		shown.Status = http.StatusForbidden
	}
	return &shown
}

// ProblemOf is what a refusal means to the person at the browser.
func ProblemOf(refusal *oauth.Error) Problem {
	if problem, ok := byReason[refusal.Reason]; ok {
		return problem
	}
	switch {
	case refusal.Code == oauth.CodeInvalidGrant:
		return WrongPassword
	case refusal.Code == oauth.CodeInvalidScope:
		return NoAccess
	case refusal.Status == http.StatusTooManyRequests:
		return Throttled
	case refusal.Status == http.StatusRequestEntityTooLarge:
		return TooLarge
	case refusal.Status >= http.StatusInternalServerError:
		return Unavailable
	}
	return BadRequest
}

// byReason are what refusals mean, by their reasons in the log.
var byReason = map[string]Problem{
	"not_secure":           NotSecure,
	"method":               MethodNotAllowed,
	"wrong_host":           WrongHost,
	"cross_origin":         CrossOrigin,
	"missing_username":     MissingUsername,
	"missing_password":     MissingPassword,
	"password_checks_busy": Busy,
	"too_early":            Busy,
}

// IsOfTheURL tells whether a refusal, by its reason, is of the page's own URL, which the
// form would send again.
func IsOfTheURL(reason string) bool {
	return reason == "credentials_in_query" || reason == "too_many_parameters"
}

// IsFinal tells whether trying again on the same page does not solve the problem.
func (p Problem) IsFinal() bool {
	return p == NotSecure || p == MethodNotAllowed || p == WrongHost
}
