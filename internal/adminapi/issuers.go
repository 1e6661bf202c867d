package adminapi

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Issuers are the outside issuers whose tokens a config takes. They belong to no server.
type Issuers interface {
	List(context.Context) ([]Issuer, error)

	// Explain says what the config thinks of a token of one of them. An error that
	// [NotAnIssuer] is means that the token names none of them.
	Explain(context.Context, ExplainRequest) (Explanation, error)
}

// Issuer is an outside issuer, and its keys in one process.
type Issuer struct {
	URL       string     `json:"issuer"`
	JWKSURL   string     `json:"jwks_url,omitempty"`   // none: that of its metadata
	Keys      int        `json:"keys"`                 // that can verify tokens
	FetchedAt *time.Time `json:"fetched_at,omitempty"` // none: not yet
	Error     string     `json:"error,omitempty"`      // of the last attempt
}

// IssuerNames tell issuers apart, for people: the URL, and where the keys are if there
// are several sets of keys of one issuer.
func IssuerNames(issuers []Issuer) []string {
	names := make([]string, len(issuers))
	for i, one := range issuers {
		names[i] = one.URL
		if !slices.ContainsFunc(issuers, func(other Issuer) bool { return other.URL == one.URL && other.JWKSURL != one.JWKSURL }) {
			continue
		}
		names[i] += " (keys of " + cmp.Or(one.JWKSURL, "its metadata") + ")"
	}
	return names
}

// NotAnIssuer is the error for a token of an issuer that the config does not take.
var NotAnIssuer = &Error{Status: http.StatusNotFound, Message: "the token is not one of an outside issuer that the running config takes"}

// issuers answers requests below /grant/issuers. ok is false for other paths.
func (h Handler) issuers(w http.ResponseWriter, r *http.Request) (answer any, ok bool, err error) {
	rest, found := strings.CutPrefix(r.URL.Path, Root+pathIssuers)
	if !found || !slices.Contains([]string{"", "/", "/" + actionExplain}, rest) {
		return nil, false, nil
	}
	if rest == "/"+actionExplain {
		answer, err = h.explainBy(w, r, func() (explainer, error) {
			if h.Issuers == nil {
				return nil, NotAnIssuer
			}
			return h.Issuers, nil
		})
		return answer, true, err
	}
	if err := allows(w, r, http.MethodGet, http.MethodHead); err != nil {
		return nil, true, err
	}
	if _, err := readQuery(r.URL, ""); err != nil {
		return nil, true, err
	}
	if h.Issuers == nil {
		return []Issuer{}, true, nil
	}
	answer, err = h.Issuers.List(r.Context())
	return answer, true, err
}

// Issuers are the outside issuers of the running config.
func (c *Client) Issuers() Issuers { return remoteIssuers{remote{c, pathIssuers}} }

type remoteIssuers struct{ remote }

// List implements [Issuers].
func (i remoteIssuers) List(ctx context.Context) ([]Issuer, error) {
	return get[[]Issuer](ctx, i.client, i.path)
}

const pathIssuers = "issuers"

// PathIssuers is the path of the list of outside issuers.
const PathIssuers = Root + pathIssuers
