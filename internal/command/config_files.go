package command

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/spf13/cobra"

	"github.com/caddygrant/caddy-grant/internal/setting"
	"github.com/caddygrant/caddy-grant/internal/useredit"
)

// fileOfConfig is the only file of users, or of clients, that a config names.
func fileOfConfig(cmd *cobra.Command, list useredit.List) (path string, format useredit.Format, err error) {
	config, err := cmd.Flags().GetString("config")
	if err != nil {
		return "", "", err
	}
	adapter, err := cmd.Flags().GetString("adapter")
	if err != nil {
		return "", "", err
	}
	if config == "" {
		config = "Caddyfile"
		if _, err := os.Stat(config); errors.Is(err, fs.ErrNotExist) {
			return "", "", fmt.Errorf("there is no Caddyfile in this directory: name the file of %s with --file, or the config with --config", list)
		}
	}
	adapted, err := adapt(config, adapter)
	if err != nil {
		return "", "", fmt.Errorf("%s: %w; correct it, or name the file of %s with --file", config, err, list)
	}
	sources := sourcesIn(adapted, list)
	if len(sources) != 1 {
		return "", "", notOne(config, list, sources)
	}
	path, err = setting.Resolve(caddy.NewReplacer(), "the path in "+config, sources[0].Path)
	if err != nil {
		return "", "", fmt.Errorf("%w; name the file with --file", err)
	}
	if !filepath.IsAbs(path) && filepath.Dir(config) != "." {
		return "", "", fmt.Errorf("%s names the file %s, and where that is depends on where Caddy was started: name the file with --file", config, path)
	}
	return path, useredit.Format(sources[0].Source), nil
}

// adapt reads a config as JSON. Its name tells the adapter, as for `caddy run`.
func adapt(path, adapter string) ([]byte, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, errors.Unwrap(err)
	}
	name := strings.ToLower(filepath.Base(path))
	extension := strings.TrimPrefix(filepath.Ext(name), ".")
	switch {
	case adapter != "", extension == "json":
	case strings.HasPrefix(name, "caddyfile"), extension == "caddyfile":
		adapter = "caddyfile"
	case extension != "" && caddyconfig.GetAdapter(extension) != nil:
		adapter = extension
	}
	if adapter == "" {
		var any json.RawMessage
		if err := json.Unmarshal(content, &any); err != nil {
			return nil, fmt.Errorf("it is not JSON: %w; if it has another format, name it with --adapter", err)
		}
		return content, nil
	}
	with := caddyconfig.GetAdapter(adapter)
	if with == nil {
		return nil, fmt.Errorf("there is no config adapter %q", adapter)
	}
	content, _, err = with.Adapt(content, map[string]any{"filename": path})
	return content, err
}

// configSource is a source of users or of clients in a config.
type configSource struct {
	Source string `json:"source"`
	Path   string `json:"path"`
}

// sourcesIn are the files of a config, each once.
func sourcesIn(config []byte, list useredit.List) (sources []configSource) {
	var node any
	if json.Unmarshal(config, &node) != nil {
		return nil
	}
	var walk func(any)
	walk = func(node any) {
		switch node := node.(type) {
		case []any:
			for _, child := range node {
				walk(child)
			}
		case map[string]any:
			if node["handler"] == "token_endpoint" {
				lists, _ := node[string(list)].([]any)
				for _, one := range lists {
					fields, _ := one.(map[string]any)
					source, _ := fields["source"].(string)
					path, _ := fields["path"].(string)
					found := configSource{source, path}
					known := source == string(useredit.Htpasswd) || source == string(useredit.JSON)
					if known && !slices.Contains(sources, found) {
						sources = append(sources, found)
					}
				}
				return
			}
			for _, child := range node {
				walk(child)
			}
		}
	}
	walk(node)
	slices.SortFunc(sources, func(a, b configSource) int { return strings.Compare(a.Path, b.Path) })
	return sources
}

func notOne(config string, list useredit.List, sources []configSource) error {
	if len(sources) == 0 {
		return fmt.Errorf("%s names no file of %s: name one with --file. To change %s that are in the config itself, edit the config", config, list, list)
	}
	var paths []string
	for _, source := range sources {
		paths = append(paths, source.Path)
	}
	return fmt.Errorf("%s names several files of %s: choose one with --file: %s", config, list, strings.Join(paths, ", "))
}
