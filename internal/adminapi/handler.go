package adminapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"github.com/caddygrant/caddy-grant/internal/suggestion"
)

// Handler answers the requests of the admin API. Caddy's admin endpoint has let them
// pass: it checks Host, Origin and client certificates.
type Handler struct {
	Servers map[string]Server // of the running config, by name
	Issuers Issuers           // of the running config; nil if none runs
	Logger  *zap.Logger       // for the audit lines
}

// ServeHTTP implements [caddy.AdminHandler]. Its errors are of the type
// [caddy.APIError], which the endpoint writes as JSON.
func (h Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) error {
	w.Header().Set("Cache-Control", "no-store") // it says who is logged in
	value, err := h.answer(w, r)
	status := http.StatusOK
	switch {
	case errors.Is(err, NotAnIssuer): // which is no failure: Caddy logs what is returned here
		value, status = map[string]string{"error": NotAnIssuer.Message}, NotAnIssuer.Status
	case err != nil:
		return apiError(w, err)
	}
	body := new(bytes.Buffer)
	encoder := json.NewEncoder(body)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return apiError(w, fmt.Errorf("encoding the answer: %w", err))
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(body.Bytes()) // a client that is gone needs no answer
	return nil
}

// answer is what is written as JSON.
func (h Handler) answer(w http.ResponseWriter, r *http.Request) (any, error) {
	if answer, ok, err := h.issuers(w, r); ok {
		return answer, err
	}
	name, action, err := split(r.URL)
	if err != nil {
		return nil, err
	}
	if action == actionExplain {
		return h.explainBy(w, r, func() (explainer, error) { return h.server(name) })
	}
	if c, changes := changes[action]; changes {
		return h.change(w, r, name, action, c)
	}
	if err := allows(w, r, http.MethodGet, http.MethodHead); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(r.Context(), patience)
	defer cancel()
	query, err := readQuery(r.URL, action)
	switch {
	case err != nil:
		return nil, err
	case name == "":
		return h.statuses(ctx)
	}
	server, err := h.server(name)
	switch {
	case err != nil:
		return nil, err
	case action == actionSessions:
		return server.Sessions(ctx, query)
	}
	return server.Status(ctx)
}

// split reads the path: a server's name, empty for all servers, and what to do with it,
// empty for its status.
func split(u *url.URL) (name, action string, err error) {
	rest, found := strings.CutPrefix(u.Path, Root+"servers")
	if found && (rest == "" || rest == "/") {
		return "", "", nil
	}
	name, found = strings.CutPrefix(rest, "/")
	name, action, deeper := strings.Cut(name, "/")
	if !found || name == "" || deeper && !slices.Contains(actions, action) {
		message := "the admin API of caddy-grant has " + Root + "issuers, " + Root + "servers, " + Root + "servers/{name}, and below that " + strings.Join(actions, ", ")
		if meant := suggestion.Nearest(action, actions); meant != "" {
			message = "did you mean " + meant + "?"
		}
		return "", "", refused(http.StatusNotFound, "%s", message)
	}
	return name, action, nil
}

// server finds a server by its name.
func (h Handler) server(name string) (Server, error) {
	if server, found := h.Servers[name]; found {
		return server, nil
	}
	names := slices.Sorted(maps.Keys(h.Servers))
	if len(names) == 0 {
		return nil, refused(http.StatusNotFound, "the running config has no token_endpoint")
	}
	if meant := suggestion.Nearest(name, names); meant != "" {
		return nil, refused(http.StatusNotFound, "there is no server of that name: did you mean %s?", meant)
	}
	return nil, refused(http.StatusNotFound, "there is no server of that name; the servers are: %s", strings.Join(names, ", "))
}

// statuses are those of all servers, by their names.
func (h Handler) statuses(ctx context.Context) ([]Status, error) {
	statuses := make([]Status, 0, len(h.Servers))
	for _, name := range slices.Sorted(maps.Keys(h.Servers)) {
		status, err := h.Servers[name].Status(ctx)
		if err != nil {
			return nil, fmt.Errorf("server %s: %w", name, err)
		}
		statuses = append(statuses, status)
	}
	return statuses, nil
}

// explainer looks into a token.
type explainer interface {
	Explain(context.Context, ExplainRequest) (Explanation, error)
}

// explainBy looks into a token. It changes nothing and is not logged.
func (h Handler) explainBy(w http.ResponseWriter, r *http.Request, find func() (explainer, error)) (any, error) {
	if err := allows(w, r, http.MethodPost); err != nil {
		return nil, err
	}
	by, err := find()
	if err != nil {
		return nil, err
	}
	var request ExplainRequest
	if err := readBody(w, r, &request); err != nil {
		return nil, err
	}
	if request.Token == "" {
		return nil, refused(http.StatusBadRequest, "token is missing")
	}
	ctx, cancel := context.WithTimeout(r.Context(), patience)
	defer cancel()
	return by.Explain(ctx, request)
}

// readQuery reads whose sessions to list; nothing else takes a query.
func readQuery(u *url.URL, action string) (SessionsQuery, error) {
	values, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return SessionsQuery{}, refused(http.StatusBadRequest, "the query is malformed")
	}
	if action != actionSessions {
		if len(values) > 0 {
			return SessionsQuery{}, refused(http.StatusBadRequest, "this path takes no query")
		}
		return SessionsQuery{}, nil
	}
	query := SessionsQuery{User: values.Get("user"), Subject: values.Get("subject")}
	if len(values) != 1 || len(values["user"])+len(values["subject"]) != 1 || query == (SessionsQuery{}) {
		return SessionsQuery{}, refused(http.StatusBadRequest, "the query must have one of user and subject, once")
	}
	return query, nil
}

// allows is an error unless the request has one of the methods.
func allows(w http.ResponseWriter, r *http.Request, methods ...string) error {
	if slices.Contains(methods, r.Method) {
		return nil
	}
	w.Header().Set("Allow", strings.Join(methods, ", "))
	return refused(http.StatusMethodNotAllowed, "the method must be %s", strings.Join(methods, " or "))
}

// apiError is an error as Caddy writes it, and logs it.
func apiError(w http.ResponseWriter, err error) caddy.APIError {
	status := statusOf(err)
	if status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "1")
	}
	message := withoutTokens(err.Error())
	return caddy.APIError{HTTPStatus: status, Err: errors.New(message), Message: message}
}

func statusOf(err error) int {
	var known *Error
	switch {
	case errors.As(err, &known):
		return known.Status
	case errors.Is(err, ErrUnavailable), errors.Is(err, context.DeadlineExceeded):
		return http.StatusServiceUnavailable
	}
	return http.StatusInternalServerError
}

// Root is the path below which the admin API is.
const Root = "/grant/"

// What can be done with a server.
const (
	actionSessions  = "sessions"
	actionRevoke    = "revoke"
	actionUnlock    = "unlock"
	actionRotateKey = "rotate-key"
	actionReload    = "reload"
	actionExplain   = "explain"
)

var actions = []string{actionSessions, actionRevoke, actionUnlock, actionRotateKey, actionReload, actionExplain}

// patience is how long an operator waits, at most, for a storage that does not answer.
const patience = 20 * time.Second

// Interface guards
var _ caddy.AdminHandler = Handler{}
