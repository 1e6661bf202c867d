package command

import (
	"context"
	"errors"
	"fmt"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"

	"github.com/caddygrant/caddy-grant/internal/adminapi"
)

// Offline explains a token by a config alone: without a running Caddy and without its
// storage. The root package, which knows configs, sets it.
var Offline func(ctx context.Context, config []byte, server string, request adminapi.ExplainRequest) (by string, x adminapi.Explanation, err error)

// explainedOffline loads the config of --config as `caddy run` finds it.
func explainedOffline(cmd *cobra.Command, request adminapi.ExplainRequest) (answer explainedToken, err error) {
	quiet()
	config, file, _, err := caddycmd.LoadConfig(flagValue(cmd, "config"), flagValue(cmd, "adapter"))
	switch {
	case err != nil:
		return answer, fmt.Errorf("loading the config: %w", err)
	case file == "" || len(config) == 0:
		return answer, errors.New("there is no config: name it with --config, or be in the directory with the Caddyfile")
	}
	by, x, err := Offline(cmd.Context(), config, flagValue(cmd, "server"), request)
	return explainedToken{Explanation: x, By: fmt.Sprintf("the config of %s in %s", by, file)}, err
}
