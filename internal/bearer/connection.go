package bearer

import (
	"net/http"
	"slices"
	"strings"
)

// The Connection header names the headers that are meant for the next hop alone (RFC
// 9110 §7.6.1), which a proxy drops.

// keepConnection removes tokens from the Connection header.
func keepConnection(h http.Header, gone func(string) bool) {
	if kept := withoutTokens(h["Connection"], gone); kept != "" {
		h["Connection"] = []string{kept}
	} else {
		delete(h, "Connection")
	}
}

// withoutTokens removes tokens from a list header.
func withoutTokens(values []string, remove func(string) bool) string {
	var kept []string
	for _, value := range values {
		for token := range strings.SplitSeq(value, ",") {
			if token = strings.TrimSpace(token); token != "" && !remove(token) {
				kept = append(kept, token)
			}
		}
	}
	return strings.Join(kept, ", ")
}

// dropUpgradeTokens takes the names of the headers that were removed out of Connection.
func dropUpgradeTokens(r *http.Request, upgrade bool) {
	connection := r.Header["Connection"]
	if len(connection) == 0 || len(connection) == 1 && isPersistence(connection[0]) {
		return
	}
	gone := func(name string) bool {
		return strings.EqualFold(name, "HTTP2-Settings") || upgrade && strings.EqualFold(name, "Upgrade")
	}
	if slices.ContainsFunc(connection, func(value string) bool { return listHas(value, gone) }) {
		keepConnection(r.Header, gone)
	}
}

// isPersistence recognizes a Connection header that names no header, as nearly all are.
func isPersistence(connection string) bool {
	return strings.EqualFold(connection, "keep-alive") || strings.EqualFold(connection, "close")
}

// listHas tells whether meant holds for one of the tokens of a list header.
func listHas(value string, meant func(string) bool) bool {
	for token := range strings.SplitSeq(value, ",") {
		if meant(strings.TrimSpace(token)) {
			return true
		}
	}
	return false
}
