package loginpage

var german = Words{
	Username: "Benutzername",
	Password: "Passwort",
	Remember: "Angemeldet bleiben",

	LogIn:      "Anmelden",
	LogOut:     "Abmelden",
	LogInAgain: "Erneut anmelden",
	Continue:   "Weiter",
	Cancel:     "Abbrechen",
	TryAgain:   "Erneut versuchen",
	GoToLogin:  "Zur Anmeldung",

	LoggedInAs: "Angemeldet als",
	Missing:    "Fehlende Berechtigungen:",
	Error:      "Fehler: ",

	Titles: map[Kind]string{
		Form:      "Anmelden",
		Session:   "Angemeldet",
		Logout:    "Abmelden",
		LoggedOut: "Abgemeldet",
	},
	Leads: map[Kind]string{
		Form:      "Melden Sie sich an, um fortzufahren",
		Logout:    "Möchten Sie sich abmelden?",
		LoggedOut: "Sie sind abgemeldet.",
	},
	Problems: map[Problem]Text{
		WrongPassword: {
			"Benutzername oder Passwort ist falsch.",
			"Prüfen Sie beides und versuchen Sie es erneut.",
		},
		MissingUsername: {"Geben Sie Ihren Benutzernamen ein.", ""},
		MissingPassword: {"Geben Sie Ihr Passwort ein.", ""},
		Throttled:       {"Zu viele Anmeldeversuche.", "Versuchen Sie es {wait} erneut."},
		Busy: {
			"Der Server ist gerade ausgelastet.",
			"Warten Sie einige Sekunden und versuchen Sie es erneut.",
		},
		Unavailable: {
			"Ihre Anmeldung kann gerade nicht geprüft werden.",
			"Versuchen Sie es in einigen Minuten erneut.",
		},
		LoggedOutHere: {
			"Sie sind in diesem Browser abgemeldet, aber der Server konnte die Sitzung nicht beenden.",
			"Wenn Sie vermuten, dass jemand anderes Ihr Konto verwendet, ändern Sie Ihr Passwort.",
		},
		CrossOrigin: {
			"Diese Anfrage kam von einer anderen Website und wurde blockiert.",
			"Wenn Sie das tun wollten, versuchen Sie es von hier aus erneut.",
		},
		NotSecure: {
			"Diese Seite funktioniert nur über eine sichere Verbindung.",
			"Öffnen Sie die Adresse mit https:// am Anfang.",
		},
		WrongHost: {
			"Unter dieser Internetadresse können Sie sich nicht anmelden.",
			"Verwenden Sie zum Anmelden eine Internetadresse unter {domain}.",
		},
		NoAccess: {
			"Ihr Konto hat keinen Zugriff.",
			"Bitten Sie die Administration um Zugriff, oder melden Sie sich mit einem anderen Konto an.",
		},
		ScopeMissing: {
			"Sie sind nicht berechtigt, diese Seite zu öffnen.",
			"Bitten Sie die Administration um Zugriff, oder melden Sie sich mit einem anderen Konto an.",
		},
		AudienceMissing: {
			"Ihre Anmeldung gilt nicht für diese Seite.",
			"Bitten Sie die Administration um Zugriff.",
		},
		BadRequest: {
			"Die Anfrage konnte nicht verarbeitet werden.",
			"Gehen Sie zurück und versuchen Sie es erneut.",
		},
		TooLarge: {
			"Die gesendeten Daten sind zu groß.",
			"Prüfen Sie Benutzername und Passwort und versuchen Sie es erneut.",
		},
		MethodNotAllowed: {
			"Diese Seite kann so nicht aufgerufen werden.",
			"Öffnen Sie die Anmeldeseite und versuchen Sie es erneut.",
		},
	},
	Wait: WaitWords{
		Moment:  "gleich",
		Seconds: "in {n} Sekunden",
		Minute:  "in 1 Minute",
		Minutes: "in {n} Minuten",
		Hour:    "in etwa einer Stunde",
		Hours:   "in etwa {n} Stunden",
	},
}
