package explain

import (
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/caddygrant/caddy-grant/directory"
	"github.com/caddygrant/caddy-grant/internal/timewords"
)

// always is a text that needs no facts.
func always(text string) func(*facts) string { return func(*facts) string { return text } }

// when is a NumericDate in words and as a time.
func (f *facts) when(seconds int64) string { return when(f.now, seconds) }

func when(now time.Time, seconds int64) string {
	at := time.Unix(seconds, 0)
	return timewords.Ago(at, now) + " (" + at.UTC().Format(time.RFC3339) + ")"
}

// expiry says when a token expires, or that it did.
func expiry(now time.Time, seconds int64, leeway time.Duration) string {
	if time.Unix(seconds, 0).After(now) {
		return "it expires " + when(now, seconds)
	}
	return "it expired " + when(now, seconds) + within(leeway)
}

// beginning is for a token that is valid.
func beginning(now time.Time, seconds int64, leeway time.Duration) string {
	if time.Unix(seconds, 0).After(now) {
		return "it becomes valid " + when(now, seconds) + within(leeway)
	}
	return "it became valid " + when(now, seconds)
}

// within says why clocks that differ do not matter; 0 says nothing.
func within(leeway time.Duration) string {
	if leeway <= 0 {
		return ""
	}
	return ", within the leeway of " + leeway.String()
}

// user is whose token it is.
func (f *facts) user() string {
	switch {
	case f.refresh != nil:
		return "the user with the sub " + shown(f.refresh.UserID)
	case f.token == nil:
		return "the user"
	case f.token.Username == f.token.Subject:
		return "the user " + shown(f.token.Username)
	}
	return "the user " + shown(f.token.Username) + " (sub " + shown(f.token.Subject) + ")"
}

// owner is the user, or the client that acts for itself.
func (f *facts) owner() string {
	if f.refresh == nil && f.token != nil && f.token.IsClient() {
		return "the client " + shown(f.token.CID)
	}
	return f.user()
}

func (f *facts) client() string {
	if f.refresh != nil {
		return f.refresh.ClientID
	}
	return f.token.CID
}

func (f *facts) session() string {
	if f.refresh != nil {
		return f.refresh.SessionID
	}
	return f.token.SessionID
}

func (f *facts) expires() int64 {
	if f.refresh != nil {
		return min(f.refresh.Expires, f.refresh.SessionExpires)
	}
	return f.token.Expires
}

// shown quotes what comes from a token or a request, and cuts it.
func shown(text string) string { return directory.Shown(text) }

// word leaves a name of a key, an algorithm or a type as it is, if it is a plain one.
func word(text string) string {
	if plain.MatchString(text) {
		return text
	}
	return shown(text)
}

var plain = regexp.MustCompile(`^[A-Za-z0-9._+/-]{1,64}$`)

// list is for people: no list of scopes or audiences is empty without saying so.
func list(values []string) string {
	if len(values) == 0 {
		return "none"
	}
	quoted := make([]string, min(len(values), mostListed))
	for i := range quoted {
		quoted[i] = shown(values[i])
	}
	text := strings.Join(quoted, ", ")
	if more := len(values) - len(quoted); more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

func oneOf(values []string) string {
	if len(values) == 1 {
		return list(values)
	}
	return "one of " + list(values)
}

// sources are where users or clients are looked up.
func sources(names []string) string {
	if len(names) == 0 {
		return "the config"
	}
	return strings.Join(names, " or ")
}

const (
	mostListed = 20

	endedTogether   = "an operator revoked all sessions of its user, its client or the server"
	neverUnsigned   = "anyone can write such a token, so no app may accept it: find out who sends it"
	sendAccessToken = "send the access token to an app; send a refresh token only to the token endpoint that issued it"
)
