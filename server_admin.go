package caddygrant

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/caddygrant/caddy-grant/directory"
	"github.com/caddygrant/caddy-grant/internal/adminapi"
	"github.com/caddygrant/caddy-grant/internal/apikey"
	"github.com/caddygrant/caddy-grant/internal/clock"
	"github.com/caddygrant/caddy-grant/internal/event"
	"github.com/caddygrant/caddy-grant/internal/explain"
	"github.com/caddygrant/caddy-grant/internal/keyring"
	"github.com/caddygrant/caddy-grant/internal/session"
	"github.com/caddygrant/caddy-grant/internal/storagecheck"
	"github.com/caddygrant/caddy-grant/internal/token"
)

// This file is what operators see of a server, and do with it, over the admin API.

// Status implements [adminapi.Server].
func (s *Server) Status(context.Context) (adminapi.Status, error) {
	running, waiting := s.verifier.gate.Load()
	limits := s.verifier.gate.Limits()
	status := adminapi.Status{
		Name:      s.Name,
		Issuer:    s.Issuer,
		Grants:    s.offered(),
		LoginPage: s.LoginPage != nil,
		StartedAt: s.startedAt,
		Keys:      s.adminKeys(),
		Files:     s.adminFiles(),
		Users:     countOf(s.users.Known(), s.users.IsLive()),
		Clients:   countOf(s.clients.Known(), s.clients.IsLive()),
		Checks:    adminapi.Checks{Running: running, Concurrency: limits.Concurrency, Waiting: waiting, Queue: limits.Queue},
		Throttle:  adminapi.Throttle{Off: s.throttle.off},
		Sessions:  knowledgeOf(s.sessions),
	}
	status.Throttle.Accounts, status.Throttle.Pairs, status.Throttle.Addresses = s.credentials.Waiting()
	notices, _ := s.sessions.memory.Notices()
	for _, notice := range notices {
		if scope, ends := scopesOfNotices[notice.Kind]; ends {
			status.Ended = append(status.Ended, adminapi.EndedAll{Scope: scope, Of: notice.Of, At: notice.At})
		}
	}
	return status, nil
}

func countOf[T any](known func(func(T) bool), partial bool) adminapi.Count {
	count := 0
	for range known {
		count++
	}
	return adminapi.Count{Count: count, Partial: partial}
}

func (s *Server) adminKeys() []adminapi.Key {
	keys := []adminapi.Key{}
	for _, stage := range s.keys.stages(clock.Now()) {
		keys = append(keys, adminapi.Key{
			ID: stage.ID, Algorithm: string(stage.Algorithm), Stage: string(stage.Name),
			Since: unlessZero(stage.Since), Until: unlessZero(stage.Until), Generated: stage.generated, Object: stage.Object,
		})
	}
	return keys
}

func unlessZero(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

func (s *Server) adminFiles() []adminapi.File {
	files := []adminapi.File{}
	for _, file := range followedFiles(s.users, s.clients, s.keyFiles) {
		files = append(files, file.admin())
	}
	for _, file := range s.keyFiles {
		i := slices.IndexFunc(files, func(f adminapi.File) bool { return f.Reads == file.key.reads && f.Path == file.key.path })
		if err := s.apiKeys.files.conflict(file); err != nil {
			files[i].Conflict = err.Error()
		}
	}
	return files
}

func (f fileState) admin() adminapi.File {
	file := adminapi.File{Path: f.path, Reads: f.reads, Entries: f.entries, LoadedAt: f.LoadedAt}
	if f.Err != nil {
		file.Error = f.Err.Error()
	}
	return file
}

// Sessions implements [adminapi.Server].
func (s *Server) Sessions(ctx context.Context, query adminapi.SessionsQuery) (adminapi.Sessions, error) {
	subject := query.Subject
	if query.User != "" {
		var err error
		if subject, err = s.subjectOf(ctx, query.User); err != nil {
			return adminapi.Sessions{}, err
		}
	}
	if err := s.sessions.ReadNotices(ctx); err != nil { // which may have ended some
		return adminapi.Sessions{}, adminStorageError("reading the sessions", err)
	}
	listed, err := s.sessions.Sessions(ctx, subject, maxSessionsListed)
	if err != nil {
		return adminapi.Sessions{}, adminStorageError("reading the sessions", err)
	}
	list := adminapi.Sessions{Subject: subject, Sessions: []adminapi.Session{}, More: listed.More, Note: noteOnSessions}
	for _, unread := range listed.Unread {
		list.Unread = append(list.Unread, adminapi.UnreadSession{
			ID: unread.ID.String(), Client: unread.Client, Ends: unread.ID.Day().Format(time.DateOnly), Engine: unread.Engine, Error: oneLine(unread.Err),
		})
	}
	for _, session := range listed.Known {
		list.Sessions = append(list.Sessions, adminapi.Session{
			ID:          session.ID.String(),
			Client:      session.Client,
			RefreshedAt: session.Rotated,
			Ends:        session.ID.Day().Format(time.DateOnly),
			Refreshes:   session.Generation,
			Revoked:     session.Revoked || session.Ended,
			Ended:       session.Ended,
		})
	}
	return list, nil
}

// subjectOf finds the subject of a user.
func (s *Server) subjectOf(ctx context.Context, username string) (string, error) {
	user, err := s.users.ByUsername(ctx, username)
	switch {
	case isClash(err):
		return "", &adminapi.Error{Status: http.StatusConflict, Message: err.Error()}
	case err != nil:
		return "", &adminapi.Error{Status: http.StatusServiceUnavailable, Message: "the users cannot be looked up: " + err.Error()}
	case user == nil:
		return "", &adminapi.Error{Status: http.StatusNotFound, Message: fmt.Sprintf("there is no user %q; if the user is gone, or was renamed, give the subject: the \"sub\" of the tokens, which is the former username unless the user had an id", username)}
	}
	return user.Subject(), nil
}

// checkClient is an error if there is no such client: an operator who mistypes its id must
// not believe that its sessions are over.
func (s *Server) checkClient(ctx context.Context, id string) error {
	if id == token.LoginPage && s.LoginPage != nil {
		return nil
	}
	client, err := s.clients.ByID(ctx, id)
	switch {
	case err != nil:
		return &adminapi.Error{Status: http.StatusServiceUnavailable, Message: "the clients cannot be looked up: " + err.Error()}
	case client == nil:
		return &adminapi.Error{Status: http.StatusNotFound, Message: fmt.Sprintf("there is no client %q; if it was removed, its tokens are refused already", id)}
	}
	return nil
}

// isClash tells whether a user of another source has the subject.
func isClash(err error) bool {
	_, clash := errors.AsType[directory.DuplicateSubject](err)
	return clash
}

// Revoke implements [adminapi.Server].
func (s *Server) Revoke(ctx context.Context, request adminapi.RevokeRequest) (adminapi.Revoked, error) {
	var (
		revoked = adminapi.Revoked{Within: s.hearWithin()}
		err     error
	)
	switch {
	case request.Session != "":
		id, ok := session.ParseID(request.Session)
		if !ok {
			return revoked, &adminapi.Error{Status: http.StatusBadRequest, Message: "the session is not a \"sid\", such as tokens have and the log shows as session_id"}
		}
		revoked.Scope, revoked.Of = "session", id.String()
		err = s.sessions.Store.Revoke(ctx, id)
	case request.User != "" || request.Subject != "":
		subject := request.Subject
		if request.User != "" {
			if subject, err = s.subjectOf(ctx, request.User); err != nil {
				return revoked, err
			}
		}
		revoked.Scope, revoked.Of = scopesOfNotices[session.EndUser], subject
		_, err = s.sessions.Tell(ctx, session.EndUser, subject)
	case request.Client != "":
		if err = s.checkClient(ctx, request.Client); err != nil {
			return revoked, err
		}
		revoked.Scope, revoked.Of = scopesOfNotices[session.EndClient], request.Client
		_, err = s.sessions.Tell(ctx, session.EndClient, request.Client)
	default:
		revoked.Scope = scopesOfNotices[session.EndServer]
		_, err = s.sessions.Tell(ctx, session.EndServer, "")
	}
	if err != nil {
		return revoked, adminStorageError("revoking", err)
	}
	event.EmitRevokedByOperator(s.Name, revoked.Scope, revoked.Of)
	return revoked, nil
}

// Unlock implements [adminapi.Server].
func (s *Server) Unlock(ctx context.Context, request adminapi.UnlockRequest) (adminapi.Unlocked, error) {
	if request.Address != "" {
		address, err := netip.ParseAddr(request.Address)
		if err != nil {
			return adminapi.Unlocked{}, &adminapi.Error{Status: http.StatusBadRequest, Message: "the address is not an IP address"}
		}
		request.Address = address.Unmap().WithZone("").String()
	}
	notices := []session.Notice{
		{Kind: session.ForgiveUser, Of: request.User},
		{Kind: session.ForgiveClient, Of: request.Client},
		{Kind: session.ForgiveAddress, Of: request.Address},
	}
	notices = slices.DeleteFunc(notices, func(n session.Notice) bool { return n.Of == "" })
	for i, notice := range notices {
		if _, err := s.sessions.Tell(ctx, notice.Kind, notice.Of); err != nil {
			for _, untold := range notices[i:] { // here it needs no storage
				s.heed(untold)
			}
			return adminapi.Unlocked{}, adminStorageError("telling the other nodes (here it is unlocked)", err)
		}
	}
	return adminapi.Unlocked{UnlockRequest: request, Within: s.hearWithin(), Unknown: s.isUnknown(ctx, request)}, nil
}

// isUnknown tells whether there is no user or client of the name that was unlocked, which
// may be a typo. A source that cannot tell is no reason to say so.
func (s *Server) isUnknown(ctx context.Context, request adminapi.UnlockRequest) bool {
	switch {
	case request.User != "":
		user, err := s.users.ByUsername(ctx, request.User)
		return user == nil && err == nil
	case request.Client != "":
		client, err := s.clients.ByID(ctx, request.Client)
		return client == nil && err == nil
	}
	return false
}

// heed does what a notice says, apart from what it says of sessions.
func (s *Server) heed(notice session.Notice) {
	switch notice.Kind {
	case session.ForgiveUser:
		s.credentials.UnlockUser(notice.Of, s.sessions.poll)
	case session.ForgiveClient:
		s.credentials.UnlockClient(notice.Of, s.sessions.poll)
	case session.ForgiveAddress:
		if address, err := netip.ParseAddr(notice.Of); err == nil {
			s.credentials.UnlockAddress(address, s.sessions.poll)
		}
	}
}

// RotateKey implements [adminapi.Server].
func (s *Server) RotateKey(ctx context.Context) ([]adminapi.Key, error) {
	_, err := s.keys.rotateNow(ctx)
	notNow, isNotNow := errors.AsType[*keyring.NotNowError](err)
	switch {
	case errors.Is(err, keyring.ErrNotGenerated):
		return nil, &adminapi.Error{Status: http.StatusConflict, Message: "the signing key is given in the config, so only the config can rotate it: list the next key too, then first, then alone"}
	case isNotNow:
		return nil, &adminapi.Error{Status: http.StatusConflict, Message: notNow.Error()}
	case err != nil:
		return nil, adminStorageError("rotating the key", err)
	}
	return s.adminKeys(), nil
}

// Reload implements [adminapi.Server]. A file that cannot be used is in the answer with
// its error; its last good version stays active.
func (s *Server) Reload(ctx context.Context) ([]adminapi.File, error) {
	files := followedFiles(s.users, s.clients, s.keyFiles)
	if len(files) == 0 {
		return nil, &adminapi.Error{Status: http.StatusConflict, Message: "this server has no file of users, clients or API keys; its users are in the config, or in a source that follows changes itself"}
	}
	for _, file := range files {
		if err := file.reload(ctx); err != nil {
			s.logger.Error("an operator had a file reloaded, and it cannot be used", zap.String("path", file.path), zap.Error(err))
		}
	}
	return s.adminFiles(), nil
}

// hearWithin is how many seconds other nodes take to learn of a notice or a revocation.
func (s *Server) hearWithin() int64 {
	return int64((s.sessions.poll + time.Second - 1) / time.Second)
}

// adminStorageError tells an operator that storage failed.
func adminStorageError(doing string, err error) error {
	return fmt.Errorf("%s: %w: %s", doing, adminapi.ErrUnavailable, cmp.Or(storagecheck.Remedy(err), oneLine(err)))
}

// scopesOfNotices are the words of the admin API for what a notice ends.
var scopesOfNotices = map[session.NoticeKind]string{
	session.EndUser: "user", session.EndClient: "client", session.EndServer: "server",
}

const (
	maxSessionsListed = 200

	noteOnSessions = "A session is known once its token was refreshed; sessions that were not, and those of the login page, are not listed. To end all of them, revoke those of the user."
)

// Interface guards
var _ adminapi.Server = (*Server)(nil)

// Explain implements [adminapi.Server].
func (s *Server) Explain(ctx context.Context, request adminapi.ExplainRequest) (adminapi.Explanation, error) {
	if apikey.LooksLike(request.Token) {
		return s.apiKeys.explain(ctx, request), nil
	}
	x := explain.Server{
		Checker: s.tokens, Sessions: s.sessions, Grace: time.Duration(s.RefreshGrace),
		Issuer:  func(raw string) string { return issuedBySibling(s, raw) },
		Outside: s.outside.urls(),
	}
	return x.Token(ctx, request), nil
}

// knowledgeOf is what a server knows of the revoked sessions.
func knowledgeOf(x *serverSessions) adminapi.Knowledge {
	known := adminapi.Knowledge{Revoked: x.memory.ViewSize()}
	if at := x.ViewReadAt(); !at.IsZero() {
		known.ReadAt = &at
	}
	failed := x.stored.last.Load()
	for _, name := range x.engines.Names() {
		engine := adminapi.Engine{Name: name}
		if last := cmp.Or(x.inEngines[name], &x.stored).last.Load(); last != nil {
			engine.Error, engine.FailingSince = last.text, &last.since
			failed = cmp.Or(failed, last)
		}
		known.Engines = append(known.Engines, engine)
	}
	if failed != nil {
		known.Error = failed.text
	}
	return known
}
