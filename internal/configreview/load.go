package configreview

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
)

// source is a config as it was read, and where its parts are.
type source struct {
	file    string // that the config was read from, for findings
	adapted []byte // as Caddy's JSON

	// of a Caddyfile
	tree      []*node
	endpoints map[string]*node    // by where they are defined
	marks     map[string]position // of handlers, by their paths in the JSON

	lines map[string]int // of the values of a JSON file, by their paths
}

// load reads a config and adapts it, as Caddy would.
func load(options Options) (*source, error) {
	path, shown := options.Config, options.Config
	if path == "" {
		path, shown = defaultConfig, defaultConfig
	}
	if path == "-" {
		shown = "stdin"
	}
	data, err := readConfig(path)
	if errors.Is(err, fs.ErrNotExist) && options.Config == "" {
		return nil, errors.New("there is no Caddyfile in this directory: name the config with --config")
	}
	if err != nil {
		return nil, fmt.Errorf("reading the config: %w", err)
	}
	quiet(options.Verbose) // the adapter warns too
	adapter := options.Adapter
	if adapter == "" {
		adapter = adapterFor(path, data)
	}
	s := &source{file: shown}
	if adapter == "" {
		if err := s.readJSON(data); err != nil {
			return nil, err
		}
		return s, nil
	}
	a := caddyconfig.GetAdapter(adapter)
	if a == nil {
		return nil, fmt.Errorf("there is no config adapter %q in this Caddy", adapter)
	}
	// it writes into what it is given
	if s.adapted, _, err = a.Adapt(bytes.Clone(data), map[string]any{"filename": shown}); err != nil {
		return nil, fmt.Errorf("adapting the config: %w", err)
	}
	if adapter == "caddyfile" {
		s.readCaddyfile(data)
	}
	return s, nil
}

// readConfig reads what has no end no further than a config can be long.
func readConfig(path string) ([]byte, error) {
	var from io.Reader = os.Stdin
	if path != "-" {
		file, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		defer file.Close()
		from = file
	}
	data, err := io.ReadAll(io.LimitReader(from, maxConfig+1))
	if err == nil && len(data) > maxConfig {
		err = fmt.Errorf("%s is larger than %d MiB", path, maxConfig>>20)
	}
	return data, err
}

// adapterFor is the adapter that Caddy takes for a file by its name, empty for JSON. On
// stdin, what is not JSON is a Caddyfile.
func adapterFor(path string, data []byte) string {
	if path == "-" {
		if json.Valid(data) {
			return ""
		}
		return "caddyfile"
	}
	base := strings.ToLower(filepath.Base(path))
	extension := filepath.Ext(base)
	switch {
	case extension == ".json":
		return ""
	case strings.HasPrefix(base, "caddyfile"), extension == ".caddyfile":
		return "caddyfile"
	case extension != "" && caddyconfig.GetAdapter(extension[1:]) != nil:
		return extension[1:]
	}
	return ""
}

func (s *source) readJSON(data []byte) error {
	if !json.Valid(data) {
		var syntax *json.SyntaxError
		err := json.Unmarshal(data, new(any))
		if errors.As(err, &syntax) {
			err = fmt.Errorf("line %d: %w", 1+bytes.Count(data[:syntax.Offset], []byte("\n")), err)
		}
		return fmt.Errorf("the config is not JSON: %w; if it has another format, name it with --adapter", err)
	}
	s.lines = linesOf(data)
	s.adapted = caddy.RemoveMetaFields(data)
	return nil
}

const (
	defaultConfig = "Caddyfile"
	maxConfig     = 64 << 20 // bytes
)
