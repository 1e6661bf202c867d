package issuers

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
	"github.com/caddygrant/caddy-grant/integration/internal/outside"
)

// The sub of two issuers is never the same person.
func TestTheUsersOfTwoIssuersAreTwoUsers(t *testing.T) {
	staff := outside.New(t, outside.Options{Path: "/realms/staff"})
	partners := outside.New(t, outside.Options{Path: "/realms/partners"})
	e := startSite(t, ownServer, bearer("", trusting(staff), trusting(partners), copied))
	e.knows(staff, partners)
	for token, want := range map[string]string{
		staff.Token(): staff.URL + "#alice", partners.Token(): partners.URL + "#alice", e.Token("alice"): "alice",
	} {
		e.get("/contacts", token).Want(t, 200, "")
		received := e.app.One(t)
		received.WantIdentity(t, "X-User", want)
		received.WantIdentity(t, "X-Name", want)
	}
	e.says(t, staff.Token(), "user|"+staff.URL+"|"+staff.URL+"#alice|"+staff.URL+"#alice|"+staff.URL+"#phone|contacts.read")
	e.says(t, e.Token("alice"), "user|https://api.example.com|alice|alice|web|contacts.read contacts.write")
}

// An issuer chooses its users' names, and none of them is one of another's.
func TestAnIssuerCannotNameAUserOfAnother(t *testing.T) {
	staff := outside.New(t, outside.Options{Path: "/realms/staff"})
	partners := outside.New(t, outside.Options{Path: "/realms/partners"})
	e := start(t, trusting(staff, "username_prefix staff:"), trusting(partners, "username_prefix partners:"))
	e.knows(staff, partners)
	for _, test := range []struct{ name, sub, want string }{
		{"the other's prefix", "staff:alice", "partners:staff:alice"},
		{"the other's prefix by URL", staff.URL + "#alice", "partners:" + staff.URL + "#alice"},
		{"spaces before it", " staff:alice", ""},
		{"the own prefix again", "partners:alice", "partners:partners:alice"},
	} {
		t.Run(test.name, func(t *testing.T) {
			a := e.get("/contacts", partners.Token(outside.Claim("sub", test.sub)))
			if test.want == "" && a.Status != 200 {
				return
			}
			for _, name := range e.app.One(t).Identity("X-User") {
				if !strings.HasPrefix(name, "partners:") || test.want != "" && name != test.want {
					t.Errorf("got %q, want %q", name, test.want)
				}
			}
		})
	}
}

// An own user may not have a name that begins as those of an issuer do.
func TestAnOwnUserNamedLikeAnOutsideOneIsRefused(t *testing.T) {
	issuer := outside.New(t, outside.Options{})
	app := harness.NewApp(t)
	s := harness.NewSite(t)
	for _, user := range []string{
		`user "` + issuer.URL + `#alice" ` + harness.HashCheap,
		"user carol " + harness.HashCheap + " {\n\tid \"" + strings.ToUpper(issuer.URL) + "#alice\"\n}", // apps fold the case of names
		"user carol " + harness.HashCheap + " {\n\tid \"" + issuer.URL + "#alice\"\n}",
	} {
		server := "token_endpoint {\n\tissuer https://api.example.com\n\tclient web {\n\tsecret web-secret\n\t}\n\tuser alice " + harness.HashCheap + "\n\t" + user + "\n}"
		err := s.TryReload("", app.In(site(server, bearer("", trusting(issuer), copied))))
		if err != nil {
			harness.WantLoadError(t, err, issuer.URL) // it may be refused at load
			continue
		}
		e := edge{s, app}
		e.knows(issuer)
		name := "carol"
		if !strings.Contains(user, "carol") {
			name = issuer.URL + "#alice"
		}
		a := e.Login(name, "correct horse")
		if a.Status != 200 {
			continue // or at the login
		}
		e.want(t, a.Text(t, "access_token"), 401)
		e.want(t, e.Token("alice"), 200)
	}
}

// username_prefix gives other prefixes, or none where no one else is taken.
func TestTheUsernamePrefixIsThatOfTheConfig(t *testing.T) {
	issuer := outside.New(t, outside.Options{})
	e := start(t, trusting(issuer))
	e.knows(issuer)
	for _, test := range []struct{ line, want string }{
		{"username_prefix staff/", "staff/alice"}, {`username_prefix ""`, "alice"}, {"username_prefix -", "alice"},
	} {
		t.Run(test.line, func(t *testing.T) {
			e.serve(bearer("", trusting(issuer, test.line), copied))
			e.eventually(issuer.Token(), 200)
			e.app.Take()
			e.get("/contacts", issuer.Token()).Want(t, 200, "")
			received := e.app.One(t)
			received.WantIdentity(t, "X-User", test.want)
			received.WantIdentity(t, "X-Name", test.want)
			received.WantIdentity(t, "X-Client", strings.Replace(test.want, "alice", "phone", 1))
			received.WantIdentity(t, "X-Issuer", issuer.URL)
		})
	}
}

// The name is a claim of the operator's choice, and never preferred_username by itself
// (OpenID Connect Core §5.7).
func TestTheUsernameIsTheClaimOfTheConfig(t *testing.T) {
	issuer := outside.New(t, outside.Options{})
	token := func(changes ...outside.Change) string {
		return issuer.Token(append([]outside.Change{
			outside.Claim("preferred_username", "ally"), outside.Claim("email", "alice@example.com"), outside.Claim("email_verified", true),
			outside.Claim("https://example.com/name", "by URL"), outside.Claim("profile", map[string]any{"name": "nested"}),
		}, changes...)...)
	}
	e := start(t, trusting(issuer))
	e.knows(issuer)
	for _, test := range []struct{ line, name string }{
		{"", "alice"},
		{"claims username=preferred_username", "ally"},
		{"claims username=email", "alice@example.com"},
		{"claims username=https://example.com/name", "by URL"},
		{"claims username=profile.name", "nested"},
	} {
		t.Run(test.line, func(t *testing.T) {
			e.serve(bearer("", trusting(issuer, test.line), copied))
			e.get("/contacts", token()).Want(t, 200, "")
			received := e.app.One(t)
			received.WantIdentity(t, "X-Name", issuer.URL+"#"+test.name)
			received.WantIdentity(t, "X-User", issuer.URL+"#alice")
		})
	}
	e.serve(bearer("", trusting(issuer, "claims username=email"), copied))
	e.refuses(t, []attack{
		{"OpenID Connect Core §5.7: an address that is not verified", token(outside.Claim("email_verified", false)), "not verified"},
		{"an address whose check is a string", token(outside.Claim("email_verified", "false")), "not verified"},
		{"no address", token(outside.Without("email")), "names its user"},
		{"an empty address", token(outside.Claim("email", "")), "names its user"},
		{"an address that is a list", token(outside.Claim("email", []string{"alice@example.com"})), "names its user"},
		{"an address with a line end", token(outside.Claim("email", "alice@example.com\r\nX-Admin: yes")), "names its user"},
	})
}

// An address that names its user and an address that is required are verified alike.
func TestAnAddressIsVerifiedAlikeForNamesAndRequirements(t *testing.T) {
	issuer := outside.New(t, outside.Options{})
	e := start(t, trusting(issuer))
	e.knows(issuer)
	for _, test := range []struct {
		name     string
		verified []outside.Change
		ok       bool
	}{
		{"a boolean", []outside.Change{outside.Claim("email_verified", true)}, true},
		{"the string true, as Cognito writes it", []outside.Change{outside.Claim("email_verified", "true")}, true},
		{"missing", nil, true},
		{"false", []outside.Change{outside.Claim("email_verified", false)}, false},
		{"the string false", []outside.Change{outside.Claim("email_verified", "false")}, false},
		{"the string TRUE", []outside.Change{outside.Claim("email_verified", "TRUE")}, false},
		{"an empty string", []outside.Change{outside.Claim("email_verified", "")}, false},
		{"null", []outside.Change{outside.Claim("email_verified", json.RawMessage("null"))}, false},
		{"1", []outside.Change{outside.Claim("email_verified", 1)}, false},
		{"a list", []outside.Change{outside.Claim("email_verified", []any{true})}, false},
		{"an object", []outside.Change{outside.Claim("email_verified", map[string]any{"true": true})}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			token := issuer.Token(append(test.verified, outside.Claim("email", "alice@example.com"))...)
			named, required := 401, 403
			if test.ok {
				named, required = 200, 200
			}
			e.serve(bearer("", trusting(issuer, "claims username=email")))
			e.want(t, token, named)
			e.serve(bearer("", trusting(issuer), "require email alice@example.com"))
			e.want(t, token, required)
		})
	}
}

// An address that is a member of an object, or whose claim has a namespace, is verified by
// the claim beside it and by email_verified.
func TestAnAddressUnderALongerNameIsVerifiedAsWell(t *testing.T) {
	issuer := outside.New(t, outside.Options{})
	e := start(t, trusting(issuer))
	e.knows(issuer)
	const address = "alice@example.com"
	null := json.RawMessage("null")
	for claim, with := range map[string]func(beside ...any) []outside.Change{
		"user.email": func(beside ...any) []outside.Change {
			user := map[string]any{"email": address}
			if len(beside) > 0 {
				user["email_verified"] = beside[0]
			}
			return []outside.Change{outside.Claim("user", user)}
		},
		"https://example.com/email": func(beside ...any) []outside.Change {
			changes := []outside.Change{outside.Claim("https://example.com/email", address)}
			if len(beside) > 0 {
				changes = append(changes, outside.Claim("https://example.com/email_verified", beside[0]))
			}
			return changes
		},
		"urn:example:email": func(beside ...any) []outside.Change {
			changes := []outside.Change{outside.Claim("urn:example:email", address)}
			if len(beside) > 0 {
				changes = append(changes, outside.Claim("urn:example:email_verified", beside[0]))
			}
			return changes
		},
	} {
		for _, test := range []struct {
			name    string
			changes []outside.Change
			ok      bool
		}{
			{"nothing says so", with(), true},
			{"true beside it", with(true), true},
			{"the string true beside it", with("true"), true},
			{"true beside it and above", append(with(true), outside.Claim("email_verified", true)), true},
			{"false beside it", with(false), false},
			{"false beside it, and true above", append(with(false), outside.Claim("email_verified", true)), false},
			{"the string false beside it", with("false"), false},
			{"null beside it", with(null), false},
			{"false above", append(with(), outside.Claim("email_verified", false)), false},
			{"false above, and true beside it", append(with(true), outside.Claim("email_verified", false)), false},
			{"null above", append(with(), outside.Claim("email_verified", null)), false},
		} {
			t.Run(claim+", "+test.name, func(t *testing.T) {
				token := issuer.Token(test.changes...)
				named, required := 401, 403
				if test.ok {
					named, required = 200, 200
				}
				e.serve(bearer("", trusting(issuer, "claims username="+claim)))
				e.want(t, token, named)
				for _, value := range []string{address, "*@example.com"} {
					e.serve(bearer("", trusting(issuer), "require "+claim+" "+value))
					e.want(t, token, required)
				}
			})
		}
	}
}

// What a client sends under the names of the identity headers does not reach the app.
func TestForgedIdentityHeadersAreRemovedBesideAnOutsideToken(t *testing.T) {
	issuer := outside.New(t, outside.Options{})
	e := start(t, trusting(issuer))
	e.knows(issuer)
	e.get("/contacts", issuer.Token(), "X-User: root", "X_User: root", "x-issuer: https://evil.example.com").Want(t, 200, "")
	received := e.app.One(t)
	received.WantIdentity(t, "X-User", issuer.URL+"#alice")
	received.WantIdentity(t, "X-Issuer", issuer.URL)
}

// Claims that are neither registered nor known here keep their value.
func TestOtherClaimsOfAnOutsideUserReachTheApp(t *testing.T) {
	issuer := outside.New(t, outside.Options{})
	e := startSite(t, bearer("", trusting(issuer), "copy_claims email>X-Email groups>X-Groups"), `respond /mail "{http.auth.user.email}|{http.auth.user.level}"`)
	e.knows(issuer)
	token := issuer.Token(outside.Claim("email", "alice@example.com"), outside.Claim("groups", []string{"a", "b"}), outside.Claim("level", 3))
	e.get("/contacts", token).Want(t, 200, "")
	e.app.One(t).WantIdentity(t, "X-Email", "alice@example.com")
	if a := e.get("/mail", token); string(a.Body) != "alice@example.com|3" {
		t.Errorf("the placeholders say %s", a.Body)
	}
	// none of the last request's is left
	if a := e.get("/mail", issuer.Token()); string(a.Body) != "|" {
		t.Errorf("the placeholders of another request say %s", a.Body)
	}
}

// The access log has the user, and the log of a refusal the issuer; neither has a token.
func TestTheLogNamesTheOutsideUserAndNoToken(t *testing.T) {
	issuer := outside.New(t, outside.Options{})
	e := start(t, trusting(issuer), "scopes contacts.write")
	good, lacking := issuer.Token(outside.Claim("scope", "contacts.write")), issuer.Token()
	e.eventually(good, 200)
	e.want(t, lacking, 403)
	refusal := e.LastRefusal()
	if refusal["issuer"] != issuer.URL || refusal["user_id"] != issuer.URL+"#alice" || refusal["client_id"] != issuer.URL+"#phone" {
		t.Errorf("the refusal is logged as %v", refusal)
	}
	harness.Eventually(t, "the access log has the user", func() bool {
		return len(e.Logged(func(line map[string]any) bool {
			return line["msg"] == "handled request" && line["user_id"] == issuer.URL+"#alice"
		})) > 0
	})
	log := e.RawLog()
	for _, token := range []string{good, lacking} {
		parts := strings.Split(token, ".")
		if strings.Contains(log, parts[1]) || strings.Contains(log, parts[2]) {
			t.Error("a token is in the log")
		}
	}
}

// An own client may not have an id that is that of an issuer's client as the app gets it:
// neither for the tokens of its users, nor for its own.
func TestAnOwnClientNamedLikeAnOutsideOneIsRefused(t *testing.T) {
	issuer := outside.New(t, outside.Options{})
	own := issuer.URL + "#phone"
	server := `token_endpoint {
		issuer https://api.example.com
		client web {
			secret web-secret
			grants password client_credentials
		}
		client "` + own + `" {
			secret web-secret
			grants password client_credentials
		}
		user alice ` + harness.HashCheap + `
	}`
	e := startSite(t, server, bearer("", "clients machine:", trusting(issuer), copied))
	e.knows(issuer)
	of := func(client string, pairs ...string) string {
		t.Helper()
		c := e.Web()
		c.ID = client
		a := e.Post(c.Path, c.Form(pairs...))
		a.Want(t, 200, "")
		return a.Text(t, "access_token")
	}
	for _, pairs := range [][]string{
		{"grant_type", "client_credentials"},
		{"grant_type", "password", "username", "alice", "password", "correct horse"},
	} {
		e.want(t, of("web", pairs...), 200)
		e.want(t, of(own, pairs...), 401)
	}
	e.want(t, issuer.Token(), 200)
	e.want(t, issuer.Token(outside.Claim("sub", "phone")), 200)
}
