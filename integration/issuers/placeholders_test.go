package issuers

import (
	"strings"
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
	"github.com/caddygrant/caddy-grant/integration/internal/outside"
)

// What claims are compared with, and prefixes, may be in the environment or in a file.
func TestPlaceholdersOfRulesAndPrefixesAreReplacedAtStart(t *testing.T) {
	t.Setenv("ISSUERS_TEAM", "staff")
	t.Setenv("ISSUERS_DOMAIN", "example.com")
	t.Setenv("ISSUERS_ADDRESSES", "*@example.com")
	t.Setenv("ISSUERS_PREFIX", "machine:")
	t.Setenv("ISSUERS_NONE", "-")
	issuer := outside.New(t, outside.Options{})
	e := start(t, trusting(issuer))
	e.knows(issuer)
	e.Write("team", "staff\n")

	staff, literal := issuer.Token(outside.Claim("groups", []string{"staff"})), issuer.Token(outside.Claim("groups", []string{"{env.ISSUERS_TEAM}"}))
	for _, value := range []string{"{env.ISSUERS_TEAM}", "{file.%DIR%/team}", "admins {env.ISSUERS_TEAM}"} {
		t.Run("require groups "+value, func(t *testing.T) {
			e.serve(bearer("", trusting(issuer), "require groups "+value))
			e.want(t, staff, 200)
			e.want(t, literal, 403)
		})
	}
	for _, value := range []string{"*@{env.ISSUERS_DOMAIN}", "{env.ISSUERS_ADDRESSES}"} {
		t.Run("require email "+value, func(t *testing.T) {
			e.serve(ownServer, bearer("", trusting(issuer, "claims username=email"), "require email "+value))
			e.want(t, issuer.Token(outside.Claim("email", "alice@example.com")), 200)
			e.want(t, issuer.Token(outside.Claim("email", "alice@example.org")), 403)
		})
	}
	machine := issuer.Token(outside.OfClient("machine"))
	for clients, want := range map[string]string{
		"clients {env.ISSUERS_PREFIX}": "machine:" + issuer.URL + "#machine", "clients {env.ISSUERS_NONE}": "", "clients -": "",
	} {
		t.Run(clients, func(t *testing.T) {
			e.serve(bearer("", trusting(issuer), clients, copied))
			e.app.Take()
			e.get("/contacts", machine).Want(t, 200, "")
			e.app.One(t).WantIdentity(t, "X-User", want)
		})
	}
	t.Run("username_prefix that is none", func(t *testing.T) {
		e.serve(bearer("", trusting(issuer, "username_prefix {env.ISSUERS_NONE}"), copied))
		e.app.Take()
		e.get("/contacts", issuer.Token()).Want(t, 200, "")
		e.app.One(t).WantIdentity(t, "X-User", "alice")
	})
}

// A placeholder that cannot be replaced at a start is not taken literally.
func TestPlaceholdersThatAreNotReplacedAreRefused(t *testing.T) {
	t.Setenv("ISSUERS_CLAIM", "email")
	t.Setenv("ISSUERS_NONE", "-")
	t.Setenv("ISSUERS_ADDRESS", "alice@example.com")
	issuer := outside.New(t, outside.Options{})
	app := harness.NewApp(t)
	s := harness.NewSite(t)
	const inName = "placeholders are not replaced in the name of a claim"
	for _, test := range []struct {
		name  string
		lines []string
		says  []string
	}{
		{"in the claim of username", []string{bearer("", trusting(issuer, "claims username={env.ISSUERS_CLAIM}"))}, []string{"claims", inName}},
		{"in the claim of scope", []string{bearer("", trusting(issuer, "claims scope=a.{env.ISSUERS_CLAIM}"))}, []string{"claims", inName}},
		{"in the claim of audience", []string{bearer("", trusting(issuer, "claims audience={file./a}"))}, []string{"claims", inName}},
		{"in the claim of a header", []string{bearer("", trusting(issuer), "copy_claims {env.ISSUERS_CLAIM}>X-Email")}, []string{"copy_claims", inName}},
		{"in the claim of a rule", []string{bearer("", trusting(issuer), "require {env.ISSUERS_CLAIM} alice@example.com")}, []string{"require", inName}},
		{"a variable that is not set", []string{bearer("", trusting(issuer), "require groups {env.ISSUERS_UNSET}")}, []string{"require groups", "{env.ISSUERS_UNSET} is not set"}},
		{"a prefix that is not set", []string{bearer("", trusting(issuer), "clients {env.ISSUERS_UNSET}")}, []string{"clients", "{env.ISSUERS_UNSET} is not set"}},
		{"a part of the request in a rule", []string{bearer("", trusting(issuer), "require groups {http.request.host}")}, []string{"require groups", "{http.request.host}"}},
		{"a part of the request after a domain", []string{bearer("", trusting(issuer), "require email *@{host}")}, []string{"require email", "{http.request.host}"}},
		{"a part of the request in a prefix of clients", []string{bearer("", trusting(issuer), "clients {http.request.host}:")}, []string{"clients", "{http.request.host}"}},
		{"a part of the request in a prefix", []string{bearer("", trusting(issuer, "username_prefix {http.request.host}:"))}, []string{"username_prefix", "{http.request.host}"}},
		{"no prefix among several issuers", []string{ownServer, bearer("", trusting(issuer, "username_prefix {env.ISSUERS_NONE}"), copied)}, []string{"no username_prefix"}},
		{"an address of several issuers", []string{ownServer, bearer("", trusting(issuer, "claims username=email"), "require email {env.ISSUERS_ADDRESS}")}, []string{"require email", "without a prefix"}},
		{"a value that is another already", []string{bearer("", trusting(issuer), "require email {env.ISSUERS_ADDRESS} alice@example.com")}, []string{"require email", "duplicate value"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			lines := strings.Join(test.lines, "\n\t")
			harness.WantLoadError(t, s.For(t).TryReload("", app.In(site(lines))), test.says...)
		})
	}
}
