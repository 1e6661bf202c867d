package caddygrant

import (
	"context"
	"slices"

	"github.com/caddygrant/caddy-grant/directory"
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
