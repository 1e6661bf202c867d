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

// fileOfConfig is the only file of users, of clients or of API keys that a config names.
func fileOfConfig(cmd *cobra.Command, list useredit.List) (path string, format useredit.Format, err error) {
	config, adapted, err := readConfig(cmd, list)
	if err != nil {
		return "", "", err
	}
	sources := sourcesIn(adapted, list)
	if len(sources) != 1 {
		return "", "", notOne(config, list, sources)
	}
	path, err = pathIn(config, sources[0])
	return path, useredit.Format(sources[0].Source), err
}

// readConfig returns the config of the flags as JSON, and its name.
func readConfig(cmd *cobra.Command, list useredit.List) (config string, adapted []byte, err error) {
	config, err = cmd.Flags().GetString("config")
	if err != nil {
		return "", nil, err
	}
	adapter, err := cmd.Flags().GetString("adapter")
	if err != nil {
		return "", nil, err
	}
	if config == "" {
		config = "Caddyfile"
		if _, err := os.Stat(config); errors.Is(err, fs.ErrNotExist) {
			return "", nil, fmt.Errorf("there is no Caddyfile in this directory: name the file of %s with --file, or the config with --config", entriesOf(list))
		}
	}
	adapted, err = adapt(config, adapter)
	if err != nil {
		return "", nil, fmt.Errorf("%s: %w; correct it, or name the file of %s with --file", config, err, entriesOf(list))
	}
	return config, adapted, nil
}

// pathIn is where the file of a source is.
func pathIn(config string, source configSource) (string, error) {
	path, err := setting.Resolve(caddy.NewReplacer(), "the path in "+config, source.Path)
	if err != nil {
		return "", fmt.Errorf("%w; name the file with --file", err)
	}
	if !filepath.IsAbs(path) && filepath.Dir(config) != "." {
		return "", fmt.Errorf("%s names the file %s, and where that is depends on where Caddy was started: name the file with --file", config, path)
	}
	return path, nil
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

// configSource is a source of users, of clients or of API keys in a config.
type configSource struct {
	Source string `json:"source"`
	Path   string `json:"path"`
}

// sourcesIn are the files of a config, each once.
func sourcesIn(config []byte, list useredit.List) (sources []configSource) {
	for _, endpoint := range endpointsIn(config) {
		for _, source := range sourcesOf(endpoint, list) {
			known := source.Source == string(lineFormat(list)) || source.Source == string(useredit.JSON)
			if found := (configSource{source.Source, source.Path}); known && !slices.Contains(sources, found) {
				sources = append(sources, found)
			}
		}
	}
	slices.SortFunc(sources, func(a, b configSource) int { return strings.Compare(a.Path, b.Path) })
	return sources
}

// sourcesOf are the sources of a token_endpoint, in order.
func sourcesOf(endpoint map[string]any, list useredit.List) (sources []configSource) {
	lists, _ := endpoint[string(list)].([]any)
	for _, one := range lists {
		fields, _ := one.(map[string]any)
		source, _ := fields["source"].(string)
		path, _ := fields["path"].(string)
		sources = append(sources, configSource{source, path})
	}
	return sources
}

// endpointsIn are the settings of each token_endpoint of a config.
func endpointsIn(config []byte) (endpoints []map[string]any) {
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
				endpoints = append(endpoints, node)
				return
			}
			for _, child := range node {
				walk(child)
			}
		}
	}
	walk(node)
	return endpoints
}

func notOne(config string, list useredit.List, sources []configSource) error {
	if len(sources) == 0 {
		if list == useredit.Keys {
			return fmt.Errorf("%s names no file of API keys: name one with --file, and in the config with \"api_keys lines <path>\" in token_endpoint", config)
		}
		return fmt.Errorf("%s names no file of %s: name one with --file. To change %s that are in the config itself, edit the config", config, list, list)
	}
	var paths []string
	for _, source := range sources {
		paths = append(paths, source.Path)
	}
	return fmt.Errorf("%s names several files of %s: choose one with --file: %s", config, entriesOf(list), strings.Join(paths, ", "))
}
