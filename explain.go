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
	"go.uber.org/zap"

	"github.com/caddygrant/caddy-grant/directory"
	"github.com/caddygrant/caddy-grant/internal/adminapi"
	"github.com/caddygrant/caddy-grant/internal/explain"
	"github.com/caddygrant/caddy-grant/internal/keyring"
	"github.com/caddygrant/caddy-grant/internal/token"
)

// explainByConfig says in words what the checks of a token find by a config alone,
// without a running server and without the storage.
func explainByConfig(ctx context.Context, config []byte, name string, request adminapi.ExplainRequest) (string, adminapi.Explanation, error) {
	servers, err := serversIn(config)
	if err != nil {
		return "", adminapi.Explanation{}, err
	}
	names := slices.Sorted(maps.Keys(servers))
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
	x, err := explainBySettings(loaded, settings, request)
	if err != nil {
		return "", adminapi.Explanation{}, fmt.Errorf("server %q: %w", name, err)
	}
	return name, x, nil
}

// explainBySettings loads of a server only what tokens are checked with.
func explainBySettings(ctx caddy.Context, config Config, request adminapi.ExplainRequest) (x adminapi.Explanation, err error) {
	s := &Server{Config: config, logger: zap.NewNop()}
	if err := s.resolve(caddy.NewReplacer()); err != nil {
		return x, err
	}
	if err := s.validate(); err != nil {
		return x, err
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
	options := directory.Options{AllowWeakHashes: s.AllowWeakHashes, GrantTypes: grantTypeNames()}
	sources := directory.Settings{Options: options, MaxAge: time.Duration(s.SourceMaxAge), Logger: s.logger, Calls: directory.NewCalls()}
	s.policy = s.tokenPolicy()
	if s.LoginPage != nil {
		sources.OwnClient = s.policy.Browser.Client
	}
	checker := &token.Checker{Policy: s.policy}
	if checker.Users, err = loadUsers(ctx, &s.Config, sources); err != nil {
		return x, err
	}
	if checker.Clients, err = loadClients(ctx, &s.Config, sources); err != nil {
		return x, err
	}
	offline := explain.Config{Checker: checker, Ring: ring, Generates: len(configured) < len(keys)}
	return offline.Token(ctx, request), nil
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
