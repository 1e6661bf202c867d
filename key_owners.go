package caddygrant

import (
	"context"
	"maps"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/caddygrant/caddy-grant/directory"
	"github.com/caddygrant/caddy-grant/internal/apikey"
	"github.com/caddygrant/caddy-grant/internal/clock"
	"github.com/caddygrant/caddy-grant/internal/livefile"
	"github.com/caddygrant/caddy-grant/internal/session"
	"github.com/caddygrant/caddy-grant/internal/storagecheck"
	"github.com/caddygrant/caddy-grant/internal/token"
)

// keyOwners are the users and clients that may own API keys.
type keyOwners struct {
	users   *directory.UserDirectory
	clients *directory.ClientDirectory
}

// of looks the owner of a key up. A user that has an id is another user than one of
// that name without an id.
func (o keyOwners) of(ctx context.Context, key *apikey.Key) (*directory.User, *directory.Client, error) {
	field, name := key.Owner()
	if field == "client" {
		if name == token.LoginPage {
			return nil, nil, nil
		}
		client, err := o.clients.RecentByID(ctx, name)
		return nil, client, err
	}
	user, err := o.users.RecentBySubject(ctx, name)
	if user != nil && (user.ID == "") != (field == "user") {
		user = nil
	}
	return user, nil, err
}

// whyGone is err for an owner who is gone, and ErrOwnerHasID for a user who is there but
// has an id, by which the key has to name them.
func (o keyOwners) whyGone(ctx context.Context, key *apikey.Key, err error) error {
	if field, name := key.Owner(); field == "user" {
		if user, _, failed := o.of(ctx, key); user != nil || failed != nil {
			return err // another user of that name, who does not inherit the key
		}
		if has, _ := o.users.RecentlyHasName(ctx, name); has {
			return apikey.ErrOwnerHasID
		}
	}
	return err
}

// isLive tells whether the owner of a key may be in a source that has to be asked.
func (o keyOwners) isLive(key *apikey.Key) bool {
	if key.IsClients() {
		return o.clients.IsLive()
	}
	return o.users.IsLive()
}

// idOf is the id of the user in memory that a key names by the username, empty if
// there is no such user, or one without an id.
func (o keyOwners) idOf(key *apikey.Key) string {
	if key.User == "" || o.users.IsLive() {
		return ""
	}
	user, err := o.users.ByUsername(context.Background(), key.User)
	if err != nil || user == nil {
		return ""
	}
	return user.ID
}

// ownerWatch ends the API keys of owners who leave, also those that nothing uses
// meanwhile. Which keys these are it knows for one config.
//
// A key ends if its owner was there and no longer is, or if it has had no owner since the
// config began, once the config has run for a while: a config that is mended at once, or
// that another app keeps from starting, ends none. A key that comes later is refused until
// its owner comes.
type ownerWatch struct {
	files  *apiKeyFiles
	owners keyOwners
	ended  *endedKeys
	logger *zap.Logger
	news   chan time.Time // when a file has changed, or a key was used without an owner

	mu     sync.Mutex           // of what follows, by the fingerprints of keys
	first  map[string]bool      // there since the config began; nil before the first look
	owned  map[string]bool      // whose owner was there, or should have been
	missed map[string]time.Time // when they were last used without an owner
	warned map[string]bool      // that have had no owner yet
}

func newOwnerWatch(files *apiKeyFiles, owners keyOwners, ended *endedKeys, logger *zap.Logger) *ownerWatch {
	return &ownerWatch{
		files: files, owners: owners, ended: ended, logger: logger, news: make(chan time.Time, 1),
		missed: make(map[string]time.Time), owned: make(map[string]bool), warned: make(map[string]bool),
	}
}

// wake has the watch look at the owners as they are now.
func (w *ownerWatch) wake() {
	select {
	case w.news <- clock.Now():
	default: // it is to look already
	}
}

// miss tells the watch that a key was used without an owner. Owners in sources that have
// to be asked are looked for only then.
func (w *ownerWatch) miss(key *apikey.Key) {
	now := clock.Now()
	w.mu.Lock()
	again := now.Sub(w.missed[key.Fingerprint()]) < missedAgain
	if !again {
		w.missed[key.Fingerprint()] = now
	}
	w.mu.Unlock()
	if !again {
		w.wake()
	}
}

// found tells the watch that the owner of a key is there.
func (w *ownerWatch) found(key *apikey.Key) {
	of := key.Fingerprint()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.owned[of] = true
	delete(w.missed, of)
	delete(w.warned, of)
}

// run looks whenever there is news, until ctx ends.
func (w *ownerWatch) run(ctx context.Context) {
	settled := time.After(settledAfter)
	for at := clock.Now(); ; {
		var again <-chan time.Time // nil: only once there is news
		if !w.look(ctx, at) {
			again = time.After(livefile.Interval)
		}
		select {
		case <-ctx.Done():
			return
		case <-settled:
			w.expectOwners()
			at = clock.Now()
		case at = <-w.news:
		case <-again:
		}
	}
}

// expectOwners counts on the owners of all keys that were there when the config began.
func (w *ownerWatch) expectOwners() {
	w.mu.Lock()
	defer w.mu.Unlock()
	maps.Copy(w.owned, w.first)
}

// look ends the keys whose owners left before that time. It returns false if there may be
// others.
func (w *ownerWatch) look(ctx context.Context, at time.Time) (certain bool) {
	w.begin()
	certain = true
	var gone []*apikey.Key
	for _, file := range w.files.all {
		for key := range file.Snapshot().All() {
			if !w.mayEnd(key) || !certain && w.owners.isLive(key) { // a source that fails is not asked again
				continue
			}
			switch user, client, err := w.owners.of(ctx, key); {
			case err != nil:
				certain = false
			case user != nil || client != nil:
				w.found(key)
			case w.hadOwner(key):
				gone = append(gone, key)
			}
		}
	}
	if len(gone) > 0 && !w.filesAreCurrent(at) {
		return false
	}
	for _, key := range gone { // once more, since a file may have come meanwhile
		switch user, client, err := w.owners.of(ctx, key); {
		case err != nil:
			certain = false
		case user == nil && client == nil:
			w.ended.end(key, w.owners.whyGone(ctx, key, apikey.ErrOwnerGone))
		}
	}
	return certain
}

// begin notes at the first look which keys are there.
func (w *ownerWatch) begin() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.first != nil {
		return
	}
	w.first = make(map[string]bool)
	for _, file := range w.files.all {
		for key := range file.Snapshot().All() {
			w.first[key.Fingerprint()] = true
		}
	}
}

// mayEnd tells whether the owner of a key has to be looked for.
func (w *ownerWatch) mayEnd(key *apikey.Key) bool {
	if w.owners.isLive(key) && !w.isDoubtful(key.Fingerprint()) {
		return false
	}
	return !w.ended.isEnded(key) && !w.files.areTwo(key)
}

// isDoubtful tells whether the source of an owner has to be asked: the key was used
// without one, or is new and has not been used.
func (w *ownerWatch) isDoubtful(of string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return !w.missed[of].IsZero() || !w.owned[of] && !w.first[of]
}

// hadOwner tells whether a key without an owner ends. If not, it is logged, once.
func (w *ownerWatch) hadOwner(key *apikey.Key) bool {
	of := key.Fingerprint()
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.owned[of] {
		return true
	}
	if !w.first[of] && !w.warned[of] { // of those from the start, a warning has told
		w.warned[of] = true
		field, name := key.Owner()
		w.logger.Warn("an API key is refused until its owner is there", zap.String("api_key", key.Name), zap.String("owner", field+" "+name),
			zap.String("advice", "add the owner, or correct its name; an owner in the config is there once Caddy has reloaded it"))
	}
	return false
}

// filesAreCurrent tells whether all files of users and clients are active as they were at
// that time: each is followed for itself, and an owner may be on the way from one to
// another, or into the file that the key came with.
func (w *ownerWatch) filesAreCurrent(at time.Time) bool {
	for _, file := range followedFiles(w.owners.users, w.owners.clients, nil) {
		if !file.isCurrent(at) {
			return false
		}
	}
	return true
}

// endedKeys are the keys that ended with their owners, for good: another user of the
// same name must not get them. An owner with an id is told apart by that.
type endedKeys struct {
	sessions *serverSessions // nil without a storage: then none has ended
	logger   *zap.Logger
	news     chan struct{} // wakes tell: a key has ended that other nodes do not know of
}

// has tells whether a key has ended, here or at another node.
func (e *endedKeys) has(ctx context.Context, key *apikey.Key) (bool, error) {
	if field, _ := key.Owner(); field == "user_id" || e.sessions == nil {
		return false, nil
	}
	of := key.Fingerprint()
	ended, known := e.sessions.memory.KeyEnded(of)
	if known {
		return ended, nil
	}
	if _, err := e.sessions.Version(ctx); err != nil { // which reads the notices
		return false, err
	}
	if ended, known = e.sessions.memory.KeyEnded(of); !known {
		return false, session.ErrUnavailable
	}
	return ended, nil
}

// isEnded is has by what this process knows. A key that nothing can end counts too.
func (e *endedKeys) isEnded(key *apikey.Key) bool {
	if field, _ := key.Owner(); field == "user_id" || e.sessions == nil {
		return true
	}
	ended, _ := e.sessions.memory.KeyEnded(key.Fingerprint())
	return ended
}

// end ends a key, at once here and soon at the other nodes. why is ErrOwnerHasID, or
// anything else for an owner who is gone.
func (e *endedKeys) end(key *apikey.Key, why error) {
	field, name := key.Owner()
	if !e.sessions.memory.EndKey(key.Fingerprint()) {
		return
	}
	logger := e.logger.With(zap.String("api_key", key.Name), zap.String("owner", field+" "+name))
	if why == apikey.ErrOwnerHasID {
		logger.Warn("API key ended: its owner has an id now", zap.String("advice", "name the owner of a new key by user_id in place of user"))
	} else {
		logger.Warn("API key ended: its owner is gone",
			zap.String("advice", "delete its line; another owner of that name needs a key of their own, made with \"caddy grant key add\""))
	}
	select {
	case e.news <- struct{}{}:
	default: // tell is to be woken already
	}
}

// tell tells all nodes of what has ended here, until ctx ends. What could not be told is
// left for the config that comes after.
func (e *endedKeys) tell(ctx context.Context) {
	failing := false
	for {
		err := e.sessions.TellEndedKeys(ctx)
		var again <-chan time.Time // nil: only once there is news
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			again = time.After(retryEnding)
			if !failing {
				e.logger.Error("storing that API keys have ended; they are ended here, and other nodes learn of it once this works", storagecheck.Failure(err)...)
			}
		}
		failing = err != nil
		select {
		case <-ctx.Done():
			return
		case <-again:
		case <-e.news:
		}
	}
}

const (
	retryEnding  = 10 * time.Second
	settledAfter = 5 * time.Second
	missedAgain  = time.Second
)
