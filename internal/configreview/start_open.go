package configreview

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/caddygrant/caddy-grant/internal/configcheck"
)

// ofOpen is about routes that are open, unless they lead to an app that is checked
// elsewhere: that is an error already.
func (r *review) ofOpen(entries []entry) {
	upstreams := make(map[string]bool)
	for _, e := range entries {
		upstreams[e.text("place")] = upstreams[e.text("place")] || strings.HasPrefix(e.message, "an app is proxied")
	}
	for _, e := range entries {
		switch {
		case e.message == configcheck.OpenRoute && !upstreams[e.text("place")]:
			at := r.placeOf(e)
			finding := Finding{Rule: "open-route", File: at.file, Line: at.line,
				Message: fmt.Sprintf("requests get here without a token, though the site has a bearer_auth, at %s", e.text("bearer_auth"))}
			if e.fields["files"] == true { // such as those of a single-page app
				finding.Severity = Note
			}
			r.add(finding)
		case e.message == configcheck.OpenRest:
			r.add(openRest(e, r.placeOf(e)))
		case e.message == configcheck.Overwritten:
			r.add(r.overwritten(e))
		}
	}
}

// overwritten is about an identity header that a directive sets after the bearer_auth.
func (r *review) overwritten(e entry) Finding {
	header := e.text("header")
	at := r.placeOf(e)
	if n := r.lineThatSets(header, e.text("value"), at); n != nil {
		at = n.position
	}
	finding := Finding{Rule: "identity-header-gap", File: at.file, Line: at.line,
		Remedy: fmt.Sprintf("remove it: bearer_auth has set %s already; for what the app needs apart from the user, take a header that copy_claims does not set", header)}
	if e.fields["client"] == true {
		finding.Message = fmt.Sprintf("%s is set to %s, which the client chooses, after the bearer_auth at %s has set it to a claim of the token: every user can be any other user to the app",
			header, e.text("value"), e.text("bearer_auth"))
		return finding
	}
	finding.Severity = Warning
	finding.Message = fmt.Sprintf("%s is set to %q, after the bearer_auth at %s has set it to a claim of the token: the app does not see who the user is",
		header, e.text("value"), e.text("bearer_auth"))
	return finding
}

// lineThatSets is the line of a Caddyfile that sets a header of requests, in a proxy at a
// place if that is known: placeholders may be written shorter there.
func (r *review) lineThatSets(header, value string, proxy position) *node {
	sets := func(n *node) bool {
		return (n.is("header_up") || n.is("request_header")) && len(n.words) > 2 && strings.EqualFold(strings.TrimLeft(n.words[1], "+?>"), header)
	}
	if at := find(r.tree, func(n *node) bool { return n.position == proxy && !sets(n) }); at != nil && proxy.line > 0 {
		if n := find(at.block, sets); n != nil {
			return n
		}
	}
	exact := find(r.tree, func(n *node) bool { return sets(n) && slices.Contains(n.words[2:], value) })
	if exact != nil {
		return exact
	}
	return find(r.tree, sets)
}

// openRest is about a bearer_auth that leaves out some requests: who decides which, says
// how bad that is.
func openRest(e entry, at position) Finding {
	finding := Finding{Rule: "open-rest", File: at.file, Line: at.line}
	const remove = "remove the matcher, and name the paths that need no token with open"
	what := e.text("what")
	switch e.text("by") {
	case configcheck.OpenByClient:
		finding.Severity, finding.Remedy = Error, remove
		finding.Message = fmt.Sprintf("clients decide whether this bearer_auth checks them, since its matcher asks for %s, which a client chooses: requests that do not match it reach the app without a token", what)
	case configcheck.OpenByMethod:
		finding.Message = "this bearer_auth does not check requests with the method " + list(strings.Fields(strings.ReplaceAll(what, configcheck.OtherMethod, "others"))) + ": they reach the app without a token"
		finding.Remedy = remove + "; for pages that everyone may read, see to it that the app changes nothing on these methods"
		if what == http.MethodOptions { // as a browser asks for permission
			finding.Severity = Note
			finding.Remedy = "nothing, if the app answers OPTIONS with CORS headers only; else answer OPTIONS in Caddy, and remove the matcher"
		}
	case configcheck.OpenByAddress:
		finding.Severity = Note
		finding.Message = "this bearer_auth leaves out requests by the address that they come from: these reach the app without a token"
		finding.Remedy = "nothing, if every user and program at these addresses may do all that the app offers; else remove the matcher"
	case configcheck.OpenByOther:
		finding.Severity = Note
		finding.Message = "the matcher of this bearer_auth is not about paths: the requests that it does not match reach the app without a token"
		finding.Remedy = "nothing, if no client can bring that about; else remove the matcher, and name the paths that need no token with open"
	default:
		finding.Message = "the matcher of this bearer_auth names what it checks: all else of the site reaches the app without a token"
	}
	return finding
}
