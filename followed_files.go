package caddygrant

import (
	"context"
	"fmt"
	"slices"

	"github.com/caddygrant/caddy-grant/directory"
	"github.com/caddygrant/caddy-grant/internal/apikey"
	"github.com/caddygrant/caddy-grant/internal/livefile"
)

// fileState is a file that a source of a server follows.
type fileState struct {
	path    string
	reads   string // "users", "clients" or "api_keys"
	entries int    // in its active version
	livefile.Status

	// reload reads the file now, for all servers that follow it: see
	// [livefile.File.Reload].
	reload func(context.Context) error
}

// following is a source that follows a file. The built-in sources that do are the only
// ones: those of other modules have their own ways.
type following interface{ fileState() fileState }

// fileState is the file as it is now.
func (f *followedFile[T]) fileState() fileState {
	return fileState{
		path: f.key.path, reads: f.key.reads,
		entries: f.Snapshot().Len(), Status: f.file.Status(), reload: f.file.Reload,
	}
}

// followedFiles are the files of a server's sources, each once for what it is read for:
// the users' in the order of the sources, then the clients', then those of API keys.
func followedFiles(users *directory.UserDirectory, clients *directory.ClientDirectory, keys []*apiKeyFile) []fileState {
	var files []fileState
	add := func(source any) {
		f, ok := source.(following)
		if !ok {
			return
		}
		file := f.fileState()
		if !slices.ContainsFunc(files, func(other fileState) bool { return other.path == file.path && other.reads == file.reads }) {
			files = append(files, file)
		}
	}
	for _, source := range users.All() {
		add(source)
	}
	for _, source := range clients.All() {
		add(source)
	}
	for _, file := range keys {
		add(file)
	}
	return files
}

// APIKeyFile is a file of API keys, which is followed without a reload.
type APIKeyFile struct {
	// The format: `json`, for `{"api_keys":[{"name":…,"hash":…,"user":…}]}`, or `lines`,
	// for one key per line. Required.
	Source string `json:"source"`

	// The path of the file. Placeholders are replaced at start. Required.
	Path string `json:"path"`
}

// validate checks all but the file.
func (f APIKeyFile) validate() error {
	if apikey.Formats[f.Source] == nil {
		return fmt.Errorf("api_keys: the format is json or lines, and not %q", f.Source)
	}
	if f.Path == "" {
		return fmt.Errorf("api_keys %s: it needs the path of a file", f.Source)
	}
	return nil
}

// apiKeyFile is the active version of a file.
type apiKeyFile struct{ followedFile[*apikey.Set] }

// openAPIKeys opens the files of a config. Those that it returns have to be released,
// also after an error.
func openAPIKeys(files []APIKeyFile, allow directory.Options) ([]*apiKeyFile, error) {
	var opened []*apiKeyFile
	for _, f := range files {
		if err := f.validate(); err != nil {
			return opened, err
		}
		file := new(apiKeyFile)
		if err := file.open(f.Path, apikey.Section, f.Source, allow, apikey.Formats[f.Source]); err != nil {
			return opened, err
		}
		opened = append(opened, file)
	}
	return opened, checkKeyNames(opened)
}

// releaseAPIKeys leaves the files.
func releaseAPIKeys(files []*apiKeyFile) {
	for _, file := range files {
		_ = file.Cleanup() // which has been logged, or does not fail
	}
}

// checkKeyNames refuses keys of one name in two files: logs and metrics name them.
func checkKeyNames(files []*apiKeyFile) error {
	first := make(map[string]*apiKeyFile)
	for _, file := range files {
		for key := range file.Snapshot().All() {
			if other := first[key.Name]; other != nil && other != file {
				return fmt.Errorf("%s: there is an API key %q in %s, too: give one of them another name", file, key.Name, other)
			}
			first[key.Name] = file
		}
	}
	return nil
}

// keyOfAnyClient is the name of the first key that a client owns, empty if there is none.
func keyOfAnyClient(files []*apiKeyFile) string {
	for _, file := range files {
		for key := range file.Snapshot().All() {
			if key.IsClients() {
				return key.Name
			}
		}
	}
	return ""
}
