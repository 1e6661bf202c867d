package caddygrant

import (
	"errors"
	"fmt"
	"path/filepath"
	"runtime/debug"
	"sync"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"github.com/caddygrant/caddy-grant/directory"
	"github.com/caddygrant/caddy-grant/internal/apikey"
	"github.com/caddygrant/caddy-grant/internal/event"
	"github.com/caddygrant/caddy-grant/internal/livefile"
	"github.com/caddygrant/caddy-grant/internal/setting"
	"github.com/caddygrant/caddy-grant/internal/userfile"
)

// followedFile is a source's share of a file that is followed without a reload. All
// sources that read the same file in the same way share one copy, across reloads too,
// so that the last good version of a file that broke stays active.
type followedFile[T fileContent] struct {
	file   *livefile.File[T]
	key    fileKey
	pooled share[pooledFile[T]]
}

// fileContent is a parsed file.
type fileContent interface {
	Len() int
}

// advisedContent is a parsed file whose hashes may be weak. Those of API keys never are.
type advisedContent interface {
	Advice() directory.HashAdvice
}

// pooledFile is a followed file as a value of the pool.
type pooledFile[T any] struct{ *livefile.File[T] }

// Destruct ends the polling.
func (f pooledFile[T]) Destruct() error { return f.Close() }

// open joins the file, reading it if no source follows it yet.
func (f *followedFile[T]) open(path, reads, format string, options directory.Options, parse func([]byte) (T, error)) error {
	path, err := setting.Resolve(caddy.NewReplacer(), reads+" "+format+": path", path)
	if err != nil {
		return err
	}
	if path == "" {
		return fmt.Errorf("%s %s: it needs the path of a file", reads, format)
	}
	if path, err = filepath.Abs(path); err != nil {
		return fmt.Errorf("%s %s: finding the working directory: %w", reads, format, err)
	}
	key := fileKey{path: path, reads: reads, format: format, weak: options.AllowWeakHashes}
	pooled, followed, err := tryJoin(key, func() (pooledFile[T], error) {
		file, err := livefile.Open(livefile.Options[T]{
			Path: path,
			Parse: func(data []byte) (T, error) {
				content, err := parse(data)
				return content, ofAnotherFormat(err, key)
			},
			Empty: reads == apikey.Section && format == "lines", // the last key was revoked
			Loaded: func(content T) {
				logLoaded(key, content)
				tellFileWatchers()
				if content.Len() > largeFile {
					debug.FreeOSMemory() // reading and parsing took twice the memory that is kept
				}
			},
			Logger: fileLogger,
			Observe: func(status livefile.Status) {
				observeFile(key.path, key.reads, status.Err == nil, status.LoadedAt)
				if status.Err != nil {
					event.EmitReloadFailed(key.path, key.reads, status.Err, status.LoadedAt)
				}
			},
		})
		return pooledFile[T]{file}, err
	})
	if err != nil {
		return fmt.Errorf("%s file %w", reads, err)
	}
	f.file, f.key, f.pooled = pooled.value.File, key, pooled
	if followed {
		f.checkAtReload()
	}
	return nil
}

// checkAtReload logs that a config is loaded with an old version of the file. That is
// not a reason to refuse the config: an urgent change of something else must not wait
// until the file is corrected. A start would fail, and the operator should know that
// beforehand.
func (f *followedFile[T]) checkAtReload() {
	if err := f.file.Check(); err != nil {
		fileLogger().Error("file cannot be used: this config is loaded with the last good version of the file, but Caddy would not start with it",
			zap.String("path", f.key.path), zap.Error(err), zap.Time("active_since", f.file.Status().LoadedAt),
			zap.String("remedy", "correct the file, and check it with \"caddy validate\""))
	}
}

// ofAnotherFormat adds what to write to an error about a file of the other format.
func ofAnotherFormat(err error, key fileKey) error {
	switch {
	case errors.Is(err, userfile.ErrJSON):
		return fmt.Errorf("%w: write \"%s json %s\"", err, key.reads, key.path)
	case errors.Is(err, apikey.ErrJSON):
		return fmt.Errorf("%w: write \"%s json %s\"", err, key.reads, key.path)
	case errors.Is(err, apikey.ErrLines):
		return fmt.Errorf("%w: write \"%s lines %s\"", err, key.reads, key.path)
	case errors.Is(err, userfile.ErrHtpasswd):
		return fmt.Errorf("%w: write \"%s htpasswd %s\"", err, key.reads, key.path)
	}
	return err
}

// Snapshot returns the active version.
func (f *followedFile[T]) Snapshot() T { return f.file.Current() }

// Cleanup leaves the file, which is followed as long as another source follows it. Its
// last version stays readable, since requests of this config may go on for a while.
func (f *followedFile[T]) Cleanup() error {
	last, err := f.pooled.leave()
	if last && !isFollowed(f.key.path, f.key.reads) {
		forgetFile(f.key.path, f.key.reads)
	}
	return err
}

// isFollowed tells whether a file is followed, in any format.
func isFollowed(path, reads string) (followed bool) {
	processState.Range(func(key, _ any) bool {
		k, ok := key.(fileKey)
		followed = ok && k.path == path && k.reads == reads
		return !followed
	})
	return followed
}

// String names the file for errors and logs.
func (f *followedFile[T]) String() string { return f.key.reads + " file " + f.key.path }

// logLoaded logs what became active and, once per version, what should be replaced.
func logLoaded(key fileKey, content fileContent) {
	observeEntries(key.path, key.reads, content.Len())
	logger := fileLogger().With(zap.String("path", key.path))
	logger.Info(key.reads+" loaded", zap.Int("count", content.Len()))
	if content.Len() == 0 { // possible for lists and for keys; an empty htpasswd file is refused
		logger.Warn("it has no " + key.reads + ": " + withoutEntries[key.reads])
	}
	if advised, ok := content.(advisedContent); ok {
		advised.Advice().Log(logger, "lines")
	}
}

// withoutEntries is what it means if a file has no entries.
var withoutEntries = map[string]string{
	"users":   "no user in this file can log in",
	"clients": "no client in this file can ask for tokens",

	apikey.Section: "no key in this file is accepted",
}

// fileWatchers are called when a version of a followed file takes effect.
var fileWatchers = struct {
	sync.Mutex
	calls map[*func()]struct{}
}{calls: make(map[*func()]struct{})}

// watchFiles calls f whenever any followed file changes, until stop is called.
func watchFiles(f func()) (stop func()) {
	fileWatchers.Lock()
	defer fileWatchers.Unlock()
	fileWatchers.calls[&f] = struct{}{}
	return func() {
		fileWatchers.Lock()
		defer fileWatchers.Unlock()
		delete(fileWatchers.calls, &f)
	}
}

func tellFileWatchers() {
	fileWatchers.Lock()
	defer fileWatchers.Unlock()
	for f := range fileWatchers.calls {
		(*f)()
	}
}

// largeFile is the number of users or clients from which a garbage collection is
// worthwhile, to give memory back.
const largeFile = 100_000

// fileLogger is Caddy's own, since a followed file outlives the config that opened it.
func fileLogger() *zap.Logger { return caddy.Log().Named("grant.files") }
