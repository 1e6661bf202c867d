package caddygrant

import (
	"errors"
	"net/http"

	"github.com/caddygrant/caddy-grant/internal/loginpage"
	"github.com/caddygrant/caddy-grant/internal/oauth"
)

// What a refusal is to the person at the browser.

// toPerson is a refusal with the status of a page, where that of a token endpoint would
// say something else.
func toPerson(err error) error {
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

// problemOf is what a refusal means to the person at the browser.
func problemOf(refusal *oauth.Error) loginpage.Problem {
	if problem, ok := problems[refusal.Reason]; ok {
		return problem
	}
	switch {
	case refusal.Code == oauth.CodeInvalidGrant:
		return loginpage.WrongPassword
	case refusal.Code == oauth.CodeInvalidScope:
		return loginpage.NoAccess
	case refusal.Status == http.StatusTooManyRequests:
		return loginpage.Throttled
	case refusal.Status == http.StatusRequestEntityTooLarge:
		return loginpage.TooLarge
	case refusal.Status >= http.StatusInternalServerError:
		return loginpage.Unavailable
	}
	return loginpage.BadRequest
}

// problems are what refusals mean, by their reasons in the log.
var problems = map[string]loginpage.Problem{
	"not_secure":           loginpage.NotSecure,
	"method":               loginpage.MethodNotAllowed,
	"wrong_host":           loginpage.WrongHost,
	"cross_origin":         loginpage.CrossOrigin,
	"missing_username":     loginpage.MissingUsername,
	"missing_password":     loginpage.MissingPassword,
	"password_checks_busy": loginpage.Busy,
	"too_early":            loginpage.Busy,
}

// ofTheURL are refusals, by their reasons, of the page's own URL.
var ofTheURL = []string{"credentials_in_query", "too_many_parameters"}

// withoutForm are the problems that trying again on the same page does not solve.
var withoutForm = []loginpage.Problem{
	loginpage.NotSecure, loginpage.MethodNotAllowed, loginpage.WrongHost,
}
