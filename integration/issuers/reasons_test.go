package issuers

import (
	"strings"
	"testing"

	"github.com/caddygrant/caddy-grant/integration/internal/harness"
	"github.com/caddygrant/caddy-grant/integration/internal/outside"
)

// What cannot be read of a token is said by itself, and not that it names no issuer, or
// that it is of another kind, whoever else's tokens are taken.
func TestTheReasonOfATokenThatCannotBeReadIsThatItCannot(t *testing.T) {
	issuer, other := outside.New(t, outside.Options{}), outside.New(t, outside.Options{})
	const (
		long   = "it is longer than 16 KiB, the maximum for a token of an outside issuer"
		claims = "its claims are not a JSON object, or a claim is duplicated"
		header = "a member of its header is duplicated or has the wrong type"
	)
	more := func(text string) outside.Change { return func(t *outside.Token) { t.More = text } }
	attacks := []attack{
		{"17 KB of groups", issuer.Token(outside.Claim("groups", strings.Repeat("g", 12<<10))), long},
		{"20 KB of nothing", strings.Repeat("A", 20_000), long},
		{"two iss", issuer.Token(more(`,"iss":"` + issuer.URL + `"`)), claims},
		{"two sub", issuer.Token(more(`,"sub":"bob"`)), claims},
		{"two of a claim within another", issuer.Token(more(`,"x":{"a":1,"a":2}`)), claims},
		{"invalid UTF-8", issuer.Token(more(`,"x":"` + "\xff" + `"`)), claims},
		{"text after the claims", issuer.Token(more(`}{"x":1`)), claims},
		{"claims that are a list", issuer.Token(func(t *outside.Token) { t.Payload = `[]` }), claims},
		{"a kid that is a number", issuer.Token(outside.Header("kid", 5)), header},
		{"a typ that is a number", issuer.Token(outside.Header("typ", 5)), header},
		{"an alg that is a list", issuer.Token(outside.Header("alg", []string{"ES256"})), header},
		{"parts that are not those of a token", "AAAA.AAAA.AAAA", ""},
	}
	for name, lines := range map[string][]string{
		"issuers alone":     {bearer("", trusting(issuer), trusting(other))},
		"issuers_only":      {ownServer, bearer("", trusting(issuer), "issuers_only")},
		"beside own tokens": {ownServer, bearer("", trusting(issuer))},
	} {
		t.Run(name, func(t *testing.T) {
			e := startSite(t, lines...)
			e.knows(issuer)
			e.refuses(t, attacks)
		})
	}
}

// A token of the own server may have 8 KiB.
func TestTheReasonOfATokenThatIsTooLongForTheOwnServer(t *testing.T) {
	s := startSite(t, ownServer, bearer(""))
	s.refuses(t, []attack{
		{"9 KiB", strings.Repeat("A", 9<<10), "it is longer than 8 KiB, the maximum for a token of this server"},
		{"17 KiB", strings.Repeat("A", 17<<10), "it is longer than 8 KiB, the maximum for a token of this server"},
	})
}

// RFC 8812 has it.
func TestAnAlgorithmThatIsNotSupportedIsSaidToBe(t *testing.T) {
	app := harness.NewApp(t)
	err := harness.NewSite(t).TryReload("", app.In(site(bearer("", "issuer https://id.example.com {\n\taudience a\n\talgorithms ES256K\n}"))))
	harness.WantLoadError(t, err, "ES256K is not a supported algorithm: use some of")
}

// A 503 and an answer to a request without a token have no error code, and the log has none
// then.
func TestTheLogHasAnErrorCodeWhereTheAnswerHasOne(t *testing.T) {
	issuer := outside.New(t, outside.Options{})
	issuer.Down()
	e := start(t, trusting(issuer))
	for token, code := range map[string]any{issuer.Token(): nil, "": nil, "garbage": "invalid_token"} {
		if token == "" {
			e.Do(e.Request("GET", "/contacts", ""))
		} else {
			e.get("/contacts", token)
		}
		if line := e.LastRefusal(); line["status"] == nil || line["oauth_error"] != code {
			t.Errorf("want the code %v: %v", code, line)
		} else if _, there := line["oauth_error"]; there != (code != nil) {
			t.Errorf("an empty code is logged: %v", line)
		}
	}
}
