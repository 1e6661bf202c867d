package caddygrant

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"

	"github.com/caddygrant/caddy-grant/directory"
	"github.com/caddygrant/caddy-grant/internal/oauth"
	"github.com/caddygrant/caddy-grant/internal/token"
)

// ticketGrant logs in a user with a ticket.
type ticketGrant struct{ users *directory.UserDirectory }

const ticketGrantType = "urn:example:ticket"

func (ticketGrant) parameters() []string { return []string{"ticket"} }

func (g ticketGrant) authorize(ctx context.Context, _ *token.KeySet, req *clientRequest) (*token.Authorization, error) {
	user, err := g.users.BySubject(ctx, req.params.Get("ticket"))
	if err != nil || user == nil {
		return nil, oauth.InvalidGrant("unknown_ticket")
	}
	req.user = user
	return &token.Authorization{Client: req.client, User: user, Scopes: req.scopes}, nil
}

// A line in the table is enough: servers offer the grant, configs and clients may name
// it, its parameters are required, and its logins have sessions.
func TestANewGrantIsALineInTheTable(t *testing.T) {
	before := grantTypes
	defer func() { grantTypes = before }()
	grantTypes = append(slices.Clone(grantTypes), grantType{ticketGrantType, func(parts grantParts) grant {
		return ticketGrant{users: parts.tokens.Users}
	}})

	root, err := caddy.ProvisionContext(&caddy.Config{
		Admin:      &caddy.AdminConfig{Disabled: true},
		StorageRaw: caddyconfig.JSONModuleObject(map[string]string{"root": t.TempDir()}, "module", "file_system", nil),
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, unload := caddy.NewContext(root)
	t.Cleanup(unload)
	loaded, err := ctx.LoadModuleByID("http.handlers.token_endpoint", caddyconfig.JSON(Handler{Config: Config{
		Scopes:      []string{"read"},
		Grants:      []string{ticketGrantType, oauth.GrantTypeRefreshToken},
		SigningKeys: []SigningKey{{Algorithm: "HS256"}},
		UsersRaw:    []json.RawMessage{module(InlineUsers{Users: []directory.User{{Username: "alice", PasswordHash: speedHash}}}, "inline")},
		ClientsRaw: []json.RawMessage{module(InlineClients{Clients: []directory.Client{
			{ID: "web", Secret: "s3cret"}, {ID: "app", Secret: "s3cret", Grants: []string{ticketGrantType}},
		}}, "inline")},
		AllowWeakHashes: true,
	}}, nil))
	if err != nil {
		t.Fatal(err)
	}
	site := &speedSite{endpoint: loaded.(*Handler)}
	if err := site.endpoint.server.keys.generated.Attempt(ctx); err != nil {
		t.Fatal(err)
	}

	const ticket = "grant_type=urn:example:ticket&client_secret=s3cret"
	tokens := site.tokens(t, site.post(t, ticket+"&client_id=web&ticket=alice&scope=read"))
	if tokens.AccessToken == "" || tokens.RefreshToken == "" || tokens.Scope != "read" {
		t.Errorf("got %+v", tokens)
	}
	site.post(t, speedRefreshForm(tokens.RefreshToken))
	if tokens := site.tokens(t, site.post(t, ticket+"&client_id=app&ticket=alice")); tokens.RefreshToken != "" {
		t.Error("a client that may not refresh gets a refresh token")
	}
	for form, want := range map[string]string{
		ticket + "&client_id=web":                oauth.CodeInvalidRequest, // no ticket
		ticket + "&client_id=web&ticket=mallory": oauth.CodeInvalidGrant,
		speedForm:                                oauth.CodeUnsupportedGrantType,
	} {
		w := site.send(t, form)
		var answer struct{ Error string }
		if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil || w.Code != http.StatusBadRequest || answer.Error != want {
			t.Errorf("%s: %d %s, want %s", form, w.Code, w.Body, want)
		}
	}
}
