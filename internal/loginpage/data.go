package loginpage

import "strings"

// Data is what a template gets as its dot. `.Kind` says which page to write; every one
// of them can be asked for:
//
//   - "form": a form with method="post" and no action, with inputs named username,
//     password and, if .CanRemember, a checkbox named remember. .Problem says why the
//     last attempt failed, or is empty.
//   - "session": .Username is logged in. A form with method="post" and action .Logout
//     logs out, a link to .Return goes on.
//   - "logout": the same form, and a link to .Return for those who want to stay.
//   - "logged_out": a link to .Login.
//   - "refusal": .Message and .Advice say why, .Action what the user can do.
//
// The answer's Content-Security-Policy lets a template have style elements with
// nonce="{{.Nonce}}", and images and fonts of the same host. Scripts, style attributes
// and resources of other hosts are blocked by the browser.
type Data struct {
	// The facts: .Kind, .Problem, .Username, .Remember (the box was ticked), .Wait,
	// .Scopes (the missing ones), .Domain, .Host, .Login, .Logout, .Return.
	// .Problem is empty, "wrong_password", "missing_username", "missing_password",
	// "throttled", "busy", "unavailable", "logged_out_here", "cross_origin",
	// "not_secure", "wrong_host", "no_access", "scope_missing", "audience_missing",
	// "bad_request", "too_large" or "method_not_allowed".
	View

	Lang  string // the language of the words: "en", "de", "fr", "es" or "zh-Hans"
	Nonce string // for style elements, new in every answer
	Title string // the heading: the title of the config, or the host

	PageTitle   string // for the title element: "Error: Log in – app.example.com"
	Lead        string // one line below the heading; empty for a refusal
	Message     string // what is wrong; empty if nothing
	Advice      string // what the user can do about it; may be empty
	Action      Action // for a refusal: "try_again" (link to .Return), "log_in" (link to .Login), "log_out" (post to .Logout) or empty
	CanRemember bool   // the form has the checkbox
	Focus       string // the field to start in: "username" or "password"

	// The words of the language, for labels and buttons: .Words.Username,
	// .Words.Password, .Words.Remember, .Words.LogIn, .Words.LogOut, .Words.LogInAgain,
	// .Words.Continue, .Words.Cancel, .Words.TryAgain, .Words.GoToLogin,
	// .Words.LoggedInAs, .Words.Missing (before .Scopes).
	Words Words
}

// Invalid tells whether a field of the form has to be corrected: "username" or
// "password".
func (d Data) Invalid(field string) bool { return d.Problem.concerns(field) }

func newData(v View, l locale, title, nonce string, canRemember bool) Data {
	d := Data{
		View: v, Lang: l.name, Nonce: nonce, Title: title,
		CanRemember: canRemember, Focus: usernameField, Words: l.words,
	}
	if v.Username != "" && v.Problem != MissingUsername {
		d.Focus = passwordField
	}
	d.Lead = l.words.Leads[v.Kind]
	d.PageTitle = title
	if name := l.words.Titles[v.Kind]; name != "" {
		d.PageTitle = name + " – " + title
	}
	if v.Problem == NoProblem {
		return d
	}
	text := l.words.Problems[v.Problem]
	insert := strings.NewReplacer("{wait}", l.words.Wait.in(v.Wait), "{domain}", v.Domain)
	d.Message, d.Advice = insert.Replace(text.Message), insert.Replace(text.Advice)
	d.PageTitle = l.words.Error + d.PageTitle
	if v.Kind == Refusal {
		d.Action = v.Problem.next()
	}
	return d
}
