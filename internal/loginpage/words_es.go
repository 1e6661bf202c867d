package loginpage

var spanish = Words{
	Username: "Nombre de usuario",
	Password: "Contraseña",
	Remember: "Mantener la sesión iniciada",

	LogIn:      "Iniciar sesión",
	LogOut:     "Cerrar sesión",
	LogInAgain: "Volver a iniciar sesión",
	Continue:   "Continuar",
	Cancel:     "Cancelar",
	TryAgain:   "Reintentar",
	GoToLogin:  "Ir a la página de inicio de sesión",

	LoggedInAs: "Sesión iniciada como",
	Missing:    "Permisos que faltan:",
	Error:      "Error: ",

	Titles: map[Kind]string{
		Form:      "Iniciar sesión",
		Session:   "Sesión iniciada",
		Logout:    "Cerrar sesión",
		LoggedOut: "Sesión cerrada",
	},
	Leads: map[Kind]string{
		Form:      "Inicie sesión para continuar",
		Logout:    "¿Desea cerrar la sesión?",
		LoggedOut: "Ha cerrado la sesión.",
	},
	Problems: map[Problem]Text{
		WrongPassword: {
			"El nombre de usuario o la contraseña no son correctos.",
			"Compruébelos e inténtelo de nuevo.",
		},
		MissingUsername: {"Introduzca su nombre de usuario.", ""},
		MissingPassword: {"Introduzca su contraseña.", ""},
		Throttled: {
			"Demasiados intentos de inicio de sesión.",
			"Vuelva a intentarlo {wait}.",
		},
		Busy: {
			"El servidor está ocupado en este momento.",
			"Espere unos segundos y vuelva a intentarlo.",
		},
		Unavailable: {
			"En este momento no se puede comprobar su inicio de sesión.",
			"Vuelva a intentarlo dentro de unos minutos.",
		},
		LoggedOutHere: {
			"Ha cerrado la sesión en este navegador, pero el servidor no pudo finalizarla.",
			"Si cree que otra persona está usando su cuenta, cambie la contraseña.",
		},
		CrossOrigin: {
			"Esta solicitud procedía de otro sitio y se ha bloqueado.",
			"Si la hizo usted, vuelva a intentarlo desde aquí.",
		},
		NotSecure: {
			"Esta página solo funciona con una conexión segura.",
			"Abra la dirección con https:// al principio.",
		},
		WrongHost: {
			"No puede iniciar sesión en esta dirección web.",
			"Para iniciar sesión, use una dirección web de {domain}.",
		},
		NoAccess: {
			"Su cuenta no tiene acceso.",
			"Solicite acceso al administrador o inicie sesión con otra cuenta.",
		},
		ScopeMissing: {
			"No tiene permiso para abrir esta página.",
			"Solicite acceso al administrador o inicie sesión con otra cuenta.",
		},
		AudienceMissing: {
			"Su inicio de sesión no es válido para esta página.",
			"Solicite acceso al administrador.",
		},
		BadRequest: {
			"No se ha podido procesar la solicitud.",
			"Vuelva atrás e inténtelo de nuevo.",
		},
		TooLarge: {
			"Los datos enviados son demasiado grandes.",
			"Compruebe el nombre de usuario y la contraseña e inténtelo de nuevo.",
		},
		MethodNotAllowed: {
			"Esta página no se puede abrir de esta forma.",
			"Abra la página de inicio de sesión e inténtelo de nuevo.",
		},
	},
	Wait: WaitWords{
		Moment:  "dentro de un momento",
		Seconds: "dentro de {n} segundos",
		Minute:  "dentro de 1 minuto",
		Minutes: "dentro de {n} minutos",
		Hour:    "dentro de una hora aproximadamente",
		Hours:   "dentro de unas {n} horas",
	},
}
