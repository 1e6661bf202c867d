package loginpage

var english = Words{
	Username: "Username",
	Password: "Password",
	Remember: "Stay logged in",

	LogIn:      "Log in",
	LogOut:     "Log out",
	LogInAgain: "Log in again",
	Continue:   "Continue",
	Cancel:     "Cancel",
	TryAgain:   "Try again",
	GoToLogin:  "Go to the login page",

	LoggedInAs: "Logged in as",
	Missing:    "Missing permissions:",
	Error:      "Error: ",

	Titles: map[Kind]string{
		Form:      "Log in",
		Session:   "Logged in",
		Logout:    "Log out",
		LoggedOut: "Logged out",
	},
	Leads: map[Kind]string{
		Form:      "Log in to continue",
		Logout:    "Do you want to log out?",
		LoggedOut: "You are logged out.",
	},
	Problems: map[Problem]Text{
		WrongPassword:   {"Wrong username or password.", "Check both and try again."},
		MissingUsername: {"Enter your username.", ""},
		MissingPassword: {"Enter your password.", ""},
		Throttled:       {"Too many login attempts.", "Try again {wait}."},
		Busy: {
			"The server is busy at the moment.",
			"Wait a few seconds and try again.",
		},
		Unavailable: {
			"Your login cannot be checked at the moment.",
			"Try again in a few minutes.",
		},
		LoggedOutHere: {
			"You are logged out in this browser, but the server could not end the session.",
			"If you think that someone else is using your account, change your password.",
		},
		CrossOrigin: {
			"This request came from another site and was blocked.",
			"If you meant to do this, try again from here.",
		},
		NotSecure: {
			"This page works only over a secure connection.",
			"Open the address with https:// at the beginning.",
		},
		WrongHost: {
			"You cannot log in at this web address.",
			"To log in, use a web address under {domain}.",
		},
		NoAccess: {
			"Your account does not have access.",
			"Ask the administrator for access, or log in with another account.",
		},
		ScopeMissing: {
			"You do not have permission to open this page.",
			"Ask the administrator for access, or log in with another account.",
		},
		AudienceMissing: {
			"Your login is not valid for this page.",
			"Ask the administrator for access.",
		},
		BadRequest: {"The request could not be processed.", "Go back and try again."},
		TooLarge: {
			"The data you sent is too large.",
			"Check your username and password and try again.",
		},
		MethodNotAllowed: {
			"This page cannot be opened in this way.",
			"Open the login page and try again.",
		},
	},
	Wait: WaitWords{
		Moment:  "in a moment",
		Seconds: "in {n} seconds",
		Minute:  "in 1 minute",
		Minutes: "in {n} minutes",
		Hour:    "in about an hour",
		Hours:   "in about {n} hours",
	},
}
