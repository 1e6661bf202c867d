package issuers

import (
	"encoding/json"
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/outside"
)

// Scopes are those of scope or scp, or of a claim of the config's, as a string or a
// list.
func TestTheScopesOfAnOutsideToken(t *testing.T) {
	issuer := outside.New(t, outside.Options{})
	e := start(t, trusting(issuer), "scopes contacts.read")
	e.knows(issuer)
	without := outside.Without("scope")
	for _, test := range []struct {
		name, line string
		changes    []outside.Change
		status     int
	}{
		{"RFC 8693 §4.2: scope", "", nil, 200},
		{"RFC 6749 §3.3: among others", "", []outside.Change{outside.Claim("scope", "openid contacts.read profile")}, 200},
		{"RFC 6749 §3.3: another", "", []outside.Change{outside.Claim("scope", "contacts.write")}, 403},
		{"RFC 6749 §3.3: as the start of another", "", []outside.Change{outside.Claim("scope", "contacts.read.all")}, 403},
		{"RFC 6749 §3.3: in another case", "", []outside.Change{outside.Claim("scope", "Contacts.Read")}, 403},
		{"no scope at all", "", []outside.Change{without}, 403},
		{"an empty scope", "", []outside.Change{outside.Claim("scope", "")}, 403},
		{"scope as a list", "", []outside.Change{outside.Claim("scope", []string{"openid", "contacts.read"})}, 200},
		{"a list with both in one", "", []outside.Change{outside.Claim("scope", []string{"openid contacts.read"})}, 403},
		{"Okta: scp as a list", "", []outside.Change{without, outside.Claim("scp", []string{"contacts.read"})}, 200},
		{"Entra ID: scp as a string", "", []outside.Change{without, outside.Claim("scp", "profile contacts.read")}, 200},
		{"scp beside a scope that lacks it", "", []outside.Change{outside.Claim("scope", "openid"), outside.Claim("scp", "contacts.read")}, 403},
		{"mapped: permissions", "claims scope=permissions", []outside.Change{outside.Claim("permissions", []string{"contacts.read"})}, 200},
		{"mapped: scope no longer counts", "claims scope=permissions", nil, 403},
		{"mapped: nested", "claims scope=realm_access.roles", []outside.Change{without, outside.Claim("realm_access", map[string]any{"roles": []string{"contacts.read"}})}, 200},
		{"mapped: nested, and not there", "claims scope=realm_access.roles", []outside.Change{outside.Claim("realm_access", "contacts.read")}, 403},
		{"mapped: the exact name before the nested one", "claims scope=a.b", []outside.Change{outside.Claim("a.b", "openid"), outside.Claim("a", map[string]any{"b": "contacts.read"})}, 403},
		{"mapped: a name that is a URL", "claims scope=https://example.com/scopes", []outside.Change{outside.Claim("https://example.com/scopes", "contacts.read")}, 200},
	} {
		t.Run(test.name, func(t *testing.T) {
			e.serve(bearer("", trusting(issuer, test.line), "scopes contacts.read"))
			e.want(t, issuer.Token(test.changes...), test.status)
		})
	}
}

// Cognito's access tokens have no aud: another claim names whom they are for.
func TestCognitosTokensNameTheirClientInPlaceOfAnAudience(t *testing.T) {
	issuer := outside.New(t, outside.Options{Path: "/eu-central-1_Example", Algorithm: "RS256"})
	cognito := func(changes ...outside.Change) string {
		return issuer.Token(append([]outside.Change{
			outside.Header("typ", nil), outside.Without("aud"), outside.Claim("token_use", "access"),
			outside.Claim("client_id", "1example23456789"), outside.Claim("username", "alice"), outside.Claim("version", 2),
		}, changes...)...)
	}
	e := start(t, "issuer "+issuer.URL+" {\n\taudience 1example23456789\n\tclaims audience=client_id username=username\n}")
	e.eventually(cognito(), 200)
	e.refuses(t, []attack{
		{"another app's", cognito(outside.Claim("client_id", "another")), ""},
		{"no app's", cognito(outside.Without("client_id")), ""},
		{"an aud does not help", cognito(outside.Claim("client_id", "another"), outside.Claim("aud", "1example23456789")), ""},
		{"its ID token", cognito(outside.Claim("token_use", "id"), outside.Claim("aud", "1example23456789")), "ID token"},
	})
}

// require asks for a value of a claim, in several lines for all of them.
func TestRequireAsksForAValueOfAClaim(t *testing.T) {
	issuer := outside.New(t, outside.Options{})
	e := start(t, trusting(issuer))
	e.knows(issuer)
	for _, test := range []struct {
		name    string
		lines   []string
		changes []outside.Change
		status  int
	}{
		{"a string", []string{"require hd example.com"}, []outside.Change{outside.Claim("hd", "example.com")}, 200},
		{"another string", []string{"require hd example.com"}, []outside.Change{outside.Claim("hd", "evil.example.com")}, 403},
		{"none", []string{"require hd example.com"}, nil, 403},
		{"in another case", []string{"require hd example.com"}, []outside.Change{outside.Claim("hd", "Example.com")}, 403},
		{"one of a list", []string{"require groups admins"}, []outside.Change{outside.Claim("groups", []string{"staff", "admins"})}, 200},
		{"none of a list", []string{"require groups admins"}, []outside.Change{outside.Claim("groups", []string{"staff"})}, 403},
		{"a list in a string is not one", []string{"require groups admins"}, []outside.Change{outside.Claim("groups", "staff admins")}, 403},
		{"one of the values", []string{"require groups admins owners"}, []outside.Change{outside.Claim("groups", []string{"owners"})}, 200},
		{"all of the lines", []string{"require groups admins", "require hd example.com"}, []outside.Change{outside.Claim("groups", []string{"admins"}), outside.Claim("hd", "example.com")}, 200},
		{"one of the lines", []string{"require groups admins", "require hd example.com"}, []outside.Change{outside.Claim("groups", []string{"admins"})}, 403},
		{"two lines of one claim", []string{"require groups admins", "require groups staff"}, []outside.Change{outside.Claim("groups", []string{"admins"})}, 403},
		{"a boolean", []string{"require email_verified true"}, []outside.Change{outside.Claim("email_verified", true)}, 200},
		{"a boolean that is false", []string{"require email_verified true"}, []outside.Change{outside.Claim("email_verified", false)}, 403},
		{"a name with its prefix", []string{"require username " + issuer.URL + "#alice"}, nil, 200},
		{"a name without its prefix", []string{"require username alice"}, nil, 403},
		{"a subject without its prefix", []string{"require sub alice"}, nil, 403},
		{"a client without its prefix", []string{"require client_id phone"}, []outside.Change{outside.Claim("client_id", "phone")}, 403},
		{"a client with its prefix", []string{"require client_id " + issuer.URL + "#phone"}, []outside.Change{outside.Claim("client_id", "phone")}, 200},
		{"nested", []string{"require realm_access.roles admin"}, []outside.Change{outside.Claim("realm_access", map[string]any{"roles": []string{"admin"}})}, 200},
		{"a name that is a URL", []string{"require https://example.com/roles admin"}, []outside.Change{outside.Claim("https://example.com/roles", []string{"admin"})}, 200},
		{"the exact name before the nested one", []string{"require a.b admin"}, []outside.Change{outside.Claim("a.b", "user"), outside.Claim("a", map[string]any{"b": "admin"})}, 403},
		{"the exact name before the nested one, where it is empty", []string{"require a.b admin"}, []outside.Change{outside.Claim("a.b", ""), outside.Claim("a", map[string]any{"b": "admin"})}, 403},
		{"the exact name before the nested one, where it is null", []string{"require a.b admin"}, []outside.Change{outside.Claim("a.b", json.RawMessage("null")), outside.Claim("a", map[string]any{"b": "admin"})}, 403},
		{"the exact name within an object, where it is empty", []string{"require o.a.b admin"}, []outside.Change{outside.Claim("o", map[string]any{"a.b": "", "a": map[string]any{"b": "admin"}})}, 403},
		{"an object is not a value", []string{"require groups admins"}, []outside.Change{outside.Claim("groups", map[string]any{"admins": true})}, 403},
	} {
		t.Run(test.name, func(t *testing.T) {
			e.serve(bearer("", append([]string{trusting(issuer)}, test.lines...)...))
			e.want(t, issuer.Token(test.changes...), test.status)
		})
	}
}

// Tokens of clients that act for themselves pass only where the config says so.
func TestTokensOfOutsideClientsNeedClients(t *testing.T) {
	issuer := outside.New(t, outside.Options{})
	plain := outside.Header("typ", "JWT")
	tokens := map[string]string{
		"RFC 9068 §2.2: sub is client_id":    issuer.Token(outside.OfClient("machine")),
		"sub is azp":                         issuer.Token(plain, outside.Without("client_id"), outside.Claim("sub", "machine"), outside.Claim("azp", "machine")),
		"Auth0: gty":                         issuer.Token(plain, outside.Claim("sub", "machine@clients"), outside.Claim("azp", "machine"), outside.Claim("gty", "client-credentials")),
		"Entra ID: idtyp":                    issuer.Token(plain, outside.Claim("idtyp", "app")),
		"Keycloak: a service account's name": issuer.Token(plain, outside.Claim("client_id", "machine"), outside.Claim("preferred_username", "service-account-machine")),
	}
	e := start(t, trusting(issuer))
	e.knows(issuer)
	for name, token := range tokens {
		t.Run(name+", by default", func(t *testing.T) {
			if a := e.get("/contacts", token); a.Status == 200 {
				t.Error("it passes")
			}
		})
	}
	e.serve(bearer("", trusting(issuer), "clients", copied))
	for name, token := range tokens {
		t.Run(name+", with clients", func(t *testing.T) {
			e.app.Take()
			e.get("/contacts", token).Want(t, 200, "")
			received := e.app.One(t)
			received.WantIdentity(t, "X-User", "")
			received.WantIdentity(t, "X-Name", "")
			received.WantIdentity(t, "X-Issuer", issuer.URL)
		})
	}
	e.refuses(t, []attack{{
		"Keycloak: a user who was let choose the name of a service account", issuer.Token(plain, outside.Claim("preferred_username", "service-account-machine")), "service account",
	}})
	e.says(t, issuer.Token(outside.OfClient("machine")), "client|"+issuer.URL+"|||"+issuer.URL+"#machine|contacts.read")
	e.serve(bearer("", trusting(issuer), "clients client:", copied))
	e.app.Take()
	e.get("/contacts", issuer.Token(outside.OfClient("machine"))).Want(t, 200, "")
	e.app.One(t).WantIdentity(t, "X-User", "client:"+issuer.URL+"#machine")
}

// optional, shadow and forward_token mean for outside tokens what they do for own ones.
func TestTheOtherSettingsHoldForOutsideTokens(t *testing.T) {
	issuer := outside.New(t, outside.Options{})
	e := start(t, trusting(issuer))
	e.knows(issuer)
	good, bad := issuer.Token(), issuer.Token(outside.Claim("aud", "x"))

	e.serve(bearer("", trusting(issuer), "optional", copied))
	if a := e.Do(e.Request("GET", "/contacts", "", "X-User: root")); a.Status != 200 {
		t.Errorf("anonymous: %d", a.Status)
	}
	e.app.One(t).WantIdentity(t, "X-User", "")
	e.want(t, bad, 401)
	e.want(t, good, 200)

	e.serve(bearer("", trusting(issuer), "shadow", copied))
	e.want(t, bad, 200)
	if would := e.Logged(func(line map[string]any) bool { return line["msg"] == "request would be refused" }); len(would) != 1 {
		t.Errorf("%d lines of what would be refused", len(would))
	}
	e.app.Take()
	e.get("/contacts", good, "X-User: root").Want(t, 200, "")
	e.app.One(t).WantIdentity(t, "X-User", "")

	e.serve(bearer("", trusting(issuer), "forward_token", copied))
	e.app.Take()
	e.get("/contacts", good).Want(t, 200, "")
	received := e.app.One(t)
	received.WantIdentity(t, "Authorization", "Bearer "+good)
	received.WantIdentity(t, "X-User", issuer.URL+"#alice")

	e.serve(bearer("", trusting(issuer), "open /healthz", copied))
	if a := e.Do(e.Request("GET", "/healthz", "", "X-User: root")); a.Status != 200 {
		t.Errorf("an open path: %d", a.Status)
	}
	e.app.One(t).WantIdentity(t, "X-User", "")
}

// The scheme, the place and the number of credentials are those of RFC 6750 for outside
// tokens too.
func TestRFC6750OutsideTokensHaveOnePlace(t *testing.T) {
	issuer := outside.New(t, outside.Options{})
	e := start(t, trusting(issuer))
	e.knows(issuer)
	token := issuer.Token()
	for name, test := range map[string]struct {
		path    string
		headers []string
		status  int
	}{
		"§2.1: bearer in another case":             {"/contacts", []string{"Authorization: bEARER " + token}, 200},
		"§2.1: another scheme":                     {"/contacts", []string{"Authorization: Token " + token}, 401},
		"RFC 9449 §7.1: DPoP":                      {"/contacts", []string{"Authorization: DPoP " + token}, 401},
		"§2.3: in the query":                       {"/contacts?access_token=" + token, nil, 400},
		"RFC 7515 §7.2: in the JSON serialization": {"/contacts", []string{"Authorization: Bearer " + asJSON(token)}, 400},
		"§2: two of them":                          {"/contacts", []string{"Authorization: Bearer " + token, "Authorization: Bearer " + token}, 400},
		"in a cookie":                              {"/contacts", []string{"Cookie: access_token=" + token}, 401},
		"in a header of another's name":            {"/contacts", []string{"X-Access-Token: " + token}, 401},
	} {
		t.Run(name, func(t *testing.T) {
			if a := e.Do(e.Request("GET", test.path, "", test.headers...)); a.Status != test.status {
				t.Errorf("got %d, want %d", a.Status, test.status)
			}
		})
	}
}
