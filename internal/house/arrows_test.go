package house

// arrows says which packages of the module each package may import. An arrow points
// down: a lower package knows nothing of a higher one.
var arrows = map[string][]string{
	"cmd/caddy": {"."},

	// who exists
	"directory":               {"internal/mac", "internal/oauth", "internal/password", "internal/userfile"},
	"directory/directorytest": {"directory", "internal/mac"},

	// where sessions live
	"sessions":              {},
	"sessions/batch":        {},
	"sessions/sessionstest": {"sessions"},

	// requests and answers
	"internal/apikey":     {"directory", "internal/oauth", "internal/token", "internal/userfile"},
	"internal/bearer":     {"internal/oauth", "internal/remembered", "internal/token", "internal/wire"},
	"internal/browser":    {},
	"internal/credential": {"directory", "internal/mac", "internal/oauth", "internal/password", "internal/throttle"},
	"internal/loginpage":  {"internal/oauth"},
	"internal/token": {
		"directory", "internal/buffer", "internal/clock", "internal/keyring", "internal/mac", "internal/oauth",
		"internal/password", "internal/remembered", "internal/session",
	},
	"internal/wire":        {"internal/buffer", "internal/oauth"},
	"internal/oauth":       {"internal/suggestion"},
	"internal/pathreading": {},

	// what a config says
	"internal/caddyargs":     {"internal/oauth", "internal/suggestion"},
	"internal/caddyrequest":  {},
	"internal/configcheck":   {"directory", "internal/listenerguard", "internal/oauth"},
	"internal/listenerguard": {},
	"internal/setting":       {},

	// operators
	"internal/adminapi": {"internal/suggestion"},
	"internal/command": {
		"directory", "internal/adminapi", "internal/apikey", "internal/configreview", "internal/explain",
		"internal/fileedit", "internal/oauthclient", "internal/password", "internal/passwordadvice", "internal/setting",
		"internal/statuspage", "internal/statusview", "internal/suggestion", "internal/timewords",
		"internal/tokenstore", "internal/topview", "internal/useredit", "internal/userimport",
	},
	"internal/configreview": {
		"directory", "internal/apikey", "internal/browser", "internal/clock", "internal/configcheck", "internal/livefile",
		"internal/oauth", "internal/password", "internal/token", "internal/userfile",
	},
	"internal/explain": {
		"directory", "internal/adminapi", "internal/apikey", "internal/bearer", "internal/clock",
		"internal/issuer", "internal/keyring", "internal/session", "internal/timewords", "internal/token",
	},
	"internal/fileedit":       {},
	"internal/oauthclient":    {},
	"internal/passwordadvice": {},
	"internal/statuspage":     {"internal/statusview"},
	"internal/statusview":     {"internal/adminapi"},
	"internal/tokenstore":     {"internal/oauthclient"},
	"internal/topview":        {"internal/statusview"},
	"internal/useredit":       {"directory", "internal/apikey", "internal/oauth", "internal/password", "internal/userfile"},
	"internal/userimport":     {"directory", "internal/password", "internal/userfile"},

	// what is kept, and where
	"internal/allowance": {"internal/session", "internal/throttle", "internal/token"},
	"internal/issuer": {
		"directory", "internal/clock", "internal/compact", "internal/oauth", "internal/oneline",
		"internal/remembered", "internal/token",
	},
	"internal/keyring":        {"internal/clock", "internal/compact", "internal/mac", "internal/oneline", "internal/storagecheck"},
	"internal/livefile":       {},
	"internal/password":       {"internal/mac"},
	"internal/remembered":     {"internal/clock"},
	"internal/session":        {"internal/clock", "internal/oneline", "internal/storagecheck", "sessions"},
	"internal/sharedfailures": {"internal/throttle"},
	"internal/storagecheck":   {},
	"internal/throttle":       {},
	"internal/userfile":       {"internal/suggestion"},

	"internal/buffer":     {},
	"internal/clock":      {},
	"internal/compact":    {},
	"internal/event":      {"internal/clock", "internal/seldomlog"},
	"internal/governed":   {},
	"internal/labelset":   {},
	"internal/mac":        {},
	"internal/oneline":    {},
	"internal/seldomlog":  {},
	"internal/suggestion": {},
	"internal/timewords":  {},
}
