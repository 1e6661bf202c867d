// Package explain says in words what the checks of a token found, up to the first that
// fails, and what to do about it. It checks nothing itself that [token.Checker] checks:
// that decides, and this package translates its reason. So it cannot disagree with
// bearer_auth.
package explain

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/caddygrant/caddy-grant/internal/adminapi"
	"github.com/caddygrant/caddy-grant/internal/bearer"
	"github.com/caddygrant/caddy-grant/internal/clock"
	"github.com/caddygrant/caddy-grant/internal/keyring"
	"github.com/caddygrant/caddy-grant/internal/session"
	"github.com/caddygrant/caddy-grant/internal/token"
)

// Server is the authorization server whose checks are explained.
type Server struct {
	Checker  *token.Checker
	Sessions Sessions
	Grace    time.Duration // within which a refresh token may be used again

	// Issuer names another server of the same config that issued a token, or is empty.
	// It may be nil.
	Issuer func(raw string) string

	// Outside are the outside issuers that the same config takes.
	Outside []string
}

// Sessions knows which refresh token of a session is the current one.
type Sessions interface {
	Check(ctx context.Context, claims session.Claims, generation uint64, grace time.Duration) (current bool, err error)

	// EndedNow tells whether an operator revoked it together with others.
	EndedNow(ctx context.Context, claims session.Claims) (bool, error)
}

// Token explains what a bearer_auth says of a token that asks for this audience and
// these scopes, or what a refresh says if it is a refresh token. It changes nothing: a
// refresh token that was used before does not end its session here.
func (s *Server) Token(ctx context.Context, request adminapi.ExplainRequest) adminapi.Explanation {
	keys := s.Checker.Keys(ctx)
	if keys != nil {
		if refresh, err := token.OpenRefreshToken(keys, request.Token); err == nil {
			return s.refreshToken(ctx, keys, refresh, request.Token)
		}
	}
	f := factsOf(s.Checker, request)
	f.outside = s.Outside
	checked, err := s.Checker.Check(ctx, request.Token)
	f.token = checked
	switch {
	case err == nil:
		f.issued, _ = s.Checker.Open(keys, request.Token) // which Check did, too
		err = f.admits()
	case checked == nil && s.Issuer != nil:
		f.other = s.Issuer(request.Token)
	case checked != nil && s.Sessions != nil && refusalOf(err).check == checkSession:
		f.ended, _ = s.Sessions.EndedNow(ctx, checked.SessionClaims()) // else it is one of several ways
	}
	return f.explanation(err)
}

func factsOf(checker *token.Checker, request adminapi.ExplainRequest) *facts {
	audience := request.Audience
	if audience == nil {
		audience = checker.Audience
	}
	return &facts{
		now: clock.Now(), leeway: checker.Leeway, server: checker.Server, issuer: checker.Issuer,
		users: named(checker.Users.All()), clients: named(checker.Clients.All()),
		audience: audience, scopes: request.Scopes, decoded: Decode(request.Token),
	}
}

// admits is what a bearer_auth asks for beyond a valid token.
func (f *facts) admits() error {
	demands := bearer.Demands{Scopes: f.scopes}
	if refusal := demands.Admits(bearer.Named{Identity: f.token}, f.audience); refusal != nil {
		return refusal
	}
	return nil
}

// explanation is that of an access token.
func (f *facts) explanation(err error) adminapi.Explanation {
	x := f.explain(checksOf(f.token), err)
	if f.token != nil {
		x.Kind, x.Claims = kindAccessToken, f.decoded.Claims
	}
	return x
}

// Config is a server as its config has it, without what is in storage.
type Config struct {
	Checker   *token.Checker
	Ring      *keyring.Ring // of the keys that are configured
	Generates bool          // whether it has others in storage
	Outside   []string      // issuers that the same config takes
}

// Token explains what can be told of an access token by the config alone.
func (c *Config) Token(ctx context.Context, request adminapi.ExplainRequest) adminapi.Explanation {
	f := factsOf(c.Checker, request)
	f.offline, f.generates, f.outside = true, c.Generates, c.Outside
	checked, err := c.Checker.CheckByConfig(ctx, c.Ring, request.Token)
	f.token = checked
	if err == nil {
		f.issued, _ = token.ParseAccessToken(f.decoded.payload) // which CheckByConfig verified
		err = f.admits()
	}
	return f.explanation(err)
}

// facts are what the words are made of.
type facts struct {
	offline, generates bool // see [Config]

	now            time.Time
	leeway         time.Duration
	server, issuer string
	other          string   // server that issued it
	outside        []string // issuers that the config takes, too
	users, clients []string // sources
	audience       []string // that is asked for
	scopes         []string // that are asked for
	decoded        Decoded  // not verified

	token   *token.AccessToken  // if the server issued it; as it is now if it is active
	issued  *token.AccessToken  // as it was issued, if it is active
	refresh *token.RefreshToken // if it is one
	ended   bool                // together with other sessions
	err     error
}

// explain goes through the checks up to the one to which the reason belongs.
func (f *facts) explain(checks []check, err error) adminapi.Explanation {
	x := adminapi.Explanation{Active: err == nil, Kind: kindUnknown, Checks: []adminapi.CheckResult{}}
	failed := refusal{}
	if f.err = err; err != nil {
		failed = refusalOf(err)
		if !slices.ContainsFunc(checks, func(c check) bool { return c.name == failed.check }) {
			x.Checks = append(x.Checks, failed.result(f))
			return x // before any check
		}
	}
	for _, c := range checks {
		if c.name == failed.check {
			x.Checks = append(x.Checks, failed.result(f))
			return x
		}
		if f.offline && slices.Contains(inStorage, c.name) {
			x.Checks = append(x.Checks, adminapi.CheckResult{Check: c.name, Skipped: true, Found: "only a running server can tell: it is in the storage"})
			continue
		}
		x.Checks = append(x.Checks, adminapi.CheckResult{Check: c.name, Passed: true, Found: c.passed(f)})
	}
	return x
}

// result is that of a check that did not pass. What the config alone does not know is
// not the fault of the token.
func (r refusal) result(f *facts) adminapi.CheckResult {
	unknown := unknownByConfig[f.err.Error()]
	return adminapi.CheckResult{
		Check: r.check, Skipped: f.offline && unknown != nil && unknown(f),
		Found: r.found(f), Remedy: r.remedy(f),
	}
}

// inStorage are the checks that a config alone cannot make.
var inStorage = []string{checkServer, checkPassword, checkSecret, checkSession}

// refusalOf is what there is to say of a reason of the checks.
func refusalOf(err error) refusal {
	reason := err.Error()
	if known, ok := refusals[reason]; ok {
		return known
	}
	if claim := malformedClaim.FindStringSubmatch(reason); claim != nil {
		return refusals["<claim>"+claim[1]]
	}
	return refusal{check: "token", found: always(reason), remedy: always("")} // without words it is still the reason
}

// Reasons are those that there are words for.
func Reasons() []string {
	return slices.Concat(slices.Sorted(maps.Keys(refusals)), slices.Sorted(maps.Keys(issuerRefusals)), slices.Sorted(maps.Keys(keyRefusals)))
}

// named are the names of sources, for people.
func named[T any](sources []T) []string {
	var names []string
	for _, source := range sources {
		if s, ok := any(source).(fmt.Stringer); ok {
			names = append(names, s.String())
		} else {
			names = append(names, fmt.Sprintf("%T", source))
		}
	}
	return names
}

// causeOf is why a check could not be made.
func causeOf(err error) string {
	if unchecked, ok := errors.AsType[token.UncheckedError](err); ok && unchecked.Unwrap() != nil {
		return ": " + unchecked.Unwrap().Error()
	}
	return ""
}

// Kinds of tokens, of [adminapi.Explanation].
const (
	kindAccessToken  = "access_token"
	kindRefreshToken = "refresh_token"
	kindUnknown      = "unknown"
)
