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
}

// Sessions knows which refresh token of a session is the current one.
type Sessions interface {
	Check(ctx context.Context, id session.ID, generation uint64, grace time.Duration) (current bool, err error)
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
	audience := request.Audience
	if audience == nil {
		audience = s.Checker.Audience
	}
	f := &facts{
		now: clock.Now(), server: s.Checker.Server, issuer: s.Checker.Issuer, leeway: s.Checker.Leeway,
		users: named(s.Checker.Users.All()), clients: named(s.Checker.Clients.All()),
		audience: audience, scopes: request.Scopes, decoded: Decode(request.Token),
	}
	checked, err := s.Checker.Check(ctx, request.Token)
	if f.token = checked; err == nil {
		if refusal := bearer.Admits(checked, audience, request.Scopes); refusal != nil {
			err = refusal
		}
		if issued, openErr := s.Checker.Open(keys, request.Token); openErr == nil {
			f.issued = issued
		}
	} else if s.Issuer != nil && checked == nil {
		f.other = s.Issuer(request.Token)
	}
	x := f.explain(accessTokenChecks, err)
	if f.token != nil {
		x.Kind, x.Claims = kindAccessToken, f.decoded.Claims
	}
	return x
}

// facts are what the words are made of.
type facts struct {
	now            time.Time
	server, issuer string
	other          string // server that issued it
	leeway         time.Duration
	users, clients []string // sources
	audience       []string // that is asked for
	scopes         []string // that are asked for
	decoded        Decoded  // not verified

	token   *token.AccessToken  // if the server issued it; as it is now if it is active
	issued  *token.AccessToken  // as it was issued, if it is active
	refresh *token.RefreshToken // if it is one
	err     error
}

// explain goes through the checks up to the one to which the reason belongs.
func (f *facts) explain(checks []check, err error) adminapi.Explanation {
	x := adminapi.Explanation{Active: err == nil, Kind: kindUnknown, Checks: []adminapi.CheckResult{}}
	failed := refusal{}
	if f.err = err; err != nil {
		if failed = refusalOf(err); failed.check == "" { // a reason without words is still the reason
			x.Checks = append(x.Checks, adminapi.CheckResult{Check: "token", Found: err.Error()})
			return x
		}
	}
	for _, c := range checks {
		if c.name == failed.check {
			x.Checks = append(x.Checks, adminapi.CheckResult{Check: c.name, Found: failed.found(f), Remedy: failed.remedy(f)})
			return x
		}
		x.Checks = append(x.Checks, adminapi.CheckResult{Check: c.name, Passed: true, Found: c.passed(f)})
	}
	return x
}

// refusalOf is what there is to say of a reason of the checks.
func refusalOf(err error) refusal {
	reason := err.Error()
	if known, ok := refusals[reason]; ok {
		return known
	}
	if claim := malformedClaim.FindStringSubmatch(reason); claim != nil {
		return refusals["<claim>"+claim[1]]
	}
	return refusal{}
}

// Reasons are those that there are words for.
func Reasons() []string { return slices.Sorted(maps.Keys(refusals)) }

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
