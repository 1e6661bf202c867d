package explain

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/caddygrant/caddy-grant/internal/adminapi"
	"github.com/caddygrant/caddy-grant/internal/bearer"
	"github.com/caddygrant/caddy-grant/internal/clock"
	"github.com/caddygrant/caddy-grant/internal/issuer"
)

// Outside explains the token of an outside issuer, which [issuer.Issuer] judges.
type Outside struct {
	// Issuers are the one issuer as the bearer_auths of a config take it. At least one.
	Issuers []*issuer.Issuer

	// Offline is without the keys of the issuer.
	Offline bool
}

// Token explains what a bearer_auth says of a token that asks for these scopes, and for
// this audience too if the request has one. Where several take its tokens, it is the
// one that says most, and whether others refuse the token.
func (o *Outside) Token(ctx context.Context, request adminapi.ExplainRequest) (best adminapi.Explanation) {
	var refused adminapi.CheckResult // by one of them
	for i, one := range o.Issuers {
		f := &issuerFacts{
			now: clock.Now(), settings: one.Settings(), audience: request.Audience, scopes: request.Scopes,
			decoded: Decode(request.Token), offline: o.Offline,
		}
		x := f.explanation(f.check(ctx, one, request.Token))
		if i == 0 || x.Active && !best.Active || x.Active == best.Active && len(x.Checks) > len(best.Checks) {
			best = x
		}
		if last := x.Checks[len(x.Checks)-1]; !x.Active && refused.Check != checkAudience {
			refused = last
		}
	}
	i := slices.IndexFunc(best.Checks, func(c adminapi.CheckResult) bool { return c.Check == checkIssuer })
	switch {
	case !best.Active:
	case refused.Check == checkAudience:
		best.Checks[i].Found += "; other bearer_auths that take its tokens refuse this one: name what they ask for with --audience"
	case refused.Check != "":
		best.Checks[i].Found += "; another bearer_auth that takes its tokens refuses this one: " + refused.Found
	}
	return best
}

// issuerFacts are what the words about an outside token are made of.
type issuerFacts struct {
	now      time.Time
	settings issuer.Settings
	audience []string // that is also asked for
	scopes   []string // that are asked for
	decoded  Decoded
	offline  bool
	token    *issuer.Token // nil if it could not be read, or was not verified
}

// seconds is a claim that is a date, 0 if there is none.
func (f *issuerFacts) seconds(claim string) int64 {
	number, _ := f.decoded.Claims[claim].(json.Number)
	value, err := number.Float64()
	if err != nil || math.Abs(value) > 1<<53 {
		return 0
	}
	return int64(math.Floor(value))
}

// check is what is wrong with a token, or nil.
func (f *issuerFacts) check(ctx context.Context, one *issuer.Issuer, raw string) (err error) {
	var read *issuer.Token
	if f.offline {
		if read, err = one.ReadUnverified(raw); err != nil {
			return err
		}
	} else {
		read, err = one.Check(ctx, raw)
		f.token = read
		if err != nil {
			return err
		}
	}
	demands := bearer.Demands{Scopes: f.scopes}
	if refusal := demands.Admits(bearer.Named{Identity: read}, f.audience); refusal != nil {
		return refusal
	}
	return nil
}

// explanation goes through the checks up to the one to which the reason belongs.
func (f *issuerFacts) explanation(err error) adminapi.Explanation {
	x := adminapi.Explanation{Active: err == nil, Kind: kindUnknown, Checks: []adminapi.CheckResult{}}
	if f.token != nil {
		x.Kind, x.Claims = kindAccessToken, f.decoded.Claims
	}
	failed := issuerRefusal{}
	if err != nil {
		if failed = issuerRefusals[reasonWithoutClaim(err)]; failed.check == "" {
			failed.check = checkClaims
		}
	}
	for _, c := range issuerChecks {
		switch {
		case c.name == failed.check:
			return withCheck(x, adminapi.CheckResult{Check: c.name, Found: err.Error() + causeOf(err), Remedy: failed.remedy})
		case f.offline && slices.Contains([]string{checkKeys, checkKey, checkSignature}, c.name):
			x = withCheck(x, adminapi.CheckResult{Check: c.name, Skipped: true, Found: "only a running Caddy can tell: it fetches the keys of the issuer"})
		default:
			x = withCheck(x, adminapi.CheckResult{Check: c.name, Passed: true, Found: c.passed(f)})
		}
	}
	return x
}

func withCheck(x adminapi.Explanation, result adminapi.CheckResult) adminapi.Explanation {
	x.Checks = append(x.Checks, result)
	return x
}

// issuerChecks are in the order in which they are made.
var issuerChecks = []struct {
	name   string
	passed func(*issuerFacts) string
}{
	{checkFormat, func(*issuerFacts) string { return "it is a signed token (JWT)" }},
	{checkIssuer, func(f *issuerFacts) string {
		return "iss is " + shown(f.settings.URL) + ", an outside issuer that the config takes"
	}},
	{checkKeys, func(*issuerFacts) string { return "the keys of the issuer were fetched" }},
	{checkKey, func(f *issuerFacts) string {
		return fmt.Sprintf("the issuer has the key %s, for %s", word(f.decoded.kid()), word(f.decoded.alg()))
	}},
	{checkSignature, func(*issuerFacts) string { return "it verifies with that key" }},
	{checkType, func(f *issuerFacts) string {
		if f.settings.IDTokens {
			return "it is an access token or an ID token, and id_tokens is set"
		}
		return "nothing in it says that it is an ID token, a refresh token or a logout token"
	}},
	{checkClaims, func(*issuerFacts) string { return "all claims that are needed are there" }},
	{checkAudience, func(f *issuerFacts) string {
		return word(f.settings.AudienceClaim) + " has " + oneOf(slices.Concat(f.settings.Audience, f.audience)) + ", which is asked for"
	}},
	{checkUser, func(f *issuerFacts) string {
		switch {
		case f.token == nil:
			return "it says whose it is"
		case f.token.IsClient():
			return fmt.Sprintf("the client %s got it for itself; a bearer_auth lets it pass only where it says so, with clients", shown(fmt.Sprint(f.token.Claim("client_id"))))
		}
		return "here the user is called " + shown(fmt.Sprint(f.token.Claim("username")))
	}},
	{checkExpiry, func(f *issuerFacts) string { return expiry(f.now, f.seconds("exp"), f.settings.Leeway) }},
	{checkNotBefore, func(f *issuerFacts) string {
		if f.decoded.Claims["nbf"] == nil {
			return "it has no nbf"
		}
		return beginning(f.now, f.seconds("nbf"), f.settings.Leeway)
	}},
	{checkLifetime, func(f *issuerFacts) string {
		return "it is not good for longer than max_lifetime, " + f.settings.MaxLifetime.String()
	}},
	{checkScope, func(f *issuerFacts) string {
		if len(f.scopes) == 0 {
			return "no scope is asked for"
		}
		return "it has " + list(f.scopes)
	}},
}

// checkLifetime is that of an outside token, which nothing revokes.
const checkLifetime = "lifetime"
