package loginpage

var french = Words{
	Username: "Nom d’utilisateur",
	Password: "Mot de passe",
	Remember: "Rester connecté",

	LogIn:      "Se connecter",
	LogOut:     "Se déconnecter",
	LogInAgain: "Se reconnecter",
	Continue:   "Continuer",
	Cancel:     "Annuler",
	TryAgain:   "Réessayer",
	GoToLogin:  "Aller à la page de connexion",

	LoggedInAs: "Connecté en tant que",
	Missing:    "Autorisations manquantes\u00a0:",
	Error:      "Erreur\u00a0: ",

	Titles: map[Kind]string{
		Form:      "Connexion",
		Session:   "Connecté",
		Logout:    "Déconnexion",
		LoggedOut: "Déconnecté",
	},
	Leads: map[Kind]string{
		Form:      "Connectez-vous pour continuer",
		Logout:    "Voulez-vous vous déconnecter\u00a0?",
		LoggedOut: "Vous êtes déconnecté.",
	},
	Problems: map[Problem]Text{
		WrongPassword: {
			"Nom d’utilisateur ou mot de passe incorrect.",
			"Vérifiez-les, puis réessayez.",
		},
		MissingUsername: {"Saisissez votre nom d’utilisateur.", ""},
		MissingPassword: {"Saisissez votre mot de passe.", ""},
		Throttled:       {"Trop de tentatives de connexion.", "Réessayez {wait}."},
		Busy: {
			"Le serveur est actuellement surchargé.",
			"Patientez quelques secondes, puis réessayez.",
		},
		Unavailable: {
			"Votre connexion ne peut pas être vérifiée pour le moment.",
			"Réessayez dans quelques minutes.",
		},
		LoggedOutHere: {
			"Vous êtes déconnecté de ce navigateur, mais le serveur n’a pas pu mettre fin à la session.",
			"Si vous pensez qu’une autre personne utilise votre compte, changez votre mot de passe.",
		},
		CrossOrigin: {
			"Cette requête provenait d’un autre site et a été bloquée.",
			"Si vous en êtes à l’origine, réessayez à partir d’ici.",
		},
		NotSecure: {
			"Cette page nécessite une connexion sécurisée.",
			"Ouvrez l’adresse en commençant par https://.",
		},
		WrongHost: {
			"Vous ne pouvez pas vous connecter à cette adresse web.",
			"Pour vous connecter, utilisez une adresse web du domaine {domain}.",
		},
		NoAccess: {
			"Votre compte n’a pas accès à ce site.",
			"Demandez l’accès à l’administrateur ou connectez-vous avec un autre compte.",
		},
		ScopeMissing: {
			"Vous n’êtes pas autorisé à ouvrir cette page.",
			"Demandez l’accès à l’administrateur ou connectez-vous avec un autre compte.",
		},
		AudienceMissing: {
			"Votre connexion n’est pas valable pour cette page.",
			"Demandez l’accès à l’administrateur.",
		},
		BadRequest: {
			"La requête n’a pas pu être traitée.",
			"Revenez en arrière, puis réessayez.",
		},
		TooLarge: {
			"Les données envoyées sont trop volumineuses.",
			"Vérifiez votre nom d’utilisateur et votre mot de passe, puis réessayez.",
		},
		MethodNotAllowed: {
			"Cette page ne peut pas être ouverte de cette façon.",
			"Ouvrez la page de connexion, puis réessayez.",
		},
	},
	Wait: WaitWords{
		Moment:  "dans un instant",
		Seconds: "dans {n} secondes",
		Minute:  "dans 1 minute",
		Minutes: "dans {n} minutes",
		Hour:    "dans environ une heure",
		Hours:   "dans environ {n} heures",
	},
}
