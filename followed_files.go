package caddygrant

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"

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

	// isCurrent is [livefile.File.IsCurrent].
	isCurrent func(time.Time) bool
}

// following is a source that follows a file. The built-in sources that do are the only
// ones: those of other modules have their own ways.
type following interface{ fileState() fileState }

// fileState is the file as it is now.
func (f *followedFile[T]) fileState() fileState {
	return fileState{
		path: f.key.path, reads: f.key.reads,
		entries: f.Snapshot().Len(), Status: f.file.Status(), reload: f.file.Reload, isCurrent: f.file.IsCurrent,
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

// openAPIKeys opens the files of a server, which had those before in the config before.
// What it returns has to be released, also after an error.
func openAPIKeys(files []APIKeyFile, allow directory.Options, before []*apiKeyFile) ([]*apiKeyFile, error) {
	var opened []*apiKeyFile
	for _, f := range files {
		if err := f.validate(); err != nil {
			return opened, err
		}
		file := new(apiKeyFile)
		if err := file.open(f.Path, apikey.Section, f.Source, allow, apikey.Formats[f.Source]); err != nil {
			return opened, err
		}
		twice := isAmong(file, opened)
		if opened = append(opened, file); twice {
			return opened, fmt.Errorf("api_keys %s: the file is listed twice", file.key.path)
		}
	}
	return opened, checkConflicts(opened, before)
}

// isAmong tells whether a file is one of these.
func isAmong(file *apiKeyFile, files []*apiKeyFile) bool {
	return slices.ContainsFunc(files, func(other *apiKeyFile) bool { return other.key.path == file.key.path })
}

// releaseAPIKeys leaves the files.
func releaseAPIKeys(files []*apiKeyFile) {
	for _, file := range files {
		_ = file.Cleanup() // which has been logged, or does not fail
	}
}

// checkConflicts refuses files that contradict each other, unless the server had all of
// them before: then a change while Caddy ran is the cause, which must not delay another
// change of the config. The keys are refused when they are used.
func checkConflicts(files, before []*apiKeyFile) error {
	for _, c := range apikey.Conflicts(appendSets(nil, files)) {
		if file, other := files[c.File], files[c.Other]; !isAmong(file, before) || !isAmong(other, before) {
			return c.Error(file.String(), other.String())
		}
	}
	return nil
}

// appendSets appends the active versions.
func appendSets(sets []*apikey.Set, files []*apiKeyFile) []*apikey.Set {
	for _, file := range files {
		sets = append(sets, file.Snapshot())
	}
	return sets
}

// apiKeyFiles are the files of a server. They are followed one by one, and by other
// servers too, so whether they fit together shows only here.
type apiKeyFiles struct {
	all    []*apiKeyFile
	logger *zap.Logger

	mu       sync.Mutex
	reported []apikey.Conflict // last
}

// find is [apikey.Find] in the files as they are now.
func (f *apiKeyFiles) find(digest apikey.Digest) (*apikey.Key, error) {
	return apikey.Find(appendSets(make([]*apikey.Set, 0, 8), f.all), digest) // on the stack
}

// areTwo tells whether another file has the key too. Then it must not end with one of
// the owners, since it is the other's once a line is deleted.
func (f *apiKeyFiles) areTwo(key *apikey.Key) bool {
	_, err := f.find(key.Digest())
	return err == apikey.ErrSameHash
}

// conflict says why keys of a file are refused, nil if the files fit together.
func (f *apiKeyFiles) conflict(file *apiKeyFile) error {
	for _, c := range apikey.Conflicts(appendSets(nil, f.all)) {
		if f.all[c.File] == file {
			return c.Error(file.String(), f.all[c.Other].String())
		}
	}
	return nil
}

// reportConflicts logs which files contradict each other, unless it has said so before,
// and that they no longer do.
func (f *apiKeyFiles) reportConflicts() {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := apikey.Conflicts(appendSets(nil, f.all))
	for _, c := range now {
		if slices.ContainsFunc(f.reported, c.Equal) {
			continue
		}
		file, other := f.all[c.File], f.all[c.Other]
		f.logger.Error("API keys are refused, since two files have them: Caddy would not start with these files",
			zap.Error(c.Error(file.String(), other.String())), zap.String("path", file.key.path), zap.String("other_path", other.key.path),
			zap.Int("count", len(c.Names)), zap.Strings("api_keys", c.Names[:min(len(c.Names), mostNamed)]))
	}
	if len(f.reported) > 0 && len(now) == 0 {
		f.logger.Info("no API key is in two files now")
	}
	f.reported = now
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

// mostNamed is how many clients or keys one line names.
const mostNamed = 20
