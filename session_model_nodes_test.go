package caddygrant

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing/synctest"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"pgregory.net/rapid"
)

// modelNode is a node of TestModelOfSessions: the handlers of a config that is loaded
// and never started. Background work is done by steps of the test.
type modelNode struct {
	number int
	copy   string // of the users
	grace  time.Duration
	offset time.Duration // of its clock

	handler *Handler
	bearers []*BearerAuth // one for each of modelDemands
	unload  func()
}

// modelDemands are the scopes that the edges of a node require.
var modelDemands = [][]string{nil, {"b"}}

// load loads a config, as Caddy does at a reload: before the old config is unloaded. A
// broken config fails after all of it that touches sessions was loaded.
func (n *modelNode) load(disk string, broken bool) error {
	root, err := caddy.ProvisionContext(&caddy.Config{
		Admin: &caddy.AdminConfig{Disabled: true},
		Logging: &caddy.Logging{Logs: map[string]*caddy.CustomLog{caddy.DefaultLoggerName: {
			BaseLog: caddy.BaseLog{WriterRaw: json.RawMessage(`{"output":"discard"}`)},
		}}},
		StorageRaw: caddyconfig.JSONModuleObject(modelStorage{Disk: disk, Node: n.number}, "module", "model_test", nil),
	})
	if err != nil {
		return err
	}
	ctx, unload := caddy.NewContext(root)
	handler, bearers, err := n.loadHandlers(ctx, broken)
	if err != nil {
		unload()
		return err
	}
	before := n.unload
	n.handler, n.bearers, n.unload = handler, bearers, unload
	if before != nil {
		before()
	}
	// what Start does, without its background work
	if err := handler.server.keys.generated.Attempt(ctx); err != nil {
		return err
	}
	_ = handler.server.sessions.BeginNotices(ctx) // tried again later
	return nil
}

// stop unloads the config.
func (n *modelNode) stop() {
	if n.unload != nil {
		n.unload()
	}
	n.unload = nil
}

func (n *modelNode) loadHandlers(ctx caddy.Context, broken bool) (*Handler, []*BearerAuth, error) {
	inline := InlineClients{}
	for _, c := range modelClients {
		inline.Clients = append(inline.Clients, c.config())
	}
	endpoint := Handler{Config: Config{
		Audience:        []string{modelAudience},
		Scopes:          modelScopes,
		AccessTokenTTL:  caddy.Duration(modelTokenTTL),
		RefreshTokenTTL: caddy.Duration(modelRefreshTTL),
		SessionTTL:      caddy.Duration(modelSessionTTL),
		RefreshGrace:    caddy.Duration(n.grace),
		Throttle:        &Throttle{Off: true}, // the model has no notion of failures
		UsersRaw:        []json.RawMessage{caddyconfig.JSONModuleObject(modelUsers{Copy: n.copy}, "source", "model_test", nil)},
		ClientsRaw:      []json.RawMessage{caddyconfig.JSONModuleObject(inline, "source", "inline", nil)},
		AllowWeakHashes: true,
		LoginPage:       modelLoginPage(),
	}}
	loaded, err := ctx.LoadModuleByID("http.handlers.token_endpoint", caddyconfig.JSON(endpoint, nil))
	if err != nil {
		return nil, nil, err
	}
	var bearers []*BearerAuth
	for _, scopes := range modelDemands {
		bearer, err := ctx.LoadModuleByID("http.handlers.bearer_auth", caddyconfig.JSON(BearerAuth{Scopes: scopes}, nil))
		if err != nil {
			return nil, nil, err
		}
		bearers = append(bearers, bearer.(*BearerAuth))
	}
	if broken {
		endpoint.Path, endpoint.SessionTTL = "/other", caddy.Duration(time.Hour)
		_, err = ctx.LoadModuleByID("http.handlers.token_endpoint", caddyconfig.JSON(endpoint, nil))
		return nil, nil, err
	}
	return loaded.(*Handler), bearers, nil
}

func (n *modelNode) sessions() *serverSessions { return n.handler.server.sessions }

// modelReply is an answer with what it took to get it.
type modelReply struct {
	status int
	header http.Header
	body   map[string]any
	began  time.Time
	took   time.Duration
	faults int // in storage meanwhile
	torn   int
	writes int
}

// watch runs something on a node, by that node's clock, and waits until everything is
// at rest.
func (m *modelRun) watch(n *modelNode, do func(ctx context.Context)) (r modelReply) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	m.clock.Store(int64(n.offset))
	m.disk.mu.Lock()
	m.disk.hangUp = cancel
	faults, torn, writes := m.disk.fired, m.disk.torn, m.disk.written
	m.disk.mu.Unlock()
	r.began = time.Now()
	do(ctx)
	r.took = time.Since(r.began)
	m.settle()
	m.disk.mu.Lock()
	defer m.disk.mu.Unlock()
	m.disk.hangUp = nil
	r.faults, r.torn, r.writes = m.disk.fired-faults, m.disk.torn-torn, m.disk.written-writes
	return r
}

// settle waits until nothing but stuck calls goes on in storage.
func (m *modelRun) settle() {
	for synctest.Wait(); m.disk.busy(); synctest.Wait() {
		time.Sleep(100 * time.Millisecond)
	}
}

// post sends a form to an endpoint as a client of the node's own machine.
func (m *modelRun) post(t *rapid.T, n *modelNode, path string, client modelClient, form url.Values) modelReply {
	form.Set("client_id", client.id)
	if client.secret != "" {
		form.Set("client_secret", client.secret)
	}
	rec := httptest.NewRecorder()
	reply := m.watch(n, func(ctx context.Context) {
		r := httptest.NewRequestWithContext(ctx, http.MethodPost, path, strings.NewReader(form.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		err := n.handler.ServeHTTP(rec, modelRequest(r, rec), caddyhttp.HandlerFunc(func(http.ResponseWriter, *http.Request) error {
			return errors.New("it went on to the next handler")
		}))
		if err != nil {
			t.Fatalf("POST %s: %v", path, err)
		}
	})
	reply.status, reply.header = rec.Code, rec.Header()
	if err := json.Unmarshal(rec.Body.Bytes(), &reply.body); err != nil {
		t.Fatalf("POST %s: %d with the body %q", path, rec.Code, rec.Body)
	}
	if reply.status == http.StatusServiceUnavailable && reply.header.Get("Retry-After") == "" {
		t.Fatalf("POST %s: 503 without Retry-After", path)
	}
	return reply
}

// get asks an edge of the node for something.
func (m *modelRun) get(n *modelNode, edge int, token string) modelReply {
	rec := httptest.NewRecorder()
	var err error
	reply := m.watch(n, func(ctx context.Context) {
		r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/", nil)
		r.Header.Set("Authorization", "Bearer "+token)
		err = n.bearers[edge].ServeHTTP(rec, modelRequest(r, rec), caddyhttp.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) error {
			w.WriteHeader(http.StatusOK)
			return nil
		}))
	})
	reply.status = rec.Code
	if refusal, ok := errors.AsType[caddyhttp.HandlerError](err); ok {
		reply.status = refusal.StatusCode
	}
	return reply
}

func modelRequest(r *http.Request, w http.ResponseWriter) *http.Request {
	r.RemoteAddr = "127.0.0.1:1"
	return caddyhttp.PrepareRequest(r, caddy.NewReplacer(), w, &caddyhttp.Server{})
}

// answer is the part of an answer that the model can judge.
func (r modelReply) answer() modelAnswer {
	a := modelAnswer{status: r.status}
	a.code, _ = r.body["error"].(string)
	a.active, _ = r.body["active"].(bool)
	if _, issued := r.body["access_token"]; issued {
		a.scope, _ = r.body["scope"].(string)
		refresh, _ := r.body["refresh_token"].(string)
		a.generation = modelToken{raw: refresh}.claims().Gen
	}
	return a
}

// modelToken is a token that was issued once.
type modelToken struct {
	raw        string
	refresh    bool
	session    *modelSession
	generation uint64 // of a refresh token
	scopes     []string
	issued     int64
	expires    int64
}

// claims reads what a token says.
func (t modelToken) claims() (c struct {
	Scope          string
	Gen            uint64
	IAT            int64
	Exp            int64
	SID            string
	SessionExpires int64 `json:"session_exp"`
	Version        int64 `json:"sver"`
},
) {
	parts := strings.Split(t.raw, ".")
	if payload, err := base64.RawURLEncoding.DecodeString(parts[len(parts)/2]); err == nil {
		_ = json.Unmarshal(payload, &c)
	}
	return c
}

func (t modelToken) String() string {
	if t.refresh {
		return fmt.Sprintf("refresh token %d of session %d", t.generation, t.session.number)
	}
	return fmt.Sprintf("access token %q of session %d", strings.Join(t.scopes, " "), t.session.number)
}

const (
	modelRefreshTTL = 2 * 24 * time.Hour
	modelSessionTTL = 5 * 24 * time.Hour
)
