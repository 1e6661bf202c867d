package issuers

import (
	"strings"
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
	"github.com/caddygrant/caddy-grant/integration/internal/outside"
)

// Each path names the issuers that it takes. An issuer is defined once.
func TestAPathNamesTheIssuersThatItTakes(t *testing.T) {
	staff, partners := outside.New(t, outside.Options{}), outside.New(t, outside.Options{})
	e := startSite(t, ownServer,
		bearer("/both/*", trusting(staff), trusting(partners)),
		bearer("/staff/*", "issuer "+staff.URL, "issuers_only"),
		bearer("/partners/*", "issuer "+partners.URL),
		bearer("/own/*"),
	)
	for _, issuer := range []*outside.Issuer{staff, partners} {
		harness.Eventually(t, "the keys are there", func() bool { return e.get("/both/x", issuer.Token()).Status == 200 })
	}
	own := e.Token("alice")
	for path, want := range map[string][3]int{
		"/both/x": {200, 200, 200}, "/staff/x": {200, 401, 401}, "/partners/x": {401, 200, 200}, "/own/x": {401, 401, 200},
	} {
		for i, token := range []string{staff.Token(), partners.Token(), own} {
			if a := e.get(path, token); a.Status != want[i] {
				t.Errorf("%s: token %d of staff, partners and the own server is answered %d, want %d", path, i, a.Status, want[i])
			}
		}
	}
}

// A block at another path may judge the same issuer's tokens by other settings, with the
// same keys.
func TestTwoPathsMayTakeOneIssuerDifferently(t *testing.T) {
	issuer := outside.New(t, outside.Options{})
	e := startSite(t,
		bearer("/a/*", "issuer "+issuer.URL+" {\n\taudience a\n}"),
		bearer("/b/*", "issuer "+issuer.URL+" {\n\taudience b\n}"),
	)
	a, b := issuer.Token(outside.Claim("aud", "a")), issuer.Token(outside.Claim("aud", "b"))
	harness.Eventually(t, "the keys are there", func() bool { return e.get("/a/x", a).Status == 200 })
	for range 2 { // the second time they are remembered
		e.get("/b/x", a).Want(t, 401, "")
		e.get("/a/x", b).Want(t, 401, "")
		e.get("/b/x", b).Want(t, 200, "")
		e.get("/a/x", a).Want(t, 200, "")
	}
	if n := issuer.Fetches(outside.KeySet); n != 1 {
		t.Errorf("the keys were asked for %d times", n)
	}
}

// The audience of a check is about own tokens, and that of an issuer about its tokens.
func TestTheAudienceOfAnIssuerIsSetInItsBlock(t *testing.T) {
	issuer := outside.New(t, outside.Options{})
	e := startSite(t, ownServer, bearer("", trusting(issuer), "audience https://orders.example.com", copied))
	e.knows(issuer)
	e.want(t, issuer.Token(), 200)
	e.want(t, issuer.Token(outside.Claim("aud", "https://orders.example.com")), 401)
	if line := e.LastRefusal(); line["reason"] != "it is for another audience" || line["issuer"] != issuer.URL {
		t.Errorf("logged %v", line)
	}
}

// With issuers alone no token_endpoint is needed, and none is asked.
func TestIssuersAloneNeedNoTokenEndpoint(t *testing.T) {
	issuer := outside.New(t, outside.Options{})
	for _, lines := range [][]string{{trusting(issuer)}, {trusting(issuer), "issuers_only"}} {
		e := start(t, lines...)
		e.knows(issuer)
		e.want(t, issuer.Token(), 200)
		if found := e.Logged(func(line map[string]any) bool { return line["msg"] == "password checks are bounded" }); len(found) != 0 {
			t.Errorf("there are no passwords, but the log says %v", found)
		}
	}
}

// Names without a prefix among several issuers are told of at start, where no header is
// made of them: placeholders are.
func TestNamesOfSeveralIssuersWithoutAPrefixAreWarnedOf(t *testing.T) {
	issuer := outside.New(t, outside.Options{})
	warned := func(lines ...string) bool {
		e := startSite(t, lines...)
		return len(e.Logged(func(line map[string]any) bool {
			return line["msg"] == "users of an outside issuer have no prefix, and tokens of others are taken too" && line["issuer"] == issuer.URL
		})) > 0
	}
	if !warned(ownServer, bearer("", trusting(issuer, "username_prefix -"))) {
		t.Error("beside own tokens there is no warning")
	}
	for _, lines := range [][]string{
		{ownServer, bearer("", trusting(issuer))},
		{ownServer, bearer("", trusting(issuer, "username_prefix -"), "issuers_only")},
		{bearer("", trusting(issuer, "username_prefix -"))},
	} {
		if warned(lines...) {
			t.Errorf("%q: there is a warning", lines)
		}
	}
}

// A domain of addresses tells no users apart, so it may be asked for also where an address
// names the users of one of several issuers.
func TestADomainOfAddressesMayBeAskedForOfSeveralIssuers(t *testing.T) {
	staff, partners := outside.New(t, outside.Options{Path: "/staff"}), outside.New(t, outside.Options{Path: "/partners"})
	named := trusting(staff, "claims username=email", "username_prefix dex:")
	address := func(issuer *outside.Issuer, address string) string {
		return issuer.Token(outside.Claim("email", address), outside.Claim("email_verified", true))
	}
	e := startSite(t, ownServer, bearer("", named, trusting(partners), copied))
	e.eventually(address(staff, "alice@example.com"), 200)
	e.knows(partners)
	for name, lines := range map[string][]string{
		"beside the own server":   {ownServer, bearer("", named, "require email *@example.com *@example.org", copied)},
		"beside another issuer":   {bearer("", named, trusting(partners), "require email *@example.com", copied)},
		"with a prefix of a name": {bearer("", trusting(staff, "claims username=email", "username_prefix dex-"), trusting(partners, "username_prefix p-"), "require username *@example.com", copied)},
	} {
		t.Run(name, func(t *testing.T) {
			e.serve(lines...)
			e.want(t, address(staff, "alice@example.com"), 200)
			e.want(t, address(staff, "alice@evil.example"), 403)
		})
	}
}

// issuers_only takes no own token, although there is a server.
func TestIssuersOnlyTakesNoOwnToken(t *testing.T) {
	issuer := outside.New(t, outside.Options{})
	e := startSite(t, ownServer, bearer("", trusting(issuer), "issuers_only"))
	e.knows(issuer)
	e.want(t, e.Token("alice"), 401)
	e.want(t, issuer.Token(), 200)
}

// What is not right in a config is refused with the reason.
func TestConfigsThatAreNotRightAreRefused(t *testing.T) {
	staff, partners := outside.New(t, outside.Options{Path: "/staff"}), outside.New(t, outside.Options{Path: "/partners"})
	block := func(lines ...string) string {
		return "issuer https://id.example.com {\n\t" + strings.Join(lines, "\n\t") + "\n}"
	}
	const audience = "audience https://contacts.example.com"
	tests := []struct {
		name  string
		lines []string
		says  []string
	}{
		{"no audience", []string{bearer("", block())}, []string{"audience"}},
		{"no audience anywhere", []string{bearer("", "issuer https://id.example.com")}, []string{"audience"}},
		{"an empty audience", []string{bearer("", block(`audience ""`))}, []string{"audience"}},
		{"RFC 8725 §2.1: HS256", []string{bearer("", block(audience, "algorithms HS256"))}, []string{"HS256"}},
		{"RFC 8725 §2.1: HS512 beside another", []string{bearer("", block(audience, "algorithms ES256 HS512"))}, []string{"HS512"}},
		{"RFC 8725 §3.2: none", []string{bearer("", block(audience, "algorithms none"))}, []string{"none"}},
		{"an algorithm in another case", []string{bearer("", block(audience, "algorithms es256"))}, []string{"ES256"}},
		{"plain HTTP", []string{bearer("", "issuer http://id.example.com {\n"+audience+"\n}")}, []string{"https"}},
		{"keys by plain HTTP", []string{bearer("", block(audience, "jwks_url http://id.example.com/keys"))}, []string{"jwks_url", "https"}},
		{"keys by plain HTTP, with a literal brace", []string{bearer("", block(audience, `jwks_url http://id.example.com/\{keys`))}, []string{"jwks_url", "https"}},
		{"an issuer with a query", []string{bearer("", "issuer https://id.example.com/?x=y {\n"+audience+"\n}")}, []string{"query"}},
		{"an issuer that is not a URL", []string{bearer("", "issuer id.example.com {\n"+audience+"\n}")}, []string{"issuer"}},
		{"an issuer with a password", []string{bearer("", "issuer https://a:b@id.example.com {\n"+audience+"\n}")}, []string{"password"}},
		{"a duplicate issuer", []string{bearer("", trusting(staff), trusting(staff))}, []string{staff.URL, "before"}},
		{"several and one has no prefix, with sub copied", []string{bearer("", trusting(staff, "username_prefix -"), trusting(partners), copied)}, []string{"username_prefix"}},
		{"the own server and an issuer without a prefix, with sub copied", []string{ownServer, bearer("", trusting(staff, "username_prefix -"), copied)}, []string{"username_prefix"}},
		{"the own server and an issuer without a prefix, with username copied", []string{ownServer, bearer("", trusting(staff, "username_prefix -"), "copy_claims username>X-Name")}, []string{"username_prefix"}},
		{"several without a prefix, with client_id copied", []string{ownServer, bearer("", trusting(staff, "username_prefix -"), "copy_claims client_id>X-Client")}, []string{"client_id", "username_prefix"}},
		{"several without a prefix, with client_id required", []string{ownServer, bearer("", trusting(staff, "username_prefix -"), "require client_id phone")}, []string{"require client_id", "username_prefix"}},
		{"prefixes that differ in case alone", []string{bearer("", trusting(staff, "username_prefix staff:"), trusting(partners, "username_prefix STAFF:"))}, []string{"begin alike"}},
		{"several without a prefix, with the claim behind username copied", []string{ownServer, bearer("", trusting(staff, "username_prefix -", "claims username=email"), "copy_claims email>X-Name")}, []string{"email", "without a prefix"}},
		{"the claim behind username copied, beside a domain that is required", []string{ownServer, bearer("", trusting(staff, "claims username=email"), "require email *@example.com", "copy_claims email>X-Name")}, []string{"copy_claims email>X-Name", "without a prefix"}},
		{"an address among domains of the claim behind username", []string{ownServer, bearer("", trusting(staff, "claims username=email"), "require email *@example.com bob@example.org")}, []string{"require email", "without a prefix"}},
		{"a domain of names with a prefix that is in no address", []string{bearer("", trusting(staff, "claims username=email", "username_prefix dex:"), "require username *@example.com")}, []string{"require username *@example.com", `"dex:"`, "use the claim email"}},
		{"a domain of subjects with the prefix of an issuer", []string{ownServer, bearer("", trusting(staff), "require sub alice *@example.com")}, []string{"require sub *@example.com", "use the claim email"}},
		{"a domain of clients with the prefix of an issuer", []string{bearer("", trusting(staff), "clients", "require client_id *@example.com")}, []string{"require client_id *@example.com", "use the claim email"}},
		{"a domain of names of an issuer that is defined elsewhere", []string{ownServer, bearer("/staff/*", trusting(staff)), bearer("", "issuer "+staff.URL, "require username *@example.com")}, []string{"require username *@example.com", "use the claim email"}},
		{"a prefix that begins another", []string{bearer("", trusting(staff, "username_prefix s"), trusting(partners, "username_prefix staff:"), copied)}, []string{"prefix"}},
		{"the same prefix", []string{bearer("", trusting(staff, "username_prefix x:"), trusting(partners, "username_prefix x:"), copied)}, []string{"prefix"}},
		{"a prefix that no header can have", []string{bearer("", trusting(staff, "username_prefix ü:"))}, []string{"username_prefix", "ASCII"}},
		{"a prefix of clients that no header can have", []string{bearer("", trusting(staff), "clients ü:")}, []string{"clients", "ASCII"}},
		{"the own issuer as an outside one", []string{ownServer, bearer("", "issuer https://api.example.com {\n"+audience+"\n}")}, []string{"https://api.example.com"}},
		{"issuers_only without an issuer", []string{ownServer, bearer("", "issuers_only")}, []string{"issuers_only"}},
		{"an audience of the check with issuers_only", []string{ownServer, bearer("", trusting(staff), "issuers_only", "audience admin-api")}, []string{"audience: it is about the tokens and keys of a token_endpoint", "into the block of each issuer"}},
		{"an audience of the check and an issuer that is defined elsewhere", []string{bearer("", trusting(staff)), bearer("/admin/*", "issuer "+staff.URL, "issuers_only", "audience admin-api")}, []string{"audience: it is about"}},
		{"an audience of the check without a token_endpoint", []string{bearer("", trusting(staff), "audience admin-api")}, []string{"audience: it is about"}},
		{"an unknown line", []string{bearer("", block(audience, "audiences x"))}, []string{"audiences"}},
		{"two max_lifetime", []string{bearer("", block(audience, "max_lifetime 1h", "max_lifetime 2h"))}, []string{"max_lifetime"}},
		{"a max_lifetime that is nothing", []string{bearer("", block(audience, "max_lifetime 0s"))}, []string{"max_lifetime"}},
		{"id_tokens with an argument", []string{bearer("", block(audience, "id_tokens yes"))}, []string{"id_tokens"}},
		{"a claim that is unknown", []string{bearer("", block(audience, "claims role=roles"))}, []string{"role"}},
		{"a claim without a name", []string{bearer("", block(audience, "claims username="))}, []string{"username"}},
		{"a require without a value", []string{bearer("", trusting(staff), "require groups")}, []string{"require"}},
	}
	app := harness.NewApp(t)
	s := harness.NewSite(t)
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			harness.WantLoadError(t, s.For(t).TryReload("", app.In(site(test.lines...))), test.says...)
		})
	}
	// the same without what was wrong
	s.Reload("", app.In(site(bearer("", trusting(staff, "username_prefix s:"), trusting(partners, "username_prefix staff:"), copied))))
	s.Reload("", app.In(site(ownServer, bearer("", trusting(staff, "username_prefix -")))))
}

// A URL that is refused may have a password or a key.
func TestAURLThatIsRefusedIsNotRepeated(t *testing.T) {
	app := harness.NewApp(t)
	s := harness.NewSite(t)
	s.Write("password", "https://a:hunter2@id.example.com")
	s.Write("query", "https://id.example.com/?key=hunter2")
	for url, says := range map[string]string{
		"https://a:hunter2@id.example.com":    "password",
		"https://id.example.com/?key=hunter2": "query",
		"{file.%DIR%/password}":               "password",
		"{file.%DIR%/query}":                  "query",
	} {
		for _, block := range []string{"", " {\n\taudience a\n}", " {\n\taudience a\n\tjwks_url https://a:hunter2@id.example.com/keys\n}"} {
			err := s.TryReload("", app.In(site(bearer("", "issuer "+url+block))))
			harness.WantLoadError(t, err, "issuer: it is not the URL of an issuer", says)
			if strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), ": issuer: issuer:") {
				t.Errorf("%s: %v", url, err)
			}
		}
	}
	err := s.TryReload("", app.In(site(bearer("", "issuer https://id.example.com {\n\taudience a\n\tjwks_url https://a:hunter2@id.example.com/keys\n}"))))
	if harness.WantLoadError(t, err, "jwks_url", "password"); strings.Contains(err.Error(), "hunter2") {
		t.Error(err)
	}
}
