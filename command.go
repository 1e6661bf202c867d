package caddygrant

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"go.uber.org/zap"

	"github.com/caddygrant/caddy-grant/directory"
	"github.com/caddygrant/caddy-grant/internal/adminapi"
	"github.com/caddygrant/caddy-grant/internal/apikey"
	"github.com/caddygrant/caddy-grant/internal/command"
	"github.com/caddygrant/caddy-grant/internal/explain"
	"github.com/caddygrant/caddy-grant/internal/issuer"
	"github.com/caddygrant/caddy-grant/internal/keyring"
	"github.com/caddygrant/caddy-grant/internal/token"
)

func init() {
	command.Offline = explainByConfig
	caddycmd.RegisterCommand(caddycmd.Command{
		Name:      "grant",
		Usage:     "<command>",
		Short:     "Manages users, tokens and authorization servers",
		Long:      command.Long,
		CobraFunc: command.Build,
	})
}

// explainByConfig says in words what the checks of a token or an API key find by a config
// alone, without a running server and without the storage, and by which part of it.
func explainByConfig(ctx context.Context, config []byte, name string, request adminapi.ExplainRequest) (string, adminapi.Explanation, error) {
	if name == "" {
		if url, x, ok, err := explainOutside(ctx, config, request); ok {
			return "the outside issuer " + url, x, err
		}
	}
	servers, err := serversIn(config)
	if err != nil {
		return "", adminapi.Explanation{}, err
	}
	outside := issuerURLs(config)
	names := slices.Sorted(maps.Keys(servers))
	if name == "" {
		if x, ok := explain.OfNoIssuer(request.Token, outside, len(names) == 0); ok {
			return "all bearer_auths", x, nil
		}
	}
	switch {
	case len(names) == 0:
		return "", adminapi.Explanation{}, errors.New("the config has no token_endpoint")
	case name == "" && len(names) > 1:
		return "", adminapi.Explanation{}, fmt.Errorf("the config has %d servers: say which one, with --server %s", len(names), strings.Join(names, " or --server "))
	case name == "":
		name = names[0]
	}
	settings, ok := servers[name]
	if !ok {
		return "", adminapi.Explanation{}, fmt.Errorf("the config has no server %q: it has %s", name, strings.Join(names, ", "))
	}
	loaded, cancel := caddy.NewContext(caddy.Context{Context: ctx})
	defer cancel()
	x, err := explainBySettings(loaded, settings, outside, request)
	if err != nil {
		return "", adminapi.Explanation{}, fmt.Errorf("server %q: %w", name, err)
	}
	return "the server " + name, x, nil
}

// explainBySettings loads of a server only what tokens are checked with.
func explainBySettings(ctx caddy.Context, config Config, outside []string, request adminapi.ExplainRequest) (x adminapi.Explanation, err error) {
	s := &Server{Config: config, logger: zap.NewNop()}
	if err := s.resolve(caddy.NewReplacer()); err != nil {
		return x, err
	}
	if err := s.validate(); err != nil {
		return x, err
	}
	options := directory.Options{AllowWeakHashes: s.AllowWeakHashes, GrantTypes: grantTypeNames()}
	sources := directory.Settings{Options: options, MaxAge: time.Duration(s.SourceMaxAge), Logger: s.logger, Calls: directory.NewCalls()}
	s.policy = s.tokenPolicy()
	if s.LoginPage != nil {
		sources.OwnClient = s.policy.Browser.Client
	}
	checker := &token.Checker{Policy: s.policy}
	if apikey.LooksLike(request.Token) {
		if err := loadOwners(ctx, s, checker, sources); err != nil {
			return x, err
		}
		return explainKeyByConfig(ctx, s, checker, request)
	}
	keys, err := loadSigningKeys(s.SigningKeys)
	if err != nil {
		return x, err
	}
	configured := configuredKeys(keys)
	if len(configured) == 0 {
		return x, errors.New("its signing keys are generated, and are in the storage, which this does not read: ask the running Caddy, without --offline, or verify with the server's key set, with --jwks")
	}
	ring, err := keyring.NewRing(s.Typ, configured...)
	if err != nil {
		return x, err
	}
	if err := loadOwners(ctx, s, checker, sources); err != nil {
		return x, err
	}
	offline := explain.Config{Checker: checker, Ring: ring, Generates: len(configured) < len(keys), Outside: outside}
	return offline.Token(ctx, request), nil
}

// loadOwners loads users and clients.
func loadOwners(ctx caddy.Context, s *Server, checker *token.Checker, sources directory.Settings) (err error) {
	if checker.Users, err = loadUsers(ctx, &s.Config, sources); err != nil {
		return err
	}
	checker.Clients, err = loadClients(ctx, &s.Config, sources)
	return err
}

// explainKeyByConfig looks an API key up in the files of a config. Whether it ended with
// an owner who has come back is in the storage.
func explainKeyByConfig(ctx context.Context, s *Server, checker *token.Checker, request adminapi.ExplainRequest) (adminapi.Explanation, error) {
	files, err := openAPIKeys(s.APIKeys, directory.Options{}, nil)
	defer releaseAPIKeys(files)
	if err != nil {
		return adminapi.Explanation{}, err
	}
	return newAPIKeys(s.Name, files, checker, nil, s.logger).explain(ctx, request), nil
}

// configuredKeys are those whose secret or file the config names.
func configuredKeys(lines []configuredKey) (keys []*keyring.Key) {
	for _, line := range lines {
		if line.key != nil {
			keys = append(keys, line.key)
		}
	}
	return keys
}

// serversIn finds the settings of all servers of a config, wherever their endpoints are.
func serversIn(config []byte) (map[string]Config, error) {
	var root any
	if err := json.Unmarshal(config, &root); err != nil {
		return nil, fmt.Errorf("reading the config: %w", err)
	}
	servers := make(map[string]Config)
	var visit func(value any) error
	visit = func(value any) error {
		switch value := value.(type) {
		case []any:
			for _, element := range value {
				if err := visit(element); err != nil {
					return err
				}
			}
		case map[string]any:
			if value["handler"] == "token_endpoint" {
				return addServerOf(servers, value)
			}
			for _, name := range slices.Sorted(maps.Keys(value)) {
				if err := visit(value[name]); err != nil {
					return err
				}
			}
		}
		return nil
	}
	return servers, visit(root)
}

func addServerOf(servers map[string]Config, endpoint map[string]any) error {
	delete(endpoint, "handler")
	encoded, err := json.Marshal(endpoint)
	if err != nil {
		return err
	}
	var handler Handler
	if err := caddy.StrictUnmarshalJSON(encoded, &handler); err != nil {
		return fmt.Errorf("reading a token_endpoint: %w", err)
	}
	if handler.Name == "" {
		handler.Name = defaultName
	}
	if handler.LoginPage != nil && handler.LoginPage.Path == "" {
		handler.LoginPage.Path = handler.Path + loginPath
	}
	servers[handler.Name] = handler.Config
	return nil
}

// explainOutside says what a config alone tells of the token of an outside issuer. ok is
// false if the config takes no tokens of the issuer that the token names.
func explainOutside(ctx context.Context, config []byte, request adminapi.ExplainRequest) (url string, x adminapi.Explanation, ok bool, err error) {
	claimed, _ := issuer.ClaimedIssuer(request.Token)
	if claimed == "" {
		return "", x, false, nil
	}
	var root any
	if err := json.Unmarshal(config, &root); err != nil {
		return "", x, false, nil // which serversIn says
	}
	var judges []*issuer.Issuer
	for _, one := range issuersIn(root) {
		if err := one.resolve(caddy.NewReplacer()); err != nil || one.Issuer != claimed || one.isReference() {
			continue
		}
		settings := one.settings()
		if err := settings.Validate(); err != nil {
			return claimed, x, true, err
		}
		judges = append(judges, issuer.New(settings, nil))
	}
	if len(judges) == 0 {
		return "", x, false, nil
	}
	return claimed, (&explain.Outside{Issuers: judges, Offline: true}).Token(ctx, request), true, nil
}

// issuerURLs are the outside issuers of a config, each once.
func issuerURLs(config []byte) (urls []string) {
	var root any
	_ = json.Unmarshal(config, &root) // serversIn says what is wrong with it
	for _, one := range issuersIn(root) {
		if one.resolve(caddy.NewReplacer()) == nil {
			urls = append(urls, one.Issuer)
		}
	}
	slices.Sort(urls)
	return slices.Compact(urls)
}

// issuersIn are the outside issuers of all handlers of a part of a config.
func issuersIn(part any) (all []OutsideIssuer) {
	switch part := part.(type) {
	case []any:
		for _, element := range part {
			all = append(all, issuersIn(element)...)
		}
	case map[string]any:
		if part["handler"] == "bearer_auth" {
			var handler struct{ Issuers []OutsideIssuer }
			if encoded, err := json.Marshal(part); err == nil && json.Unmarshal(encoded, &handler) == nil {
				return handler.Issuers
			}
			return nil
		}
		for _, name := range slices.Sorted(maps.Keys(part)) {
			all = append(all, issuersIn(part[name])...)
		}
	}
	return all
}
