package adminapi

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"strings"

	"go.uber.org/zap"
)

// change is something that an operator can change.
type change struct {
	done string // message of the audit line
	turn turn   // nil: it need not wait for others
	new  func() request
	make func(context.Context, Server, request) (any, []zap.Field, error)
}

// request is the body of a change.
type request interface {
	check() error
	fields() []zap.Field // of the audit line
}

var changes = map[string]change{
	actionRevoke: {
		done: "sessions revoked by operator",
		turn: telling,
		new:  func() request { return new(RevokeRequest) },
		make: func(ctx context.Context, s Server, body request) (any, []zap.Field, error) {
			revoked, err := s.Revoke(ctx, *body.(*RevokeRequest))
			return revoked, nil, err
		},
	},
	actionUnlock: {
		done: "failures forgotten by operator",
		turn: telling,
		new:  func() request { return new(UnlockRequest) },
		make: func(ctx context.Context, s Server, body request) (any, []zap.Field, error) {
			unlocked, err := s.Unlock(ctx, *body.(*UnlockRequest))
			return unlocked, nil, err
		},
	},
	actionRotateKey: {
		done: "signing key rotated by operator",
		new:  func() request { return new(noRequest) },
		make: func(ctx context.Context, s Server, _ request) (any, []zap.Field, error) {
			keys, err := s.RotateKey(ctx)
			stages := make([]zap.Field, 0, len(keys))
			for _, key := range keys {
				stages = append(stages, zap.String(key.ID, key.Stage))
			}
			return orEmpty(keys), []zap.Field{zap.Dict("keys", stages...)}, err
		},
	},
	actionReload: {
		done: "files reloaded by operator",
		new:  func() request { return new(noRequest) },
		make: func(ctx context.Context, s Server, _ request) (any, []zap.Field, error) {
			files, err := s.Reload(ctx)
			var loaded, failed []string
			for _, file := range files {
				if file.Error == "" && file.Conflict == "" {
					loaded = append(loaded, file.Path)
				} else {
					failed = append(failed, file.Path)
				}
			}
			return orEmpty(files), []zap.Field{zap.Strings("loaded", loaded), zap.Strings("failed", failed)}, err
		},
	},
}

// change makes a change and writes its audit line. Once the request was read, the change
// is made even if the operator does not wait for the answer: an audit line that says it
// was not would otherwise be possible where it was.
func (h Handler) change(w http.ResponseWriter, r *http.Request, name, action string, c change) (any, error) {
	if err := allows(w, r, http.MethodPost); err != nil {
		return nil, err
	}
	logger := h.Logger.With(append([]zap.Field{zap.String("change", action), zap.String("server", shown(name))}, whoAsks(r)...)...)
	server, err := h.server(name)
	body := c.new()
	if err == nil {
		err = readBody(w, r, body)
	}
	if err == nil {
		err = body.check()
		logger = logger.With(body.fields()...)
	}
	if err != nil {
		logRefusal(logger, err)
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), patience)
	defer cancel()
	result, fields, err := c.inTurn(ctx, server, body)
	if err != nil {
		logRefusal(logger, err)
		return nil, err
	}
	logger.Info(c.done, fields...)
	return result, nil
}

// turn lets one change after another be made. A nil one lets all.
type turn chan struct{}

// telling is the turn of changes that other nodes are told. These lock storage, and who
// does not get a lock at once asks for it only once a second: many at a time, such as
// those of a script, would keep each other waiting until they give up.
var telling = make(turn, 1)

// inTurn makes a change when its turn comes.
func (c change) inTurn(ctx context.Context, server Server, body request) (any, []zap.Field, error) {
	if c.turn != nil {
		select {
		case c.turn <- struct{}{}:
			defer func() { <-c.turn }()
		case <-ctx.Done():
			return nil, nil, fmt.Errorf("waiting for the changes of others: %w", ErrUnavailable)
		}
	}
	return c.make(ctx, server, body)
}

func (r *RevokeRequest) check() error {
	set := 0
	for _, value := range []string{r.Session, r.User, r.Subject, r.Client} {
		if value != "" {
			set++
		}
	}
	if r.All {
		set++
	}
	switch {
	case set != 1:
		return refused(http.StatusBadRequest, "set one of session, user, subject, client and all")
	case r.Session != "" && !isSessionID(r.Session):
		return refused(http.StatusBadRequest, "session must be the id of a session, which tokens have in the claim sid, not a token")
	}
	return nil
}

// isSessionID tells whether a string may be a `sid`: a day, random bits and, in an engine,
// its name and epoch. No token is one, which would be in the log then.
func isSessionID(s string) bool {
	parts := strings.Split(s, "-")
	for i, part := range parts {
		characters := "0123456789abcdef"
		if i == 2 {
			characters = "abcdefghijklmnopqrstuvwxyz0123456789_"
		}
		if part == "" || strings.Trim(part, characters) != "" {
			return false
		}
	}
	return (len(parts) == 2 || len(parts) == 4) && len(s) <= maxSessionID
}

// maxSessionID is the length of the longest `sid`.
const maxSessionID = 8 + 1 + 40 + 1 + 32 + 1 + 16

func (r *RevokeRequest) fields() []zap.Field {
	switch {
	case r.Session != "":
		return scopeOf("session", r.Session)
	case r.User != "":
		return scopeOf("user", r.User)
	case r.Subject != "":
		return scopeOf("subject", r.Subject)
	case r.Client != "":
		return scopeOf("client", r.Client)
	case r.All:
		return []zap.Field{zap.String("scope", "server")}
	}
	return nil
}

func scopeOf(scope, of string) []zap.Field {
	return []zap.Field{zap.String("scope", scope), zap.String("of", shown(of))}
}

func (r *UnlockRequest) check() error {
	switch {
	case r.User == "" && r.Client == "" && r.Address == "":
		return refused(http.StatusBadRequest, "set user, client or address")
	case r.User != "" && r.Client != "":
		return refused(http.StatusBadRequest, "set one of user and client")
	case r.Address == "":
		return nil
	}
	if address, err := netip.ParseAddr(r.Address); err != nil || address.Zone() != "" {
		return refused(http.StatusBadRequest, "address must be an IP address, such as 192.0.2.1 or 2001:db8::1")
	}
	return nil
}

func (r *UnlockRequest) fields() (fields []zap.Field) {
	for _, field := range [][2]string{{"user", r.User}, {"client", r.Client}, {"address", r.Address}} {
		if field[1] != "" {
			fields = append(fields, zap.String(field[0], shown(field[1])))
		}
	}
	return fields
}

// noRequest is the body of changes that have no choice.
type noRequest struct{}

func (*noRequest) check() error        { return nil }
func (*noRequest) fields() []zap.Field { return nil }

// orEmpty is the list, [] in JSON instead of null.
func orEmpty[T any](list []T) []T { return append([]T{}, list...) }
