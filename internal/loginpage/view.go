package loginpage

import "time"

// View is what one answer says. The page takes it as it is: which URLs are safe to
// link to is the caller's to check.
type View struct {
	Kind     Kind
	Problem  Problem
	Username string        // in the form after a wrong password; otherwise who is logged in
	Remember bool          // the checkbox was ticked
	Wait     time.Duration // how long until the next attempt, for Throttled
	Scopes   []string      // which ones are missing, for ScopeMissing
	Domain   string        // where the page works, for WrongHost
	Host     string        // the heading without a title; empty: the host of the request

	Login  string // the URL of the form
	Logout string // the URL to which the log-out button posts
	Return string // where the user wanted to go; empty: nowhere
}

// Kind is what a page is for.
type Kind string

const (
	Form      Kind = "form"       // asks for username and password
	Session   Kind = "session"    // says who is logged in: a button to log out, a link to Return
	Logout    Kind = "logout"     // asks whether to log out
	LoggedOut Kind = "logged_out" // says so, and links to the form
	Refusal   Kind = "refusal"    // says why not, and what the user can do
)

// Problem is why a request was refused.
type Problem string

const (
	NoProblem        Problem = ""
	WrongPassword    Problem = "wrong_password" // or username: one text for all causes
	MissingUsername  Problem = "missing_username"
	MissingPassword  Problem = "missing_password"
	Throttled        Problem = "throttled"        // for Wait
	Busy             Problem = "busy"             // too many logins at the moment
	Unavailable      Problem = "unavailable"      // a login or session cannot be checked now
	LoggedOutHere    Problem = "logged_out_here"  // but the server could not end the session
	CrossOrigin      Problem = "cross_origin"     // a page of another site sent this
	NotSecure        Problem = "not_secure"       // needs HTTPS
	WrongHost        Problem = "wrong_host"       // works on Domain
	NoAccess         Problem = "no_access"        // the account has none of the permissions
	ScopeMissing     Problem = "scope_missing"    // the session lacks Scopes
	AudienceMissing  Problem = "audience_missing" // the session is not for this application
	BadRequest       Problem = "bad_request"      // malformed
	TooLarge         Problem = "too_large"        // the form
	MethodNotAllowed Problem = "method_not_allowed"
)

// kinds and problems are all there are, in the order of tests and error texts.
var (
	kinds    = []Kind{Form, Session, Logout, LoggedOut, Refusal}
	problems = []Problem{
		NoProblem, WrongPassword, MissingUsername, MissingPassword, Throttled, Busy, Unavailable,
		LoggedOutHere, CrossOrigin, NotSecure, WrongHost, NoAccess, ScopeMissing, AudienceMissing,
		BadRequest, TooLarge, MethodNotAllowed,
	}
)

// next is what the page of a refusal offers.
func (p Problem) next() Action {
	switch p {
	case Throttled, Busy, Unavailable:
		return TryAgain
	case NoAccess, ScopeMissing, AudienceMissing:
		return LogOut
	case NotSecure, WrongHost:
		return NoAction // no page of this address helps
	}
	return LogIn
}

// concerns tells whether a field of the form has to be corrected.
func (p Problem) concerns(field string) bool {
	switch p {
	case WrongPassword:
		return true
	case MissingUsername:
		return field == usernameField
	case MissingPassword:
		return field == passwordField
	}
	return false
}

// Action is what a user can do on the page of a refusal.
type Action string

const (
	NoAction Action = ""
	TryAgain Action = "try_again" // a link to Return
	LogIn    Action = "log_in"    // a link to Login
	LogOut   Action = "log_out"   // a button that posts to Logout
)

const (
	usernameField = "username"
	passwordField = "password"
)
